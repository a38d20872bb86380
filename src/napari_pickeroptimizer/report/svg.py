"""SVG elements, scales, ticks and axes.

Elements have classes instead of colours; the page's style sheet colours them for the light, the
dark and the printed page, which matplotlib's SVG files, with their fixed colours, do not allow.
All text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

# User units; on the page a chart is about this many CSS pixels wide.
WIDTH, HEIGHT = 520.0, 330.0
# Margins for ticks and titles, also with the larger text on a phone.
LEFT, RIGHT, TOP, BOTTOM = 86.0, 16.0, 16.0, 58.0
TICK = 5.0


def number(value: float) -> str:
    """Return a length with at most two decimals, as short as it can be.

    Examples
    --------
    >>> number(3.0), number(2.456), number(-0.001)
    ('3', '2.46', '0')
    """
    return f"{value:z.2f}".rstrip("0").rstrip(".")


def short(value: float) -> str:
    """Return a value with at most three digits: 0.2 for 0.2, and 0 for 0.0."""
    return f"{value:.3g}"


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return one element; children and values are escaped unless they are markup.

    An underscore in an attribute's name stands for a hyphen, one at its end is dropped
    (``class_``), and attributes that are None are left out.

    Examples
    --------
    >>> element("text", "a < b", class_="tick", x=1.5)
    Markup('<text class="tick" x="1.5">a &lt; b</text>')
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(children)
    # Markup() below: every part has been escaped above, or was markup already
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704


def _text(value: object) -> str:
    return number(float(value)) if isinstance(value, float | np.floating) else str(value)


def polyline(x: ArrayLike, y: ArrayLike) -> str:
    """Return the path data of a line through points, with a gap at each that is not finite."""
    segments: list[str] = []
    pen_down = False
    for a, b in zip(np.asarray(x, float), np.asarray(y, float), strict=True):
        if math.isfinite(a) and math.isfinite(b):
            segments.append(f"{'L' if pen_down else 'M'}{number(a)} {number(b)}")
            pen_down = True
        else:
            pen_down = False
    return "".join(segments)


def area(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> str:
    """Return the path data of the area between two lines, where both are finite."""
    xs, ls, hs = (np.asarray(v, float) for v in (x, low, high))
    good = np.isfinite(xs + ls + hs)
    if good.sum() < 2:
        return ""
    xs, ls, hs = xs[good], ls[good], hs[good]
    outline = zip([*xs, *xs[::-1]], [*hs, *ls[::-1]], strict=True)
    return "M" + "L".join(f"{number(a)} {number(b)}" for a, b in outline) + "Z"


@dataclass(frozen=True)
class Scale:
    """A map from values to user units, linear or square-root.

    Parameters
    ----------
    values : tuple of float
        The ends of the values' range.
    units : tuple of float
        Their positions.
    root : bool
        Whether the scale is that of the square root, which shows small counts beside large
        ones; on both sides of zero.
    """

    values: tuple[float, float]
    units: tuple[float, float]
    root: bool = False

    def __call__(self, value: ArrayLike) -> NDArray[np.float64]:
        """Return the positions of values."""
        low, high = self._transformed(np.asarray(self.values, float))
        start, end = self.units
        part = (self._transformed(np.asarray(value, float)) - low) / ((high - low) or 1.0)
        return np.asarray(start + part * (end - start))

    def at(self, value: float) -> float:
        """Return the position of one value."""
        return float(self(value))

    @property
    def middle(self) -> float:
        """The position halfway between the ends."""
        return sum(self.units) / 2

    def _transformed(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sign(value) * np.sqrt(np.abs(value)) if self.root else value


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values from `low` to `high`, steps of 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> ticks(0, 1), ticks(0, 130, 4)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 50.0, 100.0])
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * m for m in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def root_ticks(high: float, scale: Scale, apart: float = 34.0) -> list[float]:
    """Return 0 and round values up to `high` that lie `apart` units from each other."""
    powers = [10.0**k for k in range(int(math.log10(max(high, 1))) + 1)]
    round_values = [m * p for p in powers for m in (1, 2, 5) if m * p <= high]
    chosen: list[float] = []
    for value in reversed(round_values):
        near = [*chosen, 0.0]
        if all(abs(scale.at(value) - scale.at(other)) >= apart for other in near):
            chosen.append(value)
    return [0.0, *reversed(chosen)]


@dataclass(frozen=True)
class Frame:
    """The plot area of a chart and its two scales.

    Parameters
    ----------
    x_values, y_values : tuple of float
        The ends of the scales, by default those of a share.
    width, height : float
        Of the whole chart.
    left, right, top, bottom : float
        Margins around the plot. The horizontal axis lies where the usual lower margin begins:
        a wider one leaves room between plot and axis.
    root : bool
        Whether y is on a square-root scale.
    """

    x_values: tuple[float, float] = (0.0, 1.0)
    y_values: tuple[float, float] = (0.0, 1.0)
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM
    root: bool = False

    @property
    def x(self) -> Scale:
        """The horizontal scale; its units are the left and the right end of the plot."""
        return Scale(self.x_values, (self.left, self.width - self.right))

    @property
    def y(self) -> Scale:
        """The vertical scale; its units are the lower and the upper end of the plot."""
        return Scale(self.y_values, (self.height - self.bottom, self.top), self.root)

    def across(self, y: float, class_: str | None = None) -> Markup:
        """Return a horizontal line through the plot, `y` in user units."""
        left, right = self.x.units
        return element("line", class_=class_, x1=left, x2=right, y1=y, y2=y)

    def line(self, x: ArrayLike, y: ArrayLike, class_: str, *children: str) -> Markup:
        """Return the line through points, which are values of the two scales."""
        d = polyline(self.x(x), self.y(y))
        return element("path", *children, class_=class_, d=d)

    def x_axis(
        self,
        title: str,
        values: Iterable[float] | None = None,
        write: Callable[[float], str] = short,
    ) -> Markup:
        """Return the horizontal axis, by default with ticks at round values."""
        y = self.height - BOTTOM
        marks = [
            element("line", x1=u, x2=u, y1=y, y2=y + TICK)
            + element("text", write(v), class_="tick", x=u, y=y + 22.0, text_anchor="middle")
            for v, u in ((v, self.x.at(v)) for v in values or ticks(*self.x_values))
        ]
        caption = element(
            "text", title, class_="axis-title", x=self.x.middle, y=y + 46.0,
            text_anchor="middle",
        )  # fmt: skip
        return element("g", self.across(y), *marks, caption, class_="axis")

    def y_axis(
        self,
        title: str,
        values: Iterable[float] | None = None,
        write: Callable[[float], str] = short,
    ) -> Markup:
        """Return the vertical axis: lines across the plot, values and a title on the left.

        By default the values are round ones.
        """
        marks = [
            self.across(u, "grid")
            + element("text", write(v), class_="tick", x=self.left - 8, y=u, dy="0.35em",
                      text_anchor="end")
            for v, u in ((v, self.y.at(v)) for v in values or ticks(*self.y_values))
        ]  # fmt: skip
        caption = element(
            "text", title, class_="axis-title", text_anchor="middle",
            transform=f"translate(14 {number(self.y.middle)}) rotate(-90)",
        )  # fmt: skip
        return element("g", *marks, caption, class_="axis")

    def vertical(self, value: float, label: str, *, low: bool = False) -> Markup:
        """Return a line down the plot with a label beside its upper (or lower) end."""
        u, (bottom, top) = self.x.at(value), self.y.units
        return element(
            "g",
            element("line", x1=u, x2=u, y1=top - 6, y2=bottom),
            beside(label, u, bottom - 12 if low else top + 6, 7, to_left=u > self.x.middle),
            class_="threshold",
        )

    def svg(
        self,
        description: str,
        *layers: Markup,
        class_: str = "chart",
        role: str = "img",
    ) -> Markup:
        """Return the whole chart; `description` is its text for screen readers."""
        return element(
            "svg", *layers, class_=class_, role=role, aria_label=description,
            viewBox=f"0 0 {number(self.width)} {number(self.height)}",
        )  # fmt: skip


def beside(
    words: str, x: float, y: float, gap: float, *, to_left: bool, **attributes: object
) -> Markup:
    """Return a text that ends or begins `gap` units beside a point."""
    return element(
        "text", words, x=x - gap if to_left else x + gap, y=y,
        text_anchor="end" if to_left else "start", **attributes,
    )  # fmt: skip
