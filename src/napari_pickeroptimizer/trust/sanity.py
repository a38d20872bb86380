"""Micrographs whose share of kept picks is unusual: one rule for run, table and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from napari_pickeroptimizer.shares import percent

Flag = Literal["nearly all rejected", "nothing rejected"]

# A micrograph with fewer picks can lose them all by chance; with fewer micrographs there is
# nothing to compare with.
LEAST_PICKS = 10
LEAST_MICROGRAPHS = 5
NEARLY_ALL_REJECTED = 0.1  # at most this share is kept
NOTHING_REJECTED = 0.98  # at least this share is kept
# Robust standard deviations from the median.
UNUSUAL = 3.0
# Chance of one false warning in a run whose micrographs are all alike.
FALSE_ALARM = 0.01
# Limits of the standard deviation between micrographs, on the arcsine scale.
LEAST_SPREAD, MOST_SPREAD = 0.07, 0.27
MAD_TO_SIGMA = 1.4826
N_NAMED = 3


@dataclass(frozen=True, eq=False)
class ShareCheck:
    """How the share of kept picks varies between the micrographs of a run.

    Parameters
    ----------
    median : float
        Median share kept, of micrographs with enough picks; NaN where there are too few.
    deviation : (m,) float64
        Robust z-score of each micrograph's share, see `share_deviations`; NaN where nothing
        was scored.
    flags : tuple of str or None
        Flag of each micrograph, None for those that are not unusual.
    warnings : tuple of str
        The same in sentences, with the worst micrographs named.
    """

    median: float
    deviation: NDArray[np.float64]
    flags: tuple[Flag | None, ...]
    warnings: tuple[str, ...]

    @property
    def unusual(self) -> NDArray[np.bool_]:
        """(m,) whether a share is more than 3 standard deviations from the median."""
        return np.asarray(np.abs(self.deviation) > UNUSUAL)


def check_shares(
    names: Sequence[str], n_scored: NDArray[np.intp], n_kept: NDArray[np.intp]
) -> ShareCheck:
    """Compare the share of picks that each micrograph keeps with that of the others.

    A micrograph is flagged if it keeps at most a tenth of its picks, or all but two in a
    hundred, **and** a share that far from the median is expected by chance less than once in a
    hundred such runs. Five picks lost out of five are chance; 200 of 200 are not.

    Parameters
    ----------
    names : sequence of str
        Micrographs.
    n_scored, n_kept : (m,) int
        Scored picks of each, and those of them that are kept.
    """
    scored, kept = np.asarray(n_scored), np.asarray(n_kept)
    deviation = share_deviations(scored, kept)
    flags: list[Flag | None] = [None] * len(names)
    enough = scored >= LEAST_PICKS
    if enough.sum() < LEAST_MICROGRAPHS:
        return ShareCheck(float("nan"), deviation, tuple(flags), ())
    share = kept / np.maximum(scored, 1)
    median = float(np.median(share[enough]))
    limit = max(UNUSUAL, -float(ndtri(FALSE_ALARM / enough.sum())))
    for i in np.flatnonzero(enough & (np.abs(deviation) > limit)):
        if deviation[i] < 0 and share[i] <= NEARLY_ALL_REJECTED:
            flags[i] = "nearly all rejected"
        elif deviation[i] > 0 and share[i] >= NOTHING_REJECTED:
            flags[i] = "nothing rejected"
    warnings = [
        _sentence(flag, what, median, names, scored, kept, flags)
        for flag, what in (
            ("nearly all rejected", "lose nearly all of their picks"),
            ("nothing rejected", "keep all or nearly all of their picks"),
        )
        if flag in flags
    ]
    return ShareCheck(median, deviation, tuple(flags), tuple(warnings))


def share_deviations(
    n_scored: NDArray[np.intp], n_kept: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how far each kept share lies from the median, in robust standard deviations.

    Shares are compared after the arcsine transformation, which makes their variance independent
    of the share (F. Anscombe, Biometrika 35 (1948) 246-254). The variance is the sum of that
    between micrographs, from the median absolute deviation, and that of chance with so few
    picks: 2 of 3 kept is nothing unusual where 60 of 300 are.

    Parameters
    ----------
    n_scored, n_kept : (m,) int
        Scored picks, and those of them that are kept.

    Returns
    -------
    (m,) float64
        NaN where nothing was scored.

    Examples
    --------
    >>> scored, kept = np.array([200] * 6 + [3]), np.array([160, 150, 170, 155, 165, 20, 1])
    >>> (np.abs(share_deviations(scored, kept)) > 3).tolist()
    [False, False, False, False, False, True, False]
    """
    n = np.asarray(n_scored, dtype=np.float64)
    has_scores = n > 0
    if not has_scores.any():
        return np.full(len(n), np.nan)
    typical = n >= LEAST_PICKS
    if typical.sum() < LEAST_MICROGRAPHS:
        typical = has_scores
    angle = np.arcsin(np.sqrt((np.asarray(n_kept, dtype=np.float64) + 0.375) / (n + 0.75)))
    by_chance = 1 / (4 * n + 2)
    median = np.median(angle[typical])
    spread = MAD_TO_SIGMA * float(np.median(np.abs(angle - median)[typical]))
    between = spread**2 - float(np.median(by_chance[typical]))
    between = float(np.clip(between, LEAST_SPREAD**2, MOST_SPREAD**2))
    return np.where(has_scores, (angle - median) / np.sqrt(between + by_chance), np.nan)


def _sentence(
    flag: str,
    what: str,
    median: float,
    names: Sequence[str],
    scored: NDArray[np.intp],
    kept: NDArray[np.intp],
    flags: Sequence[Flag | None],
) -> str:
    flagged = [i for i, f in enumerate(flags) if f == flag]
    flagged.sort(key=lambda i: (-scored[i], names[i]))  # the more picks, the worse
    named = ", ".join(f"{names[i]} ({kept[i]} of {scored[i]} kept)" for i in flagged[:N_NAMED])
    more = f" and {len(flagged) - N_NAMED} more (run.json)" if len(flagged) > N_NAMED else ""
    return (
        f"{len(flagged)} of {len(names)} micrographs {what}, where others keep {percent(median)}: "
        f"{named}{more}. They were pruned like all others: inspect them."
    )


def check_run(n_scored: int, n_kept: int) -> list[str]:
    """Return warnings for a run that keeps nothing, or everything."""
    if n_scored < LEAST_PICKS:
        return []
    if n_kept == 0:
        return [
            f"none of the {n_scored:,} scored picks is kept: no score reaches the threshold. "
            "Does the model fit these micrographs?"
        ]
    if n_kept == n_scored:
        return [f"all {n_scored:,} scored picks are kept: the pruning changed nothing."]
    return []
