"""The frames that picks may be in by mistake: how to move them back, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_pickeroptimizer.image_frame.contrast import ContrastImage, Move, Points

# Half box sides that a corner may be off by, in diameters.
HALF_BOXES = tuple(round(0.1 * i, 1) for i in range(4, 16))
SCALES = (2.0, 4.0, 0.5, 0.25)


@dataclass(frozen=True)
class Frame:
    """One way in which coordinates go wrong.

    Parameters
    ----------
    name : str
        The move back, in words, to follow "the contrast is ...".
    advice : str
        What to do.
    move : callable
        Moves the picks back.
    half_box : float
        The shift in y and x, in particle diameters; 0 for frames that are not shifted.
    """

    name: str
    advice: str
    move: Move
    half_box: float = 0.0


def unmoved(points: Points, image: ContrastImage) -> Points:
    """Return the picks as they are."""
    return points


def shifted_by(diameters_yx: Points | float) -> Move:
    """Return a move by a vector, or by as much in y and x, in particle diameters."""
    return lambda points, image: points + diameters_yx * image.diameter_px


def other_frames(is_flipped: bool, diameter_px: float) -> Iterator[Frame]:
    """Yield every frame that is tried.

    Parameters
    ----------
    is_flipped : bool
        Whether the rows of the micrographs were reversed on reading (``flip_y``).
    diameter_px : float
        Particle diameter in micrograph pixels, for the figures of the advice.
    """
    flip = "leave out --flip-y (flip_y=True)" if is_flipped else "add --flip-y (flip_y=True)"
    yield Frame(
        "with y counted from the other end",
        f"{flip}, or reverse y of the picks (height - 1 - y)",
        lambda points, image: _from_end(points, image, (True, False)),
    )
    yield Frame(
        "with x counted from the other end",
        "reverse x of the picks (width - 1 - x)",
        lambda points, image: _from_end(points, image, (False, True)),
    )
    yield Frame(
        "with x and y counted from the other end",
        f"{flip}, and reverse x of the picks (width - 1 - x)",
        lambda points, image: _from_end(points, image, (True, True)),
    )
    yield Frame(
        "with x and y swapped",
        "swap x and y of the picks",
        lambda points, _: points[:, ::-1],
    )
    for factor in SCALES:
        yield _scaled(factor)
    for half_box in HALF_BOXES:
        for sign in (1, -1):
            yield shifted(sign * half_box, diameter_px)


def _from_end(points: Points, image: ContrastImage, axes_yx: tuple[bool, bool]) -> Points:
    return np.where(axes_yx, np.asarray(image.shape_px) - 1 - points, points)


def _scaled(factor: float) -> Frame:
    times = f"{factor:g}" if factor > 1 else f"1/{1 / factor:g}"
    # pixel centres: pixel 0 of the coarse image covers several pixels of the fine one
    return Frame(
        f"multiplied by {times}",
        f"multiply x and y of the picks by {times} (pickeroptimizer convert --scale {factor:g}), "
        "or give the micrographs that were picked",
        lambda points, _: (points + 0.5) * factor - 0.5,
    )


def shifted(diameters: float, diameter_px: float) -> Frame:
    """Return the frame of corners that were taken for centres, or of centres for corners."""
    half = round(abs(diameters) * diameter_px)
    if diameters > 0:
        advice = (
            "the coordinates seem to be corners of boxes, so add half the box side, about "
            f"{half} pixels, to x and y (pickeroptimizer convert --corner)"
        )
    else:
        advice = (
            "half the box side seems to have been added to centres, so subtract it, about "
            f"{half} pixels, from x and y"
        )
    sign = "+" if diameters > 0 else "-"
    name = f"moved by {sign}{half} pixels in x and y"
    return Frame(name, advice, shifted_by(diameters), diameters)
