"""The chart of the kept share of every micrograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    numbers: Mapping[int, int],
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
    numbers : mapping
        Number of the picture of each micrograph that is shown, by position. It is written
        beside the point and links to ``#m<number>``.
    """
    n = len(names)
    frame = Frame(Scale((0.5, n + 0.5), (86.0, WIDE - 18)), Scale((0, 1), (TALL - 58, 18.0)),
                  WIDE, TALL)  # fmt: skip
    good = np.flatnonzero(np.isfinite(share))
    points = []
    radius = 4.5 if n <= 150 else 3.0 if n <= 600 else 2.2
    for i in sorted(map(int, good), key=lambda i: bool(unusual[i])):
        u, v = frame.x.at(i + 1), frame.y.at(share[i])
        title = f"{names[i]}: {share[i]:.0%} of {counts[i]:,} picks kept"
        # a number within a cloud of points could not be read
        is_numbered = bool(unusual[i]) or n <= MOST_NUMBERED
        points.append(
            _point(u, v, radius, title, bool(unusual[i]), numbers.get(i), is_numbered)
        )
    layers = [
        frame.y_axis(SHARES, "kept share", lambda v: f"{100 * v:.0f}\N{NO-BREAK SPACE}%")
    ]
    if len(good):
        middle = float(np.median(share[good]))
        y = frame.y.at(middle)
        layers.append(
            element("line", class_="median", x1=frame.left, x2=frame.right, y1=y, y2=y)
        )
    x_ticks = [v for v in ticks(1, n, 8) if v == int(v)] if n > 1 else [1.0]
    layers += [
        element("g", *points, class_="points"),
        frame.x_axis([1.0, *(v for v in x_ticks if v > 1)], "micrograph, in the order of the picks",
                     lambda v: f"{v:,.0f}"),
    ]  # fmt: skip
    description = (
        f"Kept share of the picks of {n:,} micrographs"
        + (f"; the median is {np.median(share[good]):.0%}" if len(good) else "")
        + f", {int(unusual.sum()):,} are unusual."
    )
    return element(
        "svg", *layers, class_="chart wide", role="group", aria_label=description,
        viewBox=f"0 0 {number(WIDE)} {number(TALL)}",
    )  # fmt: skip


def _point(
    x: float,
    y: float,
    radius: float,
    title: str,
    unusual: bool,
    picture: int | None,
    is_numbered: bool,
) -> Markup:
    if unusual:
        r = max(radius, 3.4) * 1.35
        shape = (
            f"M{number(x)} {number(y - r)}l{number(r)} {number(r)}l{number(-r)} {number(r)}"
        )
        mark = element(
            "path",
            element("title", title),
            class_="unusual",
            d=f"{shape}l{number(-r)} {number(-r)}Z",
        )
    else:
        mark = element("circle", element("title", title), cx=x, cy=y, r=radius)
    if picture is None:
        return mark
    link = {"href": f"#m{picture}", "aria_label": f"Picture {picture}: {title}"}
    if not is_numbered:
        return element("a", mark, **link)
    # beside the point, and not beyond the end of the chart
    right = x < WIDE - 60
    label = element(
        "text", str(picture), x=x + (8 if right else -8), y=y, dy="0.35em",
        text_anchor="start" if right else "end",
    )  # fmt: skip
    return element("a", mark, label, **link)
