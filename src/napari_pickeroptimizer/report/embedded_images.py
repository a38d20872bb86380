"""Micrographs and boxes as grey JPEGs inside the page, and picks as SVG drawn over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from napari_pickeroptimizer.report.svg import element

THUMBNAIL_PX = 720
JPEG_QUALITY = 74
# Grey levels beyond these percentiles become black and white.
PERCENTILES = (0.5, 99.5)


def to_grey(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an image as 8-bit grey, its contrast by percentiles; what is not finite is mid-grey.

    Examples
    --------
    >>> to_grey(np.array([[0.0, 5.0], [10.0, np.nan]], np.float32)).tolist()
    [[0, 128], [255, 128]]
    """
    finite = np.isfinite(pixels)
    if not finite.any():
        return np.full(pixels.shape, 128, np.uint8)
    low, high = np.percentile(pixels[finite], PERCENTILES)
    scaled = (np.where(finite, pixels, (low + high) / 2) - low) / max(high - low, 1e-12)
    return np.asarray(np.clip(scaled * 255, 0, 255).round(), np.uint8)


def downsampled(image: NDArray[np.float32], side: int = THUMBNAIL_PX) -> NDArray[np.float32]:
    """Return a (ny, nx) image whose longer side is `side` at most, averaged over areas."""
    ny, nx = image.shape
    scale = min(1.0, side / max(ny, nx))
    size = max(1, round(ny * scale)), max(1, round(nx * scale))
    finite = np.isfinite(image)
    if not finite.all():  # one NaN would make every average with it NaN
        middle = float(np.median(image[finite])) if finite.any() else 0.0
        image = np.where(finite, image, np.float32(middle))
    pixels = torch.from_numpy(np.require(image, np.float32, ("C", "W")))
    averages = functional.interpolate(pixels[None, None], size=size, mode="area")[0, 0]
    return averages.numpy()


def jpeg_uri(grey: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> Markup:
    """Return a (ny, nx) 8-bit image as a data URI."""
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=quality, optimize=True)
    # markup, so that the template need not search the base64 text for characters to escape
    return Markup("data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode())  # noqa: S704


# Centres of picks, (n, 2) in micrograph pixels, by their kind: circles for what counts as
# particles, crosses for what does not, squares for the rest. The first are drawn first.
Marks = Mapping[str, NDArray[np.float64]]
SHAPES = {
    "kept": "circle",
    "hit": "circle",
    "rejected": "cross",
    "false": "cross",
    "missed": "square",
    "unscored": "square",
}


def draw_marks(
    marks: Marks,
    shape_px: tuple[int, int],
    size_px: tuple[int, int],
    diameter_px: float,
    key: str,
) -> Markup:
    """Return an SVG to lay over the picture of a micrograph.

    Parameters
    ----------
    marks : mapping
        Centres by kind, see `Marks`.
    shape_px, size_px : (ny, nx)
        Of the micrograph and of its picture.
    diameter_px : float
        Particle diameter in micrograph pixels, that of the circles.
    key : str
        Prefix that makes the ids of this picture unique on the page.
    """
    ny, nx = size_px
    scale = np.array([ny / shape_px[0], nx / shape_px[1]])
    radius = max(3.0, diameter_px / 2 * float(scale.mean()))
    parts = []
    for kind, coords_yx_px in marks.items():
        if not len(coords_yx_px):
            continue
        # pixel centres: pixel i of the micrograph spans i - 0.5 to i + 0.5
        centres = (coords_yx_px + 0.5) * scale
        outline = _outline(SHAPES[kind], radius)
        d = "".join(f"M{x:.1f} {y:.1f}{outline}" for y, x in centres)
        name = f"{key}-{kind}"
        parts.append(
            element("defs", element("path", id=name, d=d))
            # twice: a dark rim sets the colour off from any grey
            + element("use", href=f"#{name}", class_="rim")
            + element("use", href=f"#{name}", class_=f"mark {kind}")
        )
    return element("svg", *parts, class_="marks", viewBox=f"0 0 {nx} {ny}", aria_hidden="true")


def _outline(shape: str, radius: float) -> str:
    """Return relative path data around the current point."""
    if shape == "circle":
        r, d = f"{radius:.1f}", f"{2 * radius:.1f}"
        return f"m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0"
    arm = max(2.5, 0.55 * radius)
    a, side = f"{arm:.1f}", f"{2 * arm:.1f}"
    if shape == "cross":
        return f"m-{a} -{a}l{side} {side}m0 -{side}l-{side} {side}"
    return f"m-{a} -{a}h{side}v{side}h-{side}z"
