"""Are picks and truth in the same frame? Flipped, swapped and scaled ones are noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Points = NDArray[np.float64]
# More tell nothing new; the check stays fast for thousands of micrographs.
MOST_MICROGRAPHS = 20
MOST_PICKS = 5000
# How far the truth is shifted to see what matches by chance, in radii.
SHIFTS = 4.0 * np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [0.7, 0.7], [-0.7, -0.7]])
# Another frame is told of if it explains so much more, beyond chance, of what there is ...
LEAST_GAIN = 0.07
# ... by at least so many standard deviations: a dozen frames are tried.
LEAST_SIGMA = 6.0


@dataclass(frozen=True)
class _Fit:
    """Matches in one frame: picks near a centre, and how many would be by chance."""

    n_matched: int
    n_by_chance: float
    f1: float
    f1_by_chance: float

    @property
    def excess(self) -> float:
        return self.f1 - self.f1_by_chance


def frame_warning(
    pairs: Sequence[tuple[Points, Points]],
    radius_px: float,
    shapes_px: Sequence[tuple[int, int] | None],
) -> str | None:
    """Return a warning if the truth fits far better turned over, swapped or scaled.

    Every frame is judged by the matches beyond those that come by chance, which are counted
    with the truth shifted by some radii: so neither crowded picks nor few of them mislead.

    Parameters
    ----------
    pairs : sequence of ((n, 2) float64, (m, 2) float64)
        Picks and true centres of each micrograph, (y, x).
    radius_px : float
        Largest distance of a match.
    shapes_px : sequence of (ny, nx) or None
        Of each micrograph; where unknown, a flip is found from the coordinates themselves.
    """
    usable = [
        (p, t, s) for (p, t), s in zip(pairs, shapes_px, strict=True) if len(p) and len(t)
    ]
    usable = _some(usable)
    n_picks = sum(len(p) for p, _, _ in usable)
    if not n_picks:
        return None
    given = _fit([(p, t) for p, t, _ in usable], radius_px)
    best_name, best, best_help = "", given, ""
    for name, advice, moved, scale in _frames(usable, radius_px):
        fit = _fit(moved, radius_px * min(1.0, scale))
        if fit.excess > best.excess:
            best_name, best, best_help = name, fit, advice
    sigma = np.sqrt(max(best.n_by_chance, given.n_matched, 1.0))
    if (
        best.excess < given.excess + LEAST_GAIN
        or best.n_matched < max(given.n_matched, best.n_by_chance) + LEAST_SIGMA * sigma
    ):
        return None
    return (
        f"picks and truth seem to be in different frames: {given.n_matched:,} of {n_picks:,} "
        f"picks match as they are, {best.n_matched:,} with the truth {best_name} (chance: "
        f"{best.n_by_chance:,.0f}). {best_help} The figures are those of the files as they are."
    )


def _some(
    usable: list[tuple[Points, Points, tuple[int, int] | None]],
) -> list[tuple[Points, Points, tuple[int, int] | None]]:
    """Return some micrographs, evenly over all, and not too many picks."""
    step = max(1, len(usable) // MOST_MICROGRAPHS)
    chosen, n = [], 0
    for item in usable[::step][:MOST_MICROGRAPHS]:
        chosen.append(item)
        n += len(item[0])
        if n >= MOST_PICKS:
            break
    return chosen


_Frame = tuple[str, str, list[tuple[Points, Points]], float]


def _frames(
    usable: list[tuple[Points, Points, tuple[int, int] | None]], radius_px: float
) -> list[_Frame]:
    """Return name, advice, picks with the truth moved, and scale of every other frame."""
    pairs = [(p, t) for p, t, _ in usable]

    def moved(change: Callable[[Points], Points]) -> list[tuple[Points, Points]]:
        return [(p, change(t)) for p, t in pairs]

    found: list[_Frame] = []
    for axis, name, size in ((0, "turned upside down", "height"), (1, "mirrored", "width")):
        letter = "yx"[axis]
        if all(s is not None for _, _, s in usable):
            ends = [float(s[axis] - 1) for _, _, s in usable if s is not None]
            value = f"{size} - 1 - {letter}"
        else:
            end = _mirror(pairs, axis, radius_px)
            ends, value = [end] * len(pairs), f"{end:.0f} - {letter}"
        found.append(
            (
                f"{name} ({letter} = {value})",
                "One of them counts "
                + ("rows from the other end" if axis == 0 else "columns from the other end")
                + f": turn its {letter} over"
                + (", or see --flip-y of finetune and prune for TIFF." if axis == 0 else "."),
                [(p, _flipped(t, axis, e)) for (p, t), e in zip(pairs, ends, strict=True)],
                1.0,
            )
        )
    found.append(("x and y swapped", "Swap its columns.", moved(lambda t: t[:, ::-1]), 1.0))
    for scale, text in ((2.0, "2"), (4.0, "4"), (0.5, "1/2"), (0.25, "1/4")):
        # between the centres of pixel 0: a pixel of the coarse one is several of the fine one
        found.append(
            (
                f"scaled by {text}",
                "One of them was made on binned micrographs, or its pixel size is another: "
                f"scale the truth by {text} (and choose the radius in pixels of the picks).",
                moved(lambda t, s=scale: (t + 0.5) * s - 0.5),  # type: ignore[misc]
                scale,
            )
        )
    return found


def _flipped(points: Points, axis: int, end: float) -> Points:
    result = points.copy()
    result[:, axis] = end - result[:, axis]
    return result


def _mirror(pairs: list[tuple[Points, Points]], axis: int, radius_px: float) -> float:
    """Return the sum of the coordinates that most of the possible pairs have.

    Mirrored picks lie where the other coordinate agrees and this one adds up to the side.
    """
    sums = []
    for picks, truth in pairs:
        near = np.abs(picks[:, None, 1 - axis] - truth[None, :, 1 - axis]) <= radius_px
        sums.append((picks[:, None, axis] + truth[None, :, axis])[near])
    values = np.sort(np.concatenate(sums))
    if not len(values):
        return 0.0
    # the window of two radii that holds most of them
    stop = np.searchsorted(values, values + 2 * radius_px, side="right")
    first = int(np.argmax(stop - np.arange(len(values))))
    return float(np.median(values[first : stop[first]]))


def _fit(pairs: list[tuple[Points, Points]], radius_px: float) -> _Fit:
    n_picks, n_truth = (sum(len(pair[i]) for pair in pairs) for i in (0, 1))

    def f1(shift: Points) -> tuple[float, int]:
        hits = found = 0
        for picks, truth in pairs:
            hits += _n_within(picks, truth + shift, radius_px)
            found += _n_within(truth + shift, picks, radius_px)
        both = hits / n_picks + found / n_truth
        return (2 * hits / n_picks * found / n_truth / both if both else 0.0), hits

    own, n_matched = f1(np.zeros(2))
    by_chance = [f1(shift * radius_px) for shift in SHIFTS]
    return _Fit(
        n_matched,
        float(np.mean([n for _, n in by_chance])),
        own,
        float(np.mean([f for f, _ in by_chance])),
    )


def _n_within(points: Points, others: Points, radius_px: float) -> int:
    distance, _ = KDTree(others).query(points, distance_upper_bound=radius_px * (1 + 1e-9))
    return int(np.isfinite(distance).sum())
