"""The chart of the kept share of every micrograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from napari_pickeroptimizer.report.formatting import percent
from napari_pickeroptimizer.report.svg import Frame, beside, element, number, ticks

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
    frame = Frame((0.5, n + 0.5), width=WIDE, height=TALL, right=18.0, top=18.0)
    good = np.flatnonzero(np.isfinite(share)).tolist()
    points = []
    radius = 4.5 if n <= 150 else 3.0 if n <= 600 else 2.2
    for i in sorted(good, key=unusual.__getitem__):
        u, v = frame.x.at(i + 1), frame.y.at(share[i])
        title = f"{names[i]}: {percent(share[i])} of {counts[i]:,} picks kept"
        point = _point(u, v, radius, title, unusual=unusual[i])
        picture = numbers.get(i)
        if picture is not None:
            # a number within a cloud of points could not be read
            is_numbered = unusual[i] or n <= MOST_NUMBERED
            # beside the point, and not beyond the end of the chart
            to_left = u >= WIDE - 60
            label = beside(str(picture), u, v, 8, to_left=to_left, dy="0.35em")
            link = {"href": f"#m{picture}", "aria_label": f"Picture {picture}: {title}"}
            point = element("a", point, *([label] if is_numbered else []), **link)
        points.append(point)
    median = float(np.median(share[good])) if len(good) else None
    whole = [v for v in ticks(1, n, 8) if v == int(v) and v > 1]
    layers = [
        frame.y_axis("kept share", SHARES, lambda v: percent(v)),
        Markup("") if median is None else frame.across(frame.y.at(median), "median"),
        element("g", *points, class_="points"),
        frame.x_axis(
            "micrograph, in the order of the picks", [1.0, *whole], lambda v: f"{v:,.0f}"
        ),
    ]
    description = (
        f"Kept share of the picks of {n:,} micrographs"
        + ("" if median is None else f"; the median is {percent(median)}")
        + f", {int(unusual.sum()):,} are unusual."
    )
    return frame.svg(description, *layers, class_="chart wide", role="group")


def _point(x: float, y: float, radius: float, title: str, *, unusual: np.bool_) -> Markup:
    """Return a circle, or a diamond for an unusual micrograph."""
    if not unusual:
        return element("circle", element("title", title), cx=x, cy=y, r=radius)
    r = max(radius, 3.4) * 1.35
    step = number(r)
    d = f"M{number(x)} {number(y - r)}l{step} {step}l-{step} {step}l-{step} -{step}Z"
    return element("path", element("title", title), class_="unusual", d=d)
