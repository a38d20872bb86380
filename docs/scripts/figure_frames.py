"""Draw docs/images/frames/*.svg: what coordinates count, and four ways to get them wrong.

Run it from the repository: ``python docs/scripts/figure_frames.py``. Needs nothing but Python.
"""

from __future__ import annotations

from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "images" / "frames"
WIDTH, HEIGHT = 340, 240
INK, RIGHT, WRONG = "#1d2733", "#2b83c2", "#d9661f"

# The micrograph of all drawings: 10 x 6 pixels, each of `CELL` units, and its two particles.
LEFT, TOP, CELL, COLUMNS, ROWS = 66, 48, 22, 10, 6
PARTICLES = ((2.0, 1.0), (7.0, 3.0))  # x, y


def at(x: float, y: float) -> tuple[float, float]:
    """Return where the centre of pixel (x, y) is drawn."""
    return LEFT + (x + 0.5) * CELL, TOP + (y + 0.5) * CELL


def text(x: float, y: float, words: str, colour: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def micrograph() -> list[str]:
    """Return the pixels of the micrograph."""
    return [
        f'<rect x="{LEFT + i * CELL}" y="{TOP + j * CELL}" width="{CELL}" height="{CELL}" '
        f'fill="#eef1f4" stroke="#cfd6dd"/>'
        for j in range(ROWS)
        for i in range(COLUMNS)
    ]


def particles() -> list[str]:
    """Return the particles as they lie in the image."""
    return [
        f'<circle cx="{x:g}" cy="{y:g}" r="19" fill="#aeb8c2"/>'
        for x, y in (at(*place) for place in PARTICLES)
    ]


def cross(x: float, y: float, colour: str) -> str:
    x, y = at(x, y)
    return (
        f'<path d="M{x - 6:g} {y:g}H{x + 6:g}M{x:g} {y - 6:g}V{y + 6:g}" stroke="{colour}" '
        f'stroke-width="2.5"/>'
    )


def box(x: float, y: float, colour: str) -> str:
    """Return a box of two pixels' side around (x, y)."""
    x, y = at(x, y)
    return (
        f'<rect x="{x - CELL:g}" y="{y - CELL:g}" width="{2 * CELL}" height="{2 * CELL}" '
        f'fill="none" stroke="{colour}" stroke-width="2"/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float, colour: str = INK) -> str:
    return (
        f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{colour}" stroke-width="1.5" '
        f'marker-end="url(#tip)"/>'
    )


def drawing(title: str, *parts: str) -> str:
    """Return an SVG with a title."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" fill="{INK}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
        f'<text x="14" y="24" font-weight="600" fill="{INK}">{title}</text>',
        *parts,
        "</svg>",
        "",
    ])  # fmt: skip


def convention() -> str:
    x, y = PARTICLES[1]
    end_x, end_y = at(x, y)
    return drawing(
        "What x and y count",
        *micrograph(),
        *particles(),
        arrow(LEFT, TOP - 8, end_x, TOP - 8),
        text(end_x + 8, TOP - 4, "x = 7"),
        arrow(LEFT - 8, TOP, LEFT - 8, end_y),
        text(10, end_y + 4, "y = 3"),
        cross(*PARTICLES[0], RIGHT),
        cross(x, y, RIGHT),
        f'<circle cx="{at(0, 0)[0]:g}" cy="{at(0, 0)[1]:g}" r="3" fill="{INK}"/>',
        text(14, 204, "(0, 0) is the centre of the first pixel of"),
        text(14, 222, "the first row in the file."),
    )


def corner() -> str:
    places = [(x - 1, y - 1) for x, y in PARTICLES]
    return drawing(
        "Corner instead of centre",
        *micrograph(),
        *particles(),
        *(box(x, y, RIGHT) for x, y in PARTICLES),
        *(cross(x, y, WRONG) for x, y in places),
        text(14, 204, "EMAN's .box holds the corner; read as a centre,"),
        text(14, 222, "every pick is half a box up and left."),
    )


def flipped() -> str:
    return drawing(
        "Rows counted from the other end",
        *micrograph(),
        *particles(),
        *(cross(x, ROWS - 1 - y, WRONG) for x, y in PARTICLES),
        text(14, 204, "y is ny − 1 − y: TIFF in RELION and EMAN2;"),
        text(14, 222, "MotionCor2's micrographs and cryoSPARC's."),
    )


def swapped() -> str:
    return drawing(
        "x and y swapped",
        *micrograph(),
        *particles(),
        *(cross(y, min(x, ROWS - 0.6), WRONG) for x, y in PARTICLES),
        text(14, 204, "Arrays are (row, column), files are x, y: some"),
        text(14, 222, "picks even fall outside."),
    )


def binned() -> str:
    return drawing(
        "Picked on a binned copy",
        *micrograph(),
        *particles(),
        *(cross(x / 2 - 0.25, y / 2 - 0.25, WRONG) for x, y in PARTICLES),
        text(14, 204, "Half the size: x and y are halved, and all picks"),
        text(14, 222, "crowd into a quarter of the micrograph."),
    )


def main() -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for draw in (convention, corner, flipped, swapped, binned):
        (OUTPUT / f"{draw.__name__}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
