"""Charts of scores and thresholds: histogram, reliability, curves, intervals; all as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.report.svg import (
    BOTTOM,
    Frame,
    Scale,
    area,
    beside,
    element,
    number,
    root_ticks,
    short,
    ticks,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust import Band, Interval, Reliability

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
    # what hangs below the axis is drawn as negative counts, and written without the sign
    frame = Frame(y_values=(-1.04 * lowest, 1.04 * highest), bottom=BOTTOM + below, root=root)
    counts_written = [
        *_count_ticks(frame.y, highest, 5),
        *(-v for v in _count_ticks(frame.y, lowest, 3)[1:]),
    ]
    layers = [
        frame.y_axis(
            "picks (square-root scale)" if root else "picks",
            counts_written,
            lambda v: f"{abs(v):,.0f}",
        ),
        *_bars(up, counts_up, edges, frame, 1),
        *_bars(down, counts_down, edges, frame, -1),
        frame.across(frame.y.at(0), "base"),
        *(_rug(group, frame, 4 + i * RUG) for i, group in enumerate(rugs)),
        frame.x_axis("P(particle)"),
    ]
    if threshold is not None:
        layers.append(frame.vertical(threshold, f"threshold {threshold:.2f}"))
    sizes = "; ".join(f"{np.isfinite(g.scores).sum():,} {g.name}" for g in (*up, *down, *rugs))
    return frame.svg(f"Histogram of P(particle): {sizes}.", *layers)


def _count_ticks(y: Scale, most: int, about: int) -> list[float]:
    """Return 0 and round numbers of picks up to `most`; there are no half picks."""
    return root_ticks(most, y) if y.root else [v for v in ticks(0, most, about) if v == int(v)]


def _bars(
    groups: Sequence[Bars],
    counts: Sequence[NDArray[np.intp]],
    edges: NDArray[np.float64],
    frame: Frame,
    sign: int,
) -> list[Markup]:
    """Return the bars of groups, stacked from zero upwards (1) or downwards (-1)."""
    drawn = []
    x = frame.x(edges)
    under = np.zeros(len(edges) - 1, dtype=int)
    for group, n in zip(groups, counts, strict=True):
        ends = frame.y([sign * under, sign * (under + n)])
        rectangles = []
        for i in np.flatnonzero(n):
            title = f"{short(edges[i])}–{short(edges[i + 1])}: {n[i]:,} {group.name}"
            rectangles.append(
                element("rect", element("title", title), x=x[i] + 0.5, y=ends[:, i].min(),
                        width=x[i + 1] - x[i] - 1, height=np.ptp(ends[:, i]))
            )  # fmt: skip
        drawn.append(element("g", *rectangles, class_=f"bars {group.kind}"))
        under = under + n
    return drawn


def _rug(group: Bars, frame: Frame, below: float) -> Markup:
    y = frame.y.units[0] + below
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
    frame = Frame()
    (left, _), (bottom, top) = frame.x.units, frame.y.units
    filled = measured.counts > 0
    n, x, y = (
        measured.counts[filled],
        measured.mean_predicted[filled],
        measured.observed[filled],
    )
    low, high = measured.low[filled], measured.high[filled]
    starts, ends = frame.x(measured.edges[:-1][filled]), frame.x(measured.edges[1:][filled])
    heights = 0.16 * (bottom - top) * n / max(1, measured.counts.max())
    counts = [
        element("rect", x=start + 1, y=bottom - height, width=end - start - 2, height=height)
        for start, end, height in zip(starts, ends, heights, strict=True)
    ]
    positions = np.stack([frame.x(x), frame.y(y), frame.y(low), frame.y(high)], axis=1)
    whiskers = "".join(f"M{number(u)} {number(v)}V{number(w)}" for u, _, v, w in positions)
    titles = (
        f"predicted {x[i]:.2f}, observed {y[i]:.2f} ({low[i]:.2f}–{high[i]:.2f}), {n[i]:,} "
        f"{n_label}"
        for i in range(len(n))
    )
    points = [
        element("circle", element("title", title), cx=u, cy=v, r=5.0)
        for title, (u, v, _, _) in zip(titles, positions, strict=True)
    ]
    is_joined = len(n) and np.median(n) >= LEAST_TO_JOIN
    ece = "" if np.isnan(measured.ece) else f"ECE {measured.ece:.3f}"
    layers = [
        frame.y_axis("share of particles"),
        element("g", *counts, class_="bars count"),
        frame.line([0, 1], [0, 1], "diagonal"),
        *([frame.line(x, y, "line observed")] if is_joined else []),
        element("path", class_="whiskers", d=whiskers),
        element("g", *points, class_="points"),
        frame.x_axis("predicted P(particle)"),
        element("text", ece, class_="note", x=left + 12, y=top + 18),
    ]
    return frame.svg(f"Reliability of P(particle) over {n.sum():,} {n_label}; {ece}.", *layers)


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
    frame = Frame()
    bands = [
        element(
            "path", class_=f"band {curve.kind}",
            d=area(frame.x(thresholds), frame.y(curve.low), frame.y(curve.high)),
        )
        for curve in curves
        if curve.low is not None and curve.high is not None
    ]  # fmt: skip
    lines = [
        frame.line(thresholds, c.mean, f"line {c.kind}", element("title", c.name))
        for c in curves
    ]
    layers = [
        frame.y_axis("share"), *bands, *lines, frame.x_axis("threshold on P(particle)")
    ]  # fmt: skip
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
    frame = Frame()
    layers = [frame.y_axis(titles[1])]
    if diagonal:
        layers.append(frame.line([0, 1], [0, 1], "diagonal"))
    layers.append(frame.line(x, y, "line precision"))
    if at is not None and np.isfinite(at).all():
        u, v = frame.x.at(at[0]), frame.y.at(at[1])
        label = beside(at_label, u, v + 22, 12, to_left=u > frame.x.middle)
        layers.append(
            element("g", element("circle", cx=u, cy=v, r=5.5), label, class_="chosen")
        )
    layers.append(frame.x_axis(titles[0]))
    if note:
        right, bottom = frame.x.units[1], frame.y.units[0]
        layers.append(beside(note, right, bottom - 14, 12, to_left=True, class_="note"))
    return frame.svg(description, *layers)


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
    frame = Frame(x_values=(low, 1.0), height=height, left=98.0, top=14.0)
    bottom, top = frame.y.units
    grid = (
        element("line", class_="grid", x1=u, x2=u, y1=top, y2=bottom)
        for u in frame.x(ticks(low, 1.0))
    )
    layers = [element("g", *grid, class_="axis")]
    for i, (name, expected, measured) in enumerate(rows):
        y = 44.0 + 62.0 * i
        layers += [
            beside(name, 98.0, y, 10, to_left=True, class_="row-name", dy="0.35em"),
            _interval(frame, expected, y - 11, "expected"),
            _interval(frame, measured, y + 11, "measured"),
        ]
    layers.append(frame.x_axis("share"))
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
