"""Whether picks and truth have the same coordinate frame, or one is flipped, swapped or scaled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

_Points = NDArray[np.float64]
# Picks and true centres of a micrograph, (y, x), and its (ny, nx) where known.
_Compared = tuple[_Points, _Points, tuple[int, int] | None]
# Enough for the check, and fast for thousands of micrographs.
MAX_MICROGRAPHS = 20
MAX_PICKS = 5000
# Shifts of the truth, in radii, after which only chance matches remain.
SHIFTS = 4.0 * np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [0.7, 0.7], [-0.7, -0.7]])
# Another frame is reported if its F1, less that by chance, is higher by this much ...
LEAST_GAIN = 0.07
# ... and its number of matches by so many standard deviations: several frames are tried.
LEAST_SIGMA = 6.0


@dataclass(frozen=True)
class _Fit:
    """Matches in one frame: picks near a true centre, and the number expected by chance."""

    n_matched: int
    n_by_chance: float
    f1: float
    f1_by_chance: float

    @property
    def excess(self) -> float:
        return self.f1 - self.f1_by_chance


def frame_warning(
    micrographs: Sequence[tuple[_Points, _Points]],
    radius_px: float,
    shape_of: Callable[[int], tuple[int, int] | None] = lambda _: None,
) -> str | None:
    """Return a warning if the truth fits far better flipped, swapped or scaled.

    Frames are compared by the F1 beyond chance. Matches by chance are counted with the truth
    shifted by a few radii, so that neither crowded nor few picks are misleading.

    Parameters
    ----------
    micrographs : sequence of ((n, 2) float64, (m, 2) float64)
        Picks and true centres of each micrograph, (y, x).
    radius_px : float
        Largest distance of a match.
    shape_of : callable
        Returns (ny, nx) of a micrograph by its place in `micrographs`, None where it is unknown;
        it is asked for those that are looked at. Without shapes, a flip is detected from the
        coordinates alone.
    """
    compared = [(p, t, i) for i, (p, t) in enumerate(micrographs) if len(p) and len(t)]
    usable = [(p, t, shape_of(i)) for p, t, i in _subset(compared)]
    n_picks = sum(len(p) for p, _, _ in usable)
    if not n_picks:
        return None
    unchanged = _fit([(p, t) for p, t, _ in usable], radius_px)
    best_name, best, best_help = "", unchanged, ""
    for name, advice, moved, scale in _frames(usable, radius_px):
        fit = _fit(moved, radius_px * min(1.0, scale))
        if fit.excess > best.excess:
            best_name, best, best_help = name, fit, advice
    sigma = np.sqrt(max(best.n_by_chance, unchanged.n_matched, 1.0))
    if (
        best.excess < unchanged.excess + LEAST_GAIN
        or best.n_matched < max(unchanged.n_matched, best.n_by_chance) + LEAST_SIGMA * sigma
    ):
        return None
    return (
        f"picks and truth seem to be in different frames: {unchanged.n_matched:,} of {n_picks:,} "
        f"picks match as they are, {best.n_matched:,} with the truth {best_name} (chance: "
        f"{best.n_by_chance:,.0f}). {best_help} The figures are those of the files as they are."
    )


def _subset(usable: list[tuple[_Points, _Points, int]]) -> list[tuple[_Points, _Points, int]]:
    """Return micrographs evenly spread over all, with a limited number of picks."""
    step = max(1, len(usable) // MAX_MICROGRAPHS)
    chosen, n = [], 0
    for item in usable[::step][:MAX_MICROGRAPHS]:
        chosen.append(item)
        n += len(item[0])
        if n >= MAX_PICKS:
            break
    return chosen


_Frame = tuple[str, str, list[tuple[_Points, _Points]], float]


def _frames(usable: list[_Compared], radius_px: float) -> list[_Frame]:
    """Return every other frame: name, advice, picks with the transformed truth, and scale."""
    pairs = [(p, t) for p, t, _ in usable]

    def moved(change: Callable[[_Points], _Points]) -> list[tuple[_Points, _Points]]:
        return [(p, change(t)) for p, t in pairs]

    frames: list[_Frame] = []
    for axis, name, size in ((0, "flipped vertically", "height"), (1, "mirrored", "width")):
        letter = "yx"[axis]
        if all(s is not None for _, _, s in usable):
            ends = [float(s[axis] - 1) for _, _, s in usable if s is not None]
            value = f"{size} - 1 - {letter}"
        else:
            end = _mirror(pairs, axis, radius_px)
            ends, value = [end] * len(pairs), f"{end:.0f} - {letter}"
        frames.append(
            (
                f"{name} ({letter} = {value})",
                "One of them counts "
                + ("rows from the other end" if axis == 0 else "columns from the other end")
                + f": reverse its {letter}"
                + (", or see --flip-y of finetune and prune for TIFF." if axis == 0 else "."),
                [(p, _flipped(t, axis, e)) for (p, t), e in zip(pairs, ends, strict=True)],
                1.0,
            )
        )
    frames.append(("x and y swapped", "Swap its columns.", moved(lambda t: t[:, ::-1]), 1.0))
    for scale, text in ((2.0, "2"), (4.0, "4"), (0.5, "1/2"), (0.25, "1/4")):
        # pixel centres: pixel 0 of the coarse image covers several pixels of the fine one
        frames.append(
            (
                f"scaled by {text}",
                "One of them was made on binned micrographs, or its pixel size is another: "
                f"scale the truth by {text} (and choose the radius in pixels of the picks).",
                moved(lambda t, s=scale: (t + 0.5) * s - 0.5),  # type: ignore[misc]
                scale,
            )
        )
    return frames


def _flipped(points: _Points, axis: int, end: float) -> _Points:
    result = points.copy()
    result[:, axis] = end - result[:, axis]
    return result


def _mirror(pairs: list[tuple[_Points, _Points]], axis: int, radius_px: float) -> float:
    """Return the most frequent sum of the coordinates of a pick and a true centre.

    If the axis is mirrored, true pairs agree in the other coordinate, and their sum in this
    one is constant: the side less one.
    """
    sums = []
    for picks, truth in pairs:
        near = np.abs(picks[:, None, 1 - axis] - truth[None, :, 1 - axis]) <= radius_px
        sums.append((picks[:, None, axis] + truth[None, :, axis])[near])
    values = np.sort(np.concatenate(sums))
    if not len(values):
        return 0.0
    # the densest window of two radii
    stop = np.searchsorted(values, values + 2 * radius_px, side="right")
    first = int(np.argmax(stop - np.arange(len(values))))
    return float(np.median(values[first : stop[first]]))


def _fit(pairs: list[tuple[_Points, _Points]], radius_px: float) -> _Fit:
    n_picks, n_truth = (sum(len(pair[i]) for pair in pairs) for i in (0, 1))

    def f1(shift: _Points) -> tuple[float, int]:
        n_hits = n_found = 0
        for picks, truth in pairs:
            n_hits += _n_within(picks, truth + shift, radius_px)
            n_found += _n_within(truth + shift, picks, radius_px)
        precision, recall = n_hits / n_picks, n_found / n_truth
        total = precision + recall
        return (2 * precision * recall / total if total else 0.0), n_hits

    f1_unshifted, n_matched = f1(np.zeros(2))
    by_chance = [f1(shift * radius_px) for shift in SHIFTS]
    return _Fit(
        n_matched,
        float(np.mean([n for _, n in by_chance])),
        f1_unshifted,
        float(np.mean([f for f, _ in by_chance])),
    )


def _n_within(points: _Points, others: _Points, radius_px: float) -> int:
    distance, _ = KDTree(others).query(points, distance_upper_bound=radius_px * (1 + 1e-9))
    return int(np.isfinite(distance).sum())
