"""The size of boxes, in micrographs and for the network; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.settings import check_ranges, setting

# Pixels around a window that sub-pixel centring and cubic interpolation reach for.
INTERPOLATION_MARGIN_PX = 2


@dataclass(frozen=True)
class BoxSettings:
    """Size of a box, in the micrograph and for the network.

    Parameters
    ----------
    diameter_px : float, optional
        Particle diameter in micrograph pixels.
    diameter_ang : float, optional
        Particle diameter in Å; wins over `diameter_px` where the pixel size is known.
    box_factor : float
        Box side in particle diameters.
    box_px : int
        Box side in pixels of the working resolution, the network's input.
    """

    diameter_px: float | None = setting(None, above=0)
    diameter_ang: float | None = setting(None, above=0)
    box_factor: float = setting(1.5, above=0)
    box_px: int = setting(48, least=1)

    def __post_init__(self) -> None:
        if self.diameter_px is None and self.diameter_ang is None:
            raise SettingsError(
                "the particle diameter is missing: give it in pixels (--diameter-px) "
                "or in Angstrom (--diameter-angstrom)."
            )
        check_ranges(self)

    def diameter_in(self, pixel_size_ang: float | None) -> float:
        """Return the particle diameter in pixels of a micrograph with that pixel size."""
        if self.diameter_ang is not None and pixel_size_ang is not None:
            return self.diameter_ang / pixel_size_ang
        if self.diameter_px is not None:
            return self.diameter_px
        raise SettingsError(
            f"the particle diameter is {self.diameter_ang} Å, but the micrographs' pixel size is "
            "unknown: pass it (--pixel-size), or give the diameter in pixels (--diameter-px)."
        )


def window_side(settings: BoxSettings, reach: float = 1.0) -> int:
    """Return the side of a window which holds a box enlarged `reach` times, in pixels."""
    return 2 * (math.ceil(settings.box_px * reach / 2) + INTERPOLATION_MARGIN_PX)
