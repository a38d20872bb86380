"""Whether picks fit their micrographs, or would do so flipped, swapped, scaled or shifted.

No true centres are needed: where picks are right, the middle of a box is darker (or brighter) than
what surrounds it, in nearly every micrograph. Picks in another frame lie at random places, where
it is neither. The same picks moved into each other frame tell which one they were made in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import MicrographResampled, resampled_micrographs
from napari_pickeroptimizer.image_frame.contrast import (
    DIAMETER_PX,
    Contrast,
    ContrastImage,
    Points,
    rim,
)
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.image_frame.frames import (
    HALF_BOXES,
    Frame,
    other_frames,
    shifted,
    shifted_by,
    unmoved,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.reading import MicrographRows

# Micrographs and picks that are looked at; after two, no more if the picks fit as they are.
MAX_MICROGRAPHS, MIN_MICROGRAPHS, MAX_PICKS = 6, 2, 200
# Fewer picks, or fewer on a micrograph, tell nothing.
LEAST_PICKS, LEAST_ON_MICROGRAPH = 15, 5
# Share of the picks that lie inside their micrograph in a frame which is considered.
LEAST_INSIDE = 0.95


def other_frame(
    groups: Sequence[MicrographRows], coords_yx_px: Points, settings: BoxSettings
) -> OtherFrameFits | None:
    """Look at a few micrographs; return the frame that fits the picks far better, if any.

    Two micrographs are read where the picks fit as they are, else up to six; those that
    cannot be read are passed over.

    Parameters
    ----------
    groups : sequence of MicrographRows
        The picks by micrograph.
    coords_yx_px : (n, 2) float64
        Centres of all picks, (row, column); the groups hold positions in it.
    settings : BoxSettings
        Particle diameter.
    """
    usable = [
        g for g in groups if g.micrograph is not None and len(g.rows) >= LEAST_ON_MICROGRAPH
    ]
    if sum(len(g.rows) for g in usable) < LEAST_PICKS:
        return None
    small = replace(settings, box_factor=1.5, box_px=DIAMETER_PX * 3 // 2)
    seen: list[tuple[ContrastImage, Points]] = []
    for i in _spread(len(usable), MAX_MICROGRAPHS):
        # one by one: no image is read ahead that may not be needed
        for event in resampled_micrographs([usable[i]], small):
            micrograph = event.group.micrograph
            if isinstance(event, MicrographResampled) and micrograph is not None:
                diameter_px = settings.diameter_in(micrograph.pixel_size_ang)
                image = ContrastImage.of(event.image, diameter_px, micrograph.flip_y)
                rows = event.group.rows
                seen.append((image, coords_yx_px[rows[_spread(len(rows), MAX_PICKS)]]))
        if len(seen) >= MIN_MICROGRAPHS and fits_as_is(seen):
            return None
    found = fitting_frame(seen)
    return None if found is None else replace(found, n_total=len(groups))


def fits_as_is(micrographs: Sequence[tuple[ContrastImage, Points]]) -> bool:
    """Return whether picks have contrast where they are, and more than in any other frame."""
    as_is = Contrast.of(micrographs, unmoved)
    if as_is is None or not as_is.is_clear:
        return False
    best = _best(micrographs)
    return best is None or abs(best[1].mean) < abs(as_is.mean)


def fitting_frame(
    micrographs: Sequence[tuple[ContrastImage, Points]],
) -> OtherFrameFits | None:
    """Return the frame in which picks fit far better than as they are; None without any.

    Parameters
    ----------
    micrographs : sequence of (ContrastImage, (n, 2) float64)
        Each micrograph with the centres of its picks, (row, column).
    """
    as_is, best = Contrast.of(micrographs, unmoved), _best(micrographs)
    if as_is is None or best is None or len(as_is.values) < LEAST_PICKS:
        return None
    frame, contrast = best
    if not contrast.is_far_above(as_is) or is_ringed(micrographs):
        return None
    if frame.half_box:
        frame = _middle_shift(micrographs, frame, contrast)
    return OtherFrameFits(
        frame.name,
        frame.advice,
        round(contrast.mean, 3),
        round(as_is.mean, 3),
        round(contrast.sigma_above(as_is), 1),
        len(as_is.values),
        len(micrographs),
    )


def _middle_shift(
    micrographs: Sequence[tuple[ContrastImage, Points]], best: Frame, contrast: Contrast
) -> Frame:
    """Return the shift in the middle of those that fit: a large particle fits over a range."""
    weights = []
    for half_box in HALF_BOXES:
        shift = shifted_by(np.copysign(half_box, best.half_box))
        found = Contrast.of(micrographs, shift)
        share = 0.0 if found is None else found.mean / contrast.mean
        weights.append(max(0.0, share - 0.5))
    half_box = float(np.average(HALF_BOXES, weights=weights))
    return shifted(float(np.copysign(half_box, best.half_box)), _diameter_px(micrographs))


def is_ringed(micrographs: Sequence[tuple[ContrastImage, Points]]) -> bool:
    """Return whether there is a rim all around the picks where they are.

    A capsid, or a ring, has little contrast in its middle and much at its rim, on which another
    frame may happen to put the picks. Around a wrong place there is no rim.
    """
    means = []
    for direction in rim():
        contrast = Contrast.of(micrographs, shifted_by(direction))
        if contrast is None or not contrast.is_clear:
            return False
        means.append(contrast.mean)
    return bool(np.all(np.array(means) > 0) or np.all(np.array(means) < 0))


def _best(
    micrographs: Sequence[tuple[ContrastImage, Points]],
) -> tuple[Frame, Contrast] | None:
    """Return the frame other than their own in which the picks have most contrast."""
    best: tuple[Frame, Contrast] | None = None
    is_flipped = any(image.is_flipped for image, _ in micrographs)
    for frame in other_frames(is_flipped, _diameter_px(micrographs)):
        contrast = Contrast.of(micrographs, frame.move)
        if contrast is None or contrast.share_inside < LEAST_INSIDE:
            continue
        if best is None or abs(contrast.mean) > abs(best[1].mean):
            best = frame, contrast
    return best


def _diameter_px(micrographs: Sequence[tuple[ContrastImage, Points]]) -> float:
    return float(np.median([image.diameter_px for image, _ in micrographs] or [0.0]))


def _spread(n: int, most: int) -> NDArray[np.intp]:
    """Return at most `most` of the positions 0..n-1, evenly spread over all."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.intp)
