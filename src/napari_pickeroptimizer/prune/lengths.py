"""A length on micrographs, in pixels, Å or particle diameters."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, Self

from napari_pickeroptimizer.errors import SettingsError

_UNITS: dict[str, Literal["px", "ang", "diameters"]] = {
    "": "px", "px": "px", "a": "ang", "å": "ang", "ang": "ang", "angstrom": "ang",
    "d": "diameters", "diameter": "diameters", "diameters": "diameters",
}  # fmt: skip


@dataclass(frozen=True)
class Length:
    """A length that is so many pixels on each micrograph.

    Parameters
    ----------
    value : float
        How much, 0 or more.
    unit : str
        ``px`` (micrograph pixels), ``ang`` (Å) or ``diameters`` (of the particle).
    """

    value: float = 0.0
    unit: Literal["px", "ang", "diameters"] = "px"

    def __post_init__(self) -> None:
        if self.unit not in ("px", "ang", "diameters"):
            raise SettingsError(f"unit {self.unit!r} is unknown: px, ang or diameters.")
        if not (math.isfinite(self.value) and self.value >= 0):
            raise SettingsError(f"a distance must be 0 or more, got {self.value}.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``30``, ``30px``, ``50A``, ``50Å`` or ``0.5d`` (diameters) means.

        Raises
        ------
        SettingsError
            It is no length.

        Examples
        --------
        >>> Length.parse("0.5d")
        Length(value=0.5, unit='diameters')
        """
        found = re.fullmatch(r"\s*([0-9.eE+-]*[0-9.])\s*([a-zåÅA-Z]*)\s*", text)
        try:
            assert found is not None
            return cls(float(found[1]), _UNITS[found[2].lower()])
        except (AssertionError, KeyError, ValueError) as error:
            if isinstance(error, SettingsError):
                raise
            raise SettingsError(
                f"{text!r} is no distance: expected pixels (30), Å (50A) or particle "
                "diameters (0.5d)."
            ) from error

    def __str__(self) -> str:
        return f"{self.value:g} {'Å' if self.unit == 'ang' else self.unit}"

    def in_px(self, pixel_size_ang: float | None, diameter_px: float | None) -> float:
        """Return the length in pixels of one micrograph.

        Raises
        ------
        SettingsError
            It is in Å and the pixel size is unknown, or in diameters and those are.
        """
        if self.unit == "px" or self.value == 0:
            return self.value
        if self.unit == "ang":
            if pixel_size_ang is None:
                raise SettingsError(
                    f"a distance of {self} needs the micrographs' pixel size: pass it "
                    "(--pixel-size), or give the distance in pixels or diameters (0.5d)."
                )
            return self.value / pixel_size_ang
        if diameter_px is None:
            raise SettingsError(
                f"a distance of {self} needs the particle diameter: give it in pixels."
            )
        return self.value * diameter_px


NO_LENGTH = Length()
