"""Micrographs that lose nearly all of their picks, or none, while the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

Flag = Literal["nearly all rejected", "nothing rejected"]

# A micrograph of fewer picks can lose them all by chance, fewer micrographs are no standard.
LEAST_PICKS = 10
LEAST_MICROGRAPHS = 5
NEARLY_ALL_REJECTED = 0.1  # at most this share is kept
NOTHING_REJECTED = 0.98  # at least this share is kept
# Chance of one false alarm in a run whose micrographs are all alike.
FALSE_ALARM = 0.01
# Spread between micrographs, as intra-class correlation: never taken for none at all.
LEAST_CORRELATION, MOST_CORRELATION = 0.02, 0.3
MAD_TO_SIGMA = 1.4826
N_NAMED = 3


@dataclass(frozen=True)
class ShareCheck:
    """How the share of kept picks varies between the micrographs of a run.

    Parameters
    ----------
    median : float
        Median share kept, of micrographs with enough picks; NaN where there are too few.
    flags : tuple of str or None
        What stands out, one a micrograph.
    warnings : tuple of str
        The same in sentences, the worst named.
    """

    median: float
    flags: tuple[Flag | None, ...]
    warnings: tuple[str, ...]


def check_shares(
    names: Sequence[str], n_scored: NDArray[np.intp], n_kept: NDArray[np.intp]
) -> ShareCheck:
    """Compare the share of picks that each micrograph keeps with that of the others.

    The shares of most micrographs are described by a beta distribution whose centre and width
    are the median and the median absolute deviation, so that a few odd ones do not widen it.
    A micrograph stands out if it keeps at most a tenth (or all but two in a hundred) of its
    picks, **and** so few (so many) would come by chance from a micrograph like the others less
    than once in a hundred such runs. Five picks lost out of five are chance; 200 of 200 are not.

    Parameters
    ----------
    names : sequence of str
        Micrographs.
    n_scored, n_kept : (m,) int
        Scored picks of each, and those of them that are kept.
    """
    scored, kept = np.asarray(n_scored), np.asarray(n_kept)
    nothing = ShareCheck(float("nan"), (None,) * len(names), ())
    enough = scored >= LEAST_PICKS
    if enough.sum() < LEAST_MICROGRAPHS:
        return nothing
    n, k = scored[enough], kept[enough]
    share = k / n
    median = float(np.median(share))
    a, b = _beta(share, n)
    chance = FALSE_ALARM / len(n)
    low, high = share <= NEARLY_ALL_REJECTED, share >= NOTHING_REJECTED
    low[low] = betabinom.cdf(k[low], n[low], a, b) < chance
    high[high] = betabinom.sf(k[high] - 1, n[high], a, b) < chance
    flags: list[Flag | None] = [None] * len(names)
    for i, is_low, is_high in zip(np.flatnonzero(enough), low, high, strict=True):
        if is_low or is_high:
            flags[i] = "nearly all rejected" if is_low else "nothing rejected"
    warnings = [
        _sentence(flag, what, median, names, scored, kept, flags)
        for flag, what in (
            ("nearly all rejected", "lose nearly all of their picks"),
            ("nothing rejected", "keep all of their picks or nearly so"),
        )
        if flag in flags
    ]
    return ShareCheck(median, tuple(flags), tuple(warnings))


def _beta(share: NDArray[np.float64], n: NDArray[np.intp]) -> tuple[float, float]:
    """Return both parameters of the beta distribution of most micrographs' shares."""
    centre = float(np.clip(np.median(share), 0.02, 0.98))
    spread = (MAD_TO_SIGMA * float(np.median(np.abs(share - np.median(share))))) ** 2
    by_chance = centre * (1 - centre) / float(np.median(n))
    correlation = (spread - by_chance) / (centre * (1 - centre))
    correlation = float(np.clip(correlation, LEAST_CORRELATION, MOST_CORRELATION))
    total = 1 / correlation - 1
    return centre * total, (1 - centre) * total


def _sentence(
    flag: str,
    what: str,
    median: float,
    names: Sequence[str],
    scored: NDArray[np.intp],
    kept: NDArray[np.intp],
    flags: Sequence[Flag | None],
) -> str:
    found = [i for i, f in enumerate(flags) if f == flag]
    found.sort(key=lambda i: (-scored[i], names[i]))  # the more picks, the worse
    named = ", ".join(f"{names[i]} ({kept[i]} of {scored[i]} kept)" for i in found[:N_NAMED])
    more = f" and {len(found) - N_NAMED} more (run.json)" if len(found) > N_NAMED else ""
    return (
        f"{len(found)} of {len(names)} micrographs {what}, where others keep {median:.0%}: "
        f"{named}{more}. They were pruned as all others; look at them."
    )


def check_run(n_scored: int, n_kept: int) -> list[str]:
    """Return warnings of a run that keeps nothing, or everything."""
    if n_scored < LEAST_PICKS:
        return []
    if n_kept == 0:
        return [
            f"none of the {n_scored:,} scored picks is kept: no score reaches the threshold. "
            "Were model and micrographs made for each other?"
        ]
    if n_kept == n_scored:
        return [f"all {n_scored:,} scored picks are kept: the pruning changed nothing."]
    return []
