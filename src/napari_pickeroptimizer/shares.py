"""Shares in per cent, written in one way by the window, the command line and the reports."""

from __future__ import annotations

import math

DASH = "–"


def percent(share: float | None, digits: int = 0, gap: str = " ") -> str:
    """Return a share in per cent, a dash where there is none; 0 and 100 % only if exactly so.

    Parameters
    ----------
    share : float or None
        0 to 1.
    digits : int
        Decimals.
    gap : str
        What is between the figure and its sign; a page takes a space that does not break.

    Examples
    --------
    >>> percent(0.686), percent(0.686, 1), percent(0.9999), percent(0.001), percent(1.0)
    ('69 %', '68.6 %', '> 99 %', '< 1 %', '100 %')
    >>> percent(None)
    '–'
    """
    if share is None or math.isnan(share):
        return DASH
    text = f"{100 * share:.{digits}f}"
    least = 10.0**-digits
    if share < 1 and float(text) == 100:
        return f">{gap}{100 - least:.{digits}f}{gap}%"
    if share > 0 and float(text) == 0:
        return f"<{gap}{least:.{digits}f}{gap}%"
    return f"{text}{gap}%"
