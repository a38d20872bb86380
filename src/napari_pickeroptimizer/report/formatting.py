"""Numbers and names as the pages show them."""

from __future__ import annotations

import math
import re

from markupsafe import Markup

from napari_pickeroptimizer import shares
from napari_pickeroptimizer.shares import DASH

GAP = "\N{NO-BREAK SPACE}"


def percent(value: float | None, digits: int = 0) -> str:
    r"""Return a share in per cent as `shares.percent`, in one line of a page.

    Examples
    --------
    >>> percent(0.686), percent(0.9999), percent(0.001), percent(1.0), percent(None)
    ('69\xa0%', '>\xa099\xa0%', '<\xa01\xa0%', '100\xa0%', '–')
    """
    return shares.percent(value, digits, GAP)


def figure(value: float | None, digits: int = 2) -> str:
    """Return a figure, a dash where there is none.

    Examples
    --------
    >>> figure(0.9512), figure(float("nan"))
    ('0.95', '–')
    """
    return DASH if value is None or math.isnan(value) else f"{value:.{digits}f}"


def score(value: float) -> str:
    r"""Return a probability; 0 and 1 are not written for what is only near them.

    Examples
    --------
    >>> score(0.62), score(0.9991), score(0.0002)
    ('0.62', '>\xa00.99', '<\xa00.01')
    """
    if value > 0.995:
        return f">{GAP}0.99"
    return f"<{GAP}0.01" if value < 0.005 else figure(value)


def duration(seconds: float) -> str:
    """Return a time span.

    Examples
    --------
    >>> duration(4.2), duration(75), duration(7500)
    ('4 s', '1 min 15 s', '2 h 5 min')
    """
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


def base_name(name: str) -> str:
    """Return the last part of a path of any operating system.

    Examples
    --------
    >>> base_name("Movies/a_0001.mrc")
    'a_0001.mrc'
    """
    return str(name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def breakable(name: str) -> Markup:
    """Return a path or a file name in which a line may break after a separator.

    Examples
    --------
    >>> breakable("a/b_1.mrc")
    Markup('a/<wbr>b_<wbr>1.mrc')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[/\\_])", str(name)))
