"""Charts of scores and thresholds: histogram, reliability, curves, intervals; all as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.report.formatting import tick
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
    from napari_pickeroptimizer.trust import Band, Interval, Reliability

UNIT_TICKS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
SCORE_TITLE = "P(particle)"
RUG = 12.0  # height of a row of labels under a histogram
# With a highest bar this many times the median one, counts are drawn on a square-root scale.
MAX_BAR_RATIO = 12.0
# Points of fewer labels (in the median) scatter too much to be joined by a line.
LEAST_TO_JOIN = 10


@dataclass(frozen=True)
class Bars:
    """One group of picks in a histogram.

    Parameters
    ----------
    name : str
        Their name, in the plural.
    kind : str
        Class of the bars, which the style sheet colours.
    scores : (n,) float
        P(particle); NaN is ignored.
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
    """Return a stacked histogram of P(particle), with other groups stacked downwards.

    Parameters
    ----------
    up, down : sequence of Bars
        Groups stacked upwards from the axis, and downwards.
    threshold : float, optional
        Position of a vertical line.
    rugs : sequence of Bars
        Groups with a stroke under the axis for each member.
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
    root = bool(len(filled) and filled.max() > MAX_BAR_RATIO * np.median(filled))
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
        frame.x_axis(UNIT_TICKS, SCORE_TITLE, tick, below=below),
    ]
    if threshold is not None:
        layers.append(frame.vertical(threshold, f"threshold {threshold:.2f}"))
    sizes = "; ".join(f"{np.isfinite(g.scores).sum():,} {g.name}" for g in (*up, *down, *rugs))
    return frame.svg(f"Histogram of P(particle): {sizes}.", *layers)


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
            title = f"{tick(edges[i])}–{tick(edges[i + 1])}: {n[i]:,} {group.name}"
            rectangles.append(
                element("rect", element("title", title), x=left + 0.5, y=min(start, end),
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
        return root_ticks(most, scale) if scale.root else _integers(ticks(0, most, about))

    def write(value: float) -> str:
        return f"{value:,.0f}"

    axis = Frame(frame.x, upper).y_axis(values(upper, highest, 5), "", write)
    if lower is not None:
        axis += Frame(frame.x, lower).y_axis(values(lower, lowest, 3)[1:], "", write)
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
        Bins of predictions, and the share of particles in each.
    n_label : str
        What the bins count, in the plural.
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
        title = (
            f"predicted {measured.mean_predicted[i]:.2f}, observed {measured.observed[i]:.2f} "
            f"({measured.low[i]:.2f}–{measured.high[i]:.2f}), {n:,} {n_label}"
        )
        points.append(element("circle", element("title", title), cx=u, cy=v, r=5.0))
    x, y = measured.mean_predicted[filled], measured.observed[filled]
    layers = [
        frame.y_axis(UNIT_TICKS, "share of particles", tick),
        element("g", *counts, class_="bars count"),
        element("path", class_="diagonal", d=polyline(frame.x([0, 1]), frame.y([0, 1]))),
        *_joined(frame, x, y, measured.counts[filled]),
        element("path", class_="whiskers", d="".join(whiskers)),
        element("g", *points, class_="points"),
        frame.x_axis(UNIT_TICKS, "predicted P(particle)", tick),
    ]
    ece = "" if np.isnan(measured.ece) else f"ECE {measured.ece:.3f}"
    layers.append(element("text", ece, class_="note", x=frame.left + 12, y=frame.top + 18))
    n = int(measured.counts.sum())
    return frame.svg(f"Reliability of P(particle) over {n:,} {n_label}; {ece}.", *layers)


def _joined(
    frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.intp]
) -> list[Markup]:
    """Return the line through the points; none if most points are of few labels."""
    if not len(counts) or np.median(counts) < LEAST_TO_JOIN:
        return []
    return [element("path", class_="line observed", d=polyline(frame.x(x), frame.y(y)))]


@dataclass(frozen=True)
class Curve:
    """One line over thresholds, with or without its 90 % band.

    Parameters
    ----------
    name, kind : str
        Its name, and the class that the style sheet colours.
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
        The first is drawn first, below the others.
    threshold : float, optional
        Position of a vertical line.
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
    layers = [frame.y_axis(UNIT_TICKS, "share", tick), *bands, *lines,
              frame.x_axis(UNIT_TICKS, "threshold on P(particle)", tick)]  # fmt: skip
    description = " and ".join(c.name for c in curves) + " against the threshold"
    if threshold is not None:
        layers.append(frame.vertical(threshold, f"threshold {threshold:.2f}", low=True))
        i = int(np.abs(thresholds - threshold).argmin())
        description += f"; at {threshold:.2f}: " + ", ".join(
            f"{c.name} {c.mean[i]:.2f}" for c in curves if np.isfinite(c.mean[i])
        )
    return frame.svg(description[:1].upper() + description[1:] + ".", *layers)


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
    layers = [frame.y_axis(UNIT_TICKS, titles[1], tick)]
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
    layers.append(frame.x_axis(UNIT_TICKS, titles[0], tick))
    if note:
        layers.append(
            element("text", note, class_="note", x=frame.right - 12, y=frame.bottom - 14,
                    text_anchor="end")
        )  # fmt: skip
    return frame.svg(description, *layers)


def _integers(values: list[float]) -> list[float]:
    """Return the ticks that are whole numbers: there are no half picks."""
    return [v for v in values if v == int(v)]


def expected_and_measured(rows: Sequence[tuple[str, Interval, Interval]]) -> Markup:
    """Return the expected interval of each quantity and, below it, the measured one.

    Parameters
    ----------
    rows : sequence of (name, expected, measured)
        Shares, 0 to 1.
    """
    values = [v for _, *pair in rows for e in pair for v in (e.mean, e.low, e.high)]
    lowest = min((v for v in values if np.isfinite(v)), default=0.0)
    low = max(0.0, np.floor((lowest - 0.02) * 20) / 20)
    height = 76.0 + 62.0 * len(rows)
    frame = Frame(Scale((low, 1.0), (98.0, 504.0)), Scale((0, 1), (height - 58, 14.0)),
                  height=height)  # fmt: skip
    x_ticks = ticks(low, 1.0)
    grid = (
        element("line", class_="grid", x1=u, x2=u, y1=frame.top, y2=frame.bottom)
        for u in frame.x(x_ticks)
    )
    layers = [element("g", *grid, class_="axis")]
    for i, (name, expected, measured) in enumerate(rows):
        y = 44.0 + 62.0 * i
        layers += [
            element("text", name, class_="row-name", x=88.0, y=y, dy="0.35em",
                    text_anchor="end"),
            _interval(frame, expected, y - 11, "expected"),
            _interval(frame, measured, y + 11, "measured"),
        ]  # fmt: skip
    layers.append(frame.x_axis(x_ticks, "share", tick))
    figures = "; ".join(
        f"{name}: expected {e.mean:.3f}, measured {m.mean:.3f}" for name, e, m in rows
    )
    return frame.svg(f"Expected and measured. {figures}.", *layers)


def _interval(frame: Frame, interval: Interval, y: float, kind: str) -> Markup:
    title = f"{kind} {interval.mean:.3f} ({interval.low:.3f}–{interval.high:.3f})"
    u, left, right = frame.x([interval.mean, interval.low, interval.high])
    d = f"M{number(u)} {number(y - 7)}l7 7l-7 7l-7 -7Z"
    marker = (
        element("circle", cx=u, cy=y, r=5.5) if kind == "expected" else element("path", d=d)
    )
    ends = np.isfinite([left, right]).all()
    line = element("line", x1=left, x2=right, y1=y, y2=y) if ends else Markup("")
    return element("g", element("title", title), line, marker, class_=f"estimate {kind}")
