"""Pictures of a report: the micrographs it shows and boxes of picks, cut from one more reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRead,
    MicrographRows,
    read_micrographs,
)
from napari_pickeroptimizer.report.embedded_images import (
    Marks,
    downsampled,
    draw_marks,
    jpeg_uri,
    to_grey,
)
from napari_pickeroptimizer.report.formatting import base_name
from napari_pickeroptimizer.report.grey_boxes import grey_boxes

if TYPE_CHECKING:
    from markupsafe import Markup

    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.report.highlights import PickSelection

BOX_QUALITY = 80


@dataclass(frozen=True)
class MicrographPicture:
    """One micrograph, small, with its picks.

    Parameters
    ----------
    uri : Markup
        The image as a data URI.
    marks : Markup
        An SVG to lay over it.
    width, height : int
        Of both, in pixels.
    """

    uri: Markup
    marks: Markup
    width: int
    height: int


@dataclass(frozen=True)
class ShownMicrograph:
    """A micrograph with its picture.

    Parameters
    ----------
    number : int
        Its number on the page, which table, chart and picture share.
    name : str
        Its name as the picks spell it.
    caption : str
        Its counts or figures.
    picture : MicrographPicture or None
        None where it could not be read.
    reason : str
        Why not.
    """

    number: int
    name: str
    caption: str
    picture: MicrographPicture | None
    reason: str = ""


@dataclass(frozen=True)
class ShownBox:
    """A box in a gallery; `kind` is ``kept`` or ``rejected``."""

    uri: Markup
    p_particle: float
    kind: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Boxes under a heading, and how many more could not be read."""

    title: str
    caption: str
    boxes: list[ShownBox]
    n_missing: int


@dataclass
class Pictures:
    """What was read for the page.

    Parameters
    ----------
    micrograph_pictures : dict
        By micrograph.
    boxes : dict
        Data URI by position of the pick.
    failures : dict
        Reason by micrograph that could not be read.
    """

    micrograph_pictures: dict[str, MicrographPicture] = field(default_factory=dict)
    boxes: dict[int, Markup] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def micrographs(
        self, numbers: Mapping[int, int], names: Sequence[str], captions: Mapping[int, str]
    ) -> list[ShownMicrograph]:
        """Return the micrographs to show; numbers and captions are by position in `names`."""
        return [
            ShownMicrograph(
                number, names[i], captions[i], self.micrograph_pictures.get(names[i]),
                self.failures.get(names[i], ""),
            )
            for i, number in numbers.items()
        ]  # fmt: skip

    def galleries(
        self, selections: Iterable[PickSelection], picks: Picks, is_kept: NDArray[np.bool_]
    ) -> list[Gallery]:
        """Return the galleries of which any box could be read."""
        names, x, y = (picks.table[c].to_numpy() for c in ("micrograph", "x", "y"))
        p = picks.particle_probability
        galleries = []
        for selection in selections:
            boxes = []
            for row in filter(self.boxes.__contains__, selection.rows.tolist()):
                kind = "kept" if is_kept[row] else "rejected"
                caption = (
                    f"{kind}, P(particle) {p[row]:.3f}, {base_name(names[row])}, "
                    f"x {x[row]:.0f}, y {y[row]:.0f} px"
                )
                boxes.append(ShownBox(self.boxes[row], float(p[row]), kind, caption))
            if boxes:
                n_missing = len(selection.rows) - len(boxes)
                galleries.append(Gallery(selection.title, selection.caption, boxes, n_missing))
        return galleries

    def warning(self, *, except_for: Iterable[str] = ()) -> str:
        """Return a warning where micrographs could not be read, else an empty text."""
        failures = {n: r for n, r in self.failures.items() if n not in except_for}
        if not failures:
            return ""
        name, reason = next(iter(failures.items()))
        n = len(failures)
        which = base_name(name) if n == 1 else f"{n} micrographs, the first {base_name(name)},"
        return f"{which} could not be read again for the pictures of this report: {reason}"

    def read(
        self,
        groups: Iterable[MicrographRows],
        picks: Picks,
        settings: BoxSettings,
        marks: Mapping[str, Marks],
        selections: Iterable[PickSelection],
    ) -> Iterator[MicrographRead | MicrographFailed]:
        """Read the micrographs that are shown, or whose boxes are.

        Parameters
        ----------
        groups : iterable of MicrographRows
            All micrographs of the picks.
        picks : Picks
            All picks.
        settings : BoxSettings
            Diameter and size of the boxes.
        marks : mapping
            What to draw on each micrograph that is shown, by name.
        selections : iterable of PickSelection
            Picks whose boxes are shown.
        """
        coords_yx_px = picks.coords_yx_px()
        shown_rows = [row for s in selections for row in s.rows]
        rows_of = {g.name: g.rows[np.isin(g.rows, shown_rows)] for g in groups}
        needed = [g for g in groups if g.name in marks or len(rows_of[g.name])]
        for event in read_micrographs(needed):
            name, micrograph = event.group.name, event.group.micrograph
            if isinstance(event, MicrographFailed) or micrograph is None:
                self.failures[name] = getattr(event, "reason", "")
            else:
                try:
                    diameter = settings.diameter_in(micrograph.pixel_size_ang)
                    if name in marks:
                        picture = _picture(
                            event.image, marks[name], diameter, f"k{event.n_done}"
                        )
                        self.micrograph_pictures[name] = picture
                    side_px = settings.box_factor * diameter
                    self.boxes |= _cut(event.image, coords_yx_px, rows_of[name], side_px)
                except PickerOptimizerError as error:
                    self.failures[name] = str(error)
            yield event


def _picture(
    image: NDArray[np.float32], marks: Marks, diameter_px: float, key: str
) -> MicrographPicture:
    """Return a (ny, nx) micrograph, downsampled, with picks over it."""
    small = downsampled(image)
    ny, nx = small.shape
    drawn = draw_marks(marks, (image.shape[0], image.shape[1]), (ny, nx), diameter_px, key)
    return MicrographPicture(jpeg_uri(to_grey(small)), drawn, nx, ny)


def _cut(
    image: NDArray[np.float32],
    coords_yx_px: NDArray[np.float64],
    rows: NDArray[np.intp],
    side_px: float,
) -> dict[int, Markup]:
    """Return the boxes of rows of (n, 2) coordinates, without those outside the image."""
    rows = rows[~outside(coords_yx_px[rows], (image.shape[0], image.shape[1]))]
    if not len(rows):
        return {}
    boxes = grey_boxes(image, coords_yx_px[rows], side_px)
    return {
        row: jpeg_uri(box, BOX_QUALITY) for row, box in zip(rows.tolist(), boxes, strict=True)
    }
