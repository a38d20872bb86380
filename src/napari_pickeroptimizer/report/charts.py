"""The charts of the scores: histograms, reliability, curves. Numbers in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.report.svg import (
    Frame,
    Scale,
    area,
    element,
    number,
    plot_frame,
    polyline,
    root_ticks,
    ticks,
)

if TYPE_CHECKING:
    from markupsafe import Markup

    from napari_pickeroptimizer.trust import Band, Reliability

UNIT_TICKS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
SCORE_TITLE = "P(particle)"
RUG = 12.0  # height of a row of labels under a histogram
# A highest bar this many times the median one would leave nothing to see of the others.
TOWERING = 12.0
LEAST_TO_JOIN = 10


@dataclass(frozen=True)
class Bars:
    """One group of picks in a histogram.

    Parameters
    ----------
    name : str
        What they are, in the plural.
    kind : str
        Class of the bars, which the style sheet colours.
    scores : (n,) float
        P(particle); NaN is left out.
    """

    name: str
    kind: str
    scores: NDArray[np.float64]


def score_histogram(
    up: Sequence[Bars],
    down: Sequence[Bars] = (),
    *,
    threshold: float | None = None,
    rugs: Sequence[Bars] = (),
    n_bins: int = 40,
) -> Markup:
    """Return a histogram of P(particle): bars on each other, and others that hang below.

    Parameters
    ----------
    up, down : sequence of Bars
        Groups stacked upwards from the axis, and downwards.
    threshold : float, optional
        Where a line is drawn.
    rugs : sequence of Bars
        Groups of which each member is drawn as a stroke under the axis.
    n_bins : int
        Bins from 0 to 1.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    counts_up, counts_down = (
        [np.histogram(g.scores[np.isfinite(g.scores)], edges)[0] for g in groups]
        for groups in (up, down)
    )
    above, hanging = (sum(n, np.zeros(n_bins, int)) for n in (counts_up, counts_down))
    highest, lowest = max(1, int(above.max())), int(hanging.max())
    filled = (above + hanging)[above + hanging > 0]
    root = bool(len(filled) and filled.max() > TOWERING * np.median(filled))
    below = RUG * len(rugs) + (6 if rugs else 0)
    frame = plot_frame(below=below)
    base, upper, lower = _two_sided(frame, highest, lowest, root)
    bars = [
        _bars(groups, counts, edges, frame.x, scale)
        for groups, counts, scale in ((up, counts_up, upper), (down, counts_down, lower))
    ]
    title = "picks (square-root scale)" if root else "picks"
    layers = [
        _count_axis(frame, upper, lower if lowest else None, highest, lowest, title),
        *(bar for side in bars for bar in side),
        element("line", class_="base", x1=frame.left, x2=frame.right, y1=base, y2=base),
        *(_rug(group, frame, 4 + i * RUG) for i, group in enumerate(rugs)),
        frame.x_axis(UNIT_TICKS, SCORE_TITLE, _short, below=below),
    ]
    if threshold is not None:
        layers.append(frame.vertical(threshold, f"threshold {threshold:.2f}"))
    told = "; ".join(f"{np.isfinite(g.scores).sum():,} {g.name}" for g in (*up, *down, *rugs))
    return frame.svg(f"Histogram of P(particle): {told}.", *layers)


def _two_sided(
    frame: Frame, highest: int, lowest: int, root: bool
) -> tuple[float, Scale, Scale]:
    """Return where zero lies and the scales of the bars above and below it."""
    ends = 1.04 * highest, 1.04 * lowest
    head, foot = (float(np.sqrt(end)) if root else end for end in ends)
    base = frame.bottom + (frame.top - frame.bottom) * foot / (head + foot)
    upper = Scale((0.0, ends[0]), (base, frame.top), root)
    lower = Scale((0.0, max(ends[1], 1.0)), (base, frame.bottom), root)
    return base, upper, lower


def _bars(
    groups: Sequence[Bars],
    counts: Sequence[NDArray[np.intp]],
    edges: NDArray[np.float64],
    x: Scale,
    y: Scale,
) -> list[Markup]:
    drawn = []
    under = np.zeros(len(edges) - 1, dtype=int)
    for group, n in zip(groups, counts, strict=True):
        rectangles = []
        for i in np.flatnonzero(n):
            start, end = y.at(under[i]), y.at(under[i] + n[i])
            left, right = x.at(edges[i]), x.at(edges[i + 1])
            told = f"{_short(edges[i])}–{_short(edges[i + 1])}: {n[i]:,} {group.name}"
            rectangles.append(
                element("rect", element("title", told), x=left + 0.5, y=min(start, end),
                        width=right - left - 1, height=abs(end - start))
            )  # fmt: skip
        drawn.append(element("g", *rectangles, class_=f"bars {group.kind}"))
        under = under + n
    return drawn


def _count_axis(
    frame: Frame, upper: Scale, lower: Scale | None, highest: int, lowest: int, title: str
) -> Markup:
    """Return the axis of counts, which are positive on both sides of zero."""

    def values(scale: Scale, most: int, about: int) -> list[float]:
        return root_ticks(most, scale) if scale.root else _whole(ticks(0, most, about))

    axis = Frame(frame.x, upper).y_axis(values(upper, highest, 5), "", _count)
    if lower is not None:
        axis += Frame(frame.x, lower).y_axis(values(lower, lowest, 3)[1:], "", _count)
    middle = (frame.top + frame.bottom) / 2
    caption = element(
        "text", title, class_="axis-title", text_anchor="middle",
        transform=f"translate(14 {number(middle)}) rotate(-90)",
    )  # fmt: skip
    return axis + caption


def _rug(group: Bars, frame: Frame, below: float) -> Markup:
    y = frame.bottom + below
    units = frame.x(np.sort(group.scores[np.isfinite(group.scores)]))
    strokes = "".join(f"M{number(u)} {number(y)}v{number(RUG - 3)}" for u in units)
    return element("path", class_=f"rug {group.kind}", d=strokes)


def reliability_diagram(measured: Reliability, n_label: str = "labels") -> Markup:
    """Return predicted against observed shares of particles with their 90 % intervals.

    Parameters
    ----------
    measured : Reliability
        Bins of predictions and what was found in them.
    n_label : str
        What was counted, in the plural.
    """
    frame = plot_frame()
    filled = np.flatnonzero(measured.counts > 0)
    most = max(1, int(measured.counts.max()))
    room = 0.16 * (frame.bottom - frame.top)
    counts, points, whiskers = [], [], []
    for i in filled:
        n = int(measured.counts[i])
        left, right = frame.x.at(measured.edges[i]), frame.x.at(measured.edges[i + 1])
        height = room * n / most
        counts.append(
            element("rect", x=left + 1, y=frame.bottom - height, width=right - left - 2,
                    height=height)
        )  # fmt: skip
        u, v = frame.x.at(measured.mean_predicted[i]), frame.y.at(measured.observed[i])
        low, high = frame.y.at(measured.low[i]), frame.y.at(measured.high[i])
        whiskers.append(f"M{number(u)} {number(low)}V{number(high)}")
        told = (
            f"predicted {measured.mean_predicted[i]:.2f}, observed {measured.observed[i]:.2f} "
            f"({measured.low[i]:.2f}–{measured.high[i]:.2f}), {n:,} {n_label}"
        )
        points.append(element("circle", element("title", told), cx=u, cy=v, r=5.0))
    x, y = measured.mean_predicted[filled], measured.observed[filled]
    layers = [
        frame.y_axis(UNIT_TICKS, "share of particles", _short),
        element("g", *counts, class_="bars count"),
        element("path", class_="diagonal", d=polyline(frame.x([0, 1]), frame.y([0, 1]))),
        *_joined(frame, x, y, measured.counts[filled]),
        element("path", class_="whiskers", d="".join(whiskers)),
        element("g", *points, class_="points"),
        frame.x_axis(UNIT_TICKS, "predicted P(particle)", _short),
    ]
    ece = "" if np.isnan(measured.ece) else f"ECE {measured.ece:.3f}"
    layers.append(element("text", ece, class_="note", x=frame.left + 12, y=frame.top + 18))
    told = f"Reliability of P(particle) over {int(measured.counts.sum()):,} {n_label}; {ece}."
    return frame.svg(told, *layers)


def _joined(
    frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.intp]
) -> list[Markup]:
    """Join points only where most of them are of enough labels to make a line of."""
    if not len(counts) or np.median(counts) < LEAST_TO_JOIN:
        return []
    return [element("path", class_="line observed", d=polyline(frame.x(x), frame.y(y)))]


@dataclass(frozen=True)
class Curve:
    """One line over thresholds, with or without its 90 % band.

    Parameters
    ----------
    name, kind : str
        What it is, and the class that the style sheet colours.
    mean : (m,) float
        The line.
    low, high : (m,) float, optional
        The band.
    """

    name: str
    kind: str
    mean: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, name: str, kind: str, band: Band) -> Curve:
        """Make a curve of a band."""
        return cls(name, kind, band.mean, band.low, band.high)


def threshold_curves(
    thresholds: NDArray[np.float64], curves: Sequence[Curve], threshold: float | None = None
) -> Markup:
    """Return shares (0 to 1) against the threshold.

    Parameters
    ----------
    thresholds : (m,) float
        Ascending.
    curves : sequence of Curve
        What is drawn, the first at the bottom.
    threshold : float, optional
        Where a line is drawn.
    """
    frame = plot_frame()
    x = frame.x(thresholds)
    bands, lines = [], []
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            outline = area(x, frame.y(curve.low), frame.y(curve.high))
            bands.append(element("path", class_=f"band {curve.kind}", d=outline))
        lines.append(
            element("path", element("title", curve.name), class_=f"line {curve.kind}",
                    d=polyline(x, frame.y(curve.mean)))
        )  # fmt: skip
    layers = [frame.y_axis(UNIT_TICKS, "share", _short), *bands, *lines,
              frame.x_axis(UNIT_TICKS, "threshold on P(particle)", _short)]  # fmt: skip
    told = " and ".join(c.name for c in curves) + " against the threshold"
    if threshold is not None:
        layers.append(frame.vertical(threshold, f"threshold {threshold:.2f}", low=True))
        i = int(np.abs(thresholds - threshold).argmin())
        told += f"; at {threshold:.2f}: " + ", ".join(
            f"{c.name} {c.mean[i]:.2f}" for c in curves if np.isfinite(c.mean[i])
        )
    return frame.svg(told[:1].upper() + told[1:] + ".", *layers)


def plane_curve(
    x: ArrayLike,
    y: ArrayLike,
    titles: tuple[str, str],
    description: str,
    *,
    at: tuple[float, float] | None = None,
    at_label: str = "",
    note: str = "",
    diagonal: bool = False,
) -> Markup:
    """Return one share against another (ROC, precision against recall), and a point on it."""
    frame = plot_frame()
    layers = [frame.y_axis(UNIT_TICKS, titles[1], _short)]
    if diagonal:
        layers.append(
            element("path", class_="diagonal", d=polyline(frame.x([0, 1]), frame.y([0, 1])))
        )
    layers.append(element("path", class_="line precision", d=polyline(frame.x(x), frame.y(y))))
    if at is not None and np.isfinite(at).all():
        u, v = frame.x.at(at[0]), frame.y.at(at[1])
        left = u > (frame.left + frame.right) / 2
        layers.append(
            element(
                "g", element("circle", cx=u, cy=v, r=5.5),
                element("text", at_label, x=u + (-12 if left else 12), y=v + 22,
                        text_anchor="end" if left else "start"),
                class_="chosen",
            )
        )  # fmt: skip
    layers.append(frame.x_axis(UNIT_TICKS, titles[0], _short))
    if note:
        layers.append(
            element("text", note, class_="note", x=frame.right - 12, y=frame.bottom - 14,
                    text_anchor="end")
        )  # fmt: skip
    return frame.svg(description, *layers)


def _short(value: float) -> str:
    """Return 0.2 for 0.2, 0 for 0.0."""
    return f"{value:g}" if abs(value - round(value, 3)) < 1e-9 else f"{value:.3f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _whole(values: list[float]) -> list[float]:
    """Leave out halves of picks."""
    return [v for v in values if v == int(v)]
