"""The micrographs that are shown, each read once more, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import (
    BoxSettings,
    cut_windows,
    outside,
    render,
    window_side,
    working_image,
)
from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.report.images import (
    Marks,
    draw_marks,
    jpeg_uri,
    reduced,
    to_grey,
)

if TYPE_CHECKING:
    from markupsafe import Markup

    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

# Side of a box in its picture: finer than what the network sees, coarser than most micrographs.
LEAST_PX, BOX_PX = 8, 80
# Grey levels of boxes span the micrograph's median and this many robust standard deviations.
BOX_SIGMA = 3.5
BOX_QUALITY = 80


@dataclass(frozen=True)
class MicrographShown:
    """The pictures of one more micrograph are made, or it could not be read."""

    micrograph: str
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Part of the micrographs that is done, 0..1."""
        return self.n_done / self.n_total


@dataclass(frozen=True)
class Thumbnail:
    """One micrograph, small, with its picks.

    Parameters
    ----------
    uri : Markup
        The image itself.
    marks : Markup
        An SVG to lie over it.
    width, height : int
        Of both, in pixels.
    """

    uri: Markup
    marks: Markup
    width: int
    height: int


@dataclass
class Pictures:
    """What was read for the page.

    Parameters
    ----------
    thumbnails : dict
        By micrograph.
    boxes : dict
        Data URI by position of the pick.
    failures : dict
        Reason by micrograph that could not be read.
    """

    thumbnails: dict[str, Thumbnail] = field(default_factory=dict)
    boxes: dict[int, Markup] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def read_pictures(
    micrographs: Micrographs,
    picks: Picks,
    settings: BoxSettings,
    *,
    thumbnails: Mapping[str, Sequence[Marks]],
    boxes: Mapping[str, NDArray[np.intp]],
) -> Pictures:
    """Read the micrographs that are needed, and make the pictures (see `reading_pictures`)."""
    reading = reading_pictures(
        micrographs, picks, settings, thumbnails=thumbnails, boxes=boxes
    )
    try:
        while True:
            next(reading)
    except StopIteration as stop:
        made: Pictures = stop.value
    return made


def reading_pictures(
    micrographs: Micrographs,
    picks: Picks,
    settings: BoxSettings,
    *,
    thumbnails: Mapping[str, Sequence[Marks]],
    boxes: Mapping[str, NDArray[np.intp]],
) -> Generator[MicrographShown, None, Pictures]:
    """Read the micrographs that are needed, one at a time, and return the pictures.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        All picks.
    settings : BoxSettings
        Diameter and box size; how finely boxes are shown is settled here.
    thumbnails : mapping
        What is to be drawn on each micrograph that is shown, by name.
    boxes : mapping
        Positions of the picks that are shown as boxes, by micrograph.
    """
    coords_yx_px = picks.coords_yx_px()
    made = Pictures()
    names = list(dict.fromkeys([*thumbnails, *boxes]))
    for number, name in enumerate(names):
        try:
            micrograph = micrographs.resolve(name)
            image = micrograph.read()
            if name in thumbnails:
                diameter = settings.diameter_in(micrograph.pixel_size_ang)
                made.thumbnails[name] = make_thumbnail(
                    image, thumbnails[name], diameter, f"k{number}"
                )
            rows = boxes.get(name, np.zeros(0, np.intp))
            made.boxes.update(_boxes(image, rows, coords_yx_px[rows], settings, micrograph))
        except (PickerOptimizerError, OSError) as error:
            made.failures[name] = str(error)
        yield MicrographShown(name, number + 1, len(names))
    return made


def make_thumbnail(
    image: NDArray[np.float32], marks: Sequence[Marks], diameter_px: float, key: str
) -> Thumbnail:
    """Return a (ny, nx) micrograph made small, with picks over it."""
    small = reduced(image)
    ny, nx = small.shape
    shape = (image.shape[0], image.shape[1])
    drawn = draw_marks(marks, shape, (ny, nx), diameter_px, key)
    return Thumbnail(jpeg_uri(to_grey(small)), drawn, nx, ny)


def _boxes(
    image: NDArray[np.float32],
    rows: NDArray[np.intp],
    coords_yx_px: NDArray[np.float64],
    settings: BoxSettings,
    micrograph: Micrograph,
) -> dict[int, Markup]:
    if not len(rows):
        return {}
    inside = ~outside(coords_yx_px, (image.shape[0], image.shape[1]))
    side_px = settings.box_factor * settings.diameter_in(micrograph.pixel_size_ang)
    # no finer than the micrograph is: the browser enlarges as well
    settings = dataclasses.replace(settings, box_px=int(np.clip(side_px, LEAST_PX, BOX_PX)))
    working = working_image(image, settings, micrograph.pixel_size_ang)
    windows = cut_windows(working, coords_yx_px[inside], window_side(settings))
    pixels = render(windows, settings.box_px)[:, 0].numpy()
    grey = np.clip((pixels / BOX_SIGMA + 1) * 127.5, 0, 255).round().astype(np.uint8)
    return {
        int(row): jpeg_uri(box, BOX_QUALITY)
        for row, box in zip(rows[inside], grey, strict=True)
    }
