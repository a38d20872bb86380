"""Charts over micrographs, and of what was promised beside what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.report.svg import Frame, Scale, element, number, ticks

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE, TALL = 1080.0, 290.0
MOST_NUMBERED = 40
SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]


def share_by_micrograph(
    names: Sequence[str],
    share: NDArray[np.float64],
    counts: NDArray[np.intp],
    unusual: NDArray[np.bool_],
    links: Mapping[int, str],
) -> Markup:
    """Return the kept share of every micrograph, in the order of the picks.

    Parameters
    ----------
    names : sequence of str
        The micrographs.
    share : (n,) float
        Kept share of their picks; NaN where none was scored.
    counts : (n,) int
        Scored picks.
    unusual : (n,) bool
        Drawn as diamonds, the others as circles.
    links : mapping
        For micrographs that are shown, by position: the number of the picture. It stands
        beside the point and is a link to ``#m<number>``.
    """
    n = len(names)
    frame = Frame(Scale((0.5, n + 0.5), (86.0, WIDE - 18)), Scale((0, 1), (TALL - 58, 18.0)),
                  WIDE, TALL)  # fmt: skip
    good = np.flatnonzero(np.isfinite(share))
    points = []
    radius = 4.5 if n <= 150 else 3.0 if n <= 600 else 2.2
    for i in sorted(map(int, good), key=lambda i: bool(unusual[i])):
        u, v = frame.x.at(i + 1), frame.y.at(share[i])
        told = f"{names[i]}: {share[i]:.0%} of {counts[i]:,} picks kept"
        # a number within a cloud of points could not be read
        shown = bool(unusual[i]) or n <= MOST_NUMBERED
        points.append(_point(u, v, radius, told, bool(unusual[i]), links.get(i), shown))
    layers = [
        frame.y_axis(SHARES, "kept share", lambda v: f"{100 * v:.0f}\N{NO-BREAK SPACE}%")
    ]
    if len(good):
        middle = float(np.median(share[good]))
        y = frame.y.at(middle)
        layers.append(
            element("line", class_="median", x1=frame.left, x2=frame.right, y1=y, y2=y)
        )
    numbers = [v for v in ticks(1, n, 8) if v == int(v)] if n > 1 else [1.0]
    layers += [
        element("g", *points, class_="points"),
        frame.x_axis([1.0, *(v for v in numbers if v > 1)], "micrograph, in the order of the picks",
                     lambda v: f"{v:,.0f}"),
    ]  # fmt: skip
    told = (
        f"Kept share of the picks of {n:,} micrographs"
        + (f"; the median is {np.median(share[good]):.0%}" if len(good) else "")
        + f", {int(unusual.sum()):,} are unusual."
    )
    return element(
        "svg", *layers, class_="chart wide", role="group", aria_label=told,
        viewBox=f"0 0 {number(WIDE)} {number(TALL)}",
    )  # fmt: skip


def _point(
    x: float,
    y: float,
    radius: float,
    told: str,
    unusual: bool,
    link: str | None,
    numbered: bool,
) -> Markup:
    if unusual:
        r = max(radius, 3.4) * 1.35
        shape = (
            f"M{number(x)} {number(y - r)}l{number(r)} {number(r)}l{number(-r)} {number(r)}"
        )
        mark = element(
            "path",
            element("title", told),
            class_="unusual",
            d=f"{shape}l{number(-r)} {number(-r)}Z",
        )
    else:
        mark = element("circle", element("title", told), cx=x, cy=y, r=radius)
    if link is None:
        return mark
    where = {"href": f"#m{link}", "aria_label": f"Picture {link}: {told}"}
    if not numbered:
        return element("a", mark, **where)
    # beside the point, and not beyond the end of the chart
    right = x < WIDE - 60
    label = element(
        "text", link, x=x + (8 if right else -8), y=y, dy="0.35em",
        text_anchor="start" if right else "end",
    )  # fmt: skip
    return element("a", mark, label, **where)


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its interval, where there is one."""

    mean: float
    low: float | None = None
    high: float | None = None


def promised_and_measured(rows: Sequence[tuple[str, Estimate, Estimate]]) -> Markup:
    """Return for each quantity the promised interval and, beneath, the measured value.

    Parameters
    ----------
    rows : sequence of (name, promised, measured)
        Shares, 0 to 1.
    """
    values = [
        v
        for _, *pair in rows
        for e in pair
        for v in (e.mean, e.low, e.high)
        if v is not None and np.isfinite(v)
    ]
    low = max(0.0, np.floor((min(values, default=0.0) - 0.02) * 20) / 20)
    height = 76.0 + 62.0 * len(rows)
    frame = Frame(Scale((low, 1.0), (98.0, 504.0)), Scale((0, 1), (height - 58, 14.0)), 520.0,
                  height)  # fmt: skip
    layers = [
        element("g", *(
            element("line", class_="grid", x1=frame.x.at(v), x2=frame.x.at(v), y1=frame.top,
                    y2=frame.bottom)
            for v in ticks(low, 1.0)
        ), class_="axis")
    ]  # fmt: skip
    for i, (name, forecast, measured) in enumerate(rows):
        y = 44.0 + 62.0 * i
        layers += [
            element("text", name, class_="row-name", x=88.0, y=y, dy="0.35em",
                    text_anchor="end"),
            _whisker(frame, forecast, y - 11, "promised"),
            _whisker(frame, measured, y + 11, "measured"),
        ]  # fmt: skip
    layers.append(frame.x_axis(ticks(low, 1.0), "share", lambda v: f"{v:g}"))
    told = "; ".join(
        f"{name}: promised {p.mean:.3f}, measured {m.mean:.3f}" for name, p, m in rows
    )
    return frame.svg(f"Promised and measured. {told}.", *layers)


def _whisker(frame: Frame, estimate: Estimate, y: float, kind: str) -> Markup:
    parts = []
    ends = ""
    if estimate.low is not None and estimate.high is not None:
        a, b = frame.x.at(estimate.low), frame.x.at(estimate.high)
        parts.append(element("line", x1=a, x2=b, y1=y, y2=y))
        ends = f" ({estimate.low:.3f}–{estimate.high:.3f})"
    u = frame.x.at(estimate.mean)
    if kind == "promised":
        parts.append(element("circle", cx=u, cy=y, r=5.5))
    else:
        d = f"M{number(u)} {number(y - 7)}l7 7l-7 7l-7 -7Z"
        parts.append(element("path", d=d))
    told = element("title", f"{kind} {estimate.mean:.3f}{ends}")
    return element("g", told, *parts, class_=f"estimate {kind}")
