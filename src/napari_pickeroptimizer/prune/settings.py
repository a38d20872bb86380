"""Settings of a pruning run: the threshold, distances, scoring; without scipy or torch."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.views import AUTO, MAX_VIEWS, Auto
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust import PerformanceForecast

DEFAULT_THRESHOLD = 0.5
_UNITS: dict[str, Literal["px", "ang", "diameters"]] = {
    "": "px", "px": "px", "a": "ang", "å": "ang", "ang": "ang", "angstrom": "ang",
    "d": "diameters", "diameter": "diameters", "diameters": "diameters",
}  # fmt: skip
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


def check_probability(name: str, value: float) -> None:
    """Raise an error unless a value is from 0 to 1.

    Raises
    ------
    SettingsError
        It is not.
    """
    if not 0 <= value <= 1:
        raise SettingsError(f"{name} is a probability from 0 to 1, got {value}.")


@dataclass(frozen=True)
class ThresholdRule:
    """Rule for the threshold: a value, or a precision, recall or F1 to reach.

    Parameters
    ----------
    threshold : float or "auto" or None
        Least P(particle) of a kept pick; ``auto`` for the best expected F1. By default 0.5
        if neither precision nor recall is given.
    precision, recall : float, optional
        Expected share of particles among the kept picks, of kept ones among the particles.

    Raises
    ------
    SettingsError
        More than one is given, or one is out of range.
    """

    threshold: float | Literal["auto"] | None = None
    precision: float | None = None
    recall: float | None = None

    def __post_init__(self) -> None:
        given = [w for w in (self.threshold, self.precision, self.recall) if w is not None]
        if len(given) > 1:
            raise SettingsError(
                "give one of threshold, precision and recall (--threshold, --precision, "
                "--recall): each of them sets the threshold."
            )
        if self.threshold not in (None, "auto"):
            if isinstance(self.threshold, str):
                raise SettingsError(
                    f"the threshold is a probability from 0 to 1, or auto, got "
                    f"{self.threshold!r}."
                )
            check_probability("the threshold", float(self.threshold))
        for name, share in (("precision", self.precision), ("recall", self.recall)):
            if share is not None and not 0 < share <= 1:
                raise SettingsError(
                    f"a {name} is a share above 0 and at most 1, got {share}: 95 % is 0.95."
                )

    @property
    def needs_forecast(self) -> bool:
        """Whether the threshold depends on the forecast of precision and recall."""
        return (
            self.threshold == "auto" or self.precision is not None or self.recall is not None
        )

    def __str__(self) -> str:
        """Return the rule as a command-line option."""
        for name in ("precision", "recall", "threshold"):
            value = getattr(self, name)
            if value is not None:
                return f"--{name} {value}"
        return f"--threshold {DEFAULT_THRESHOLD}"

    def choose(self, forecast: PerformanceForecast | None) -> float:
        """Return the threshold.

        Raises
        ------
        SettingsError
            No threshold is expected to reach it; the message gives the best that can be
            reached.
        """
        if forecast is None or not self.needs_forecast:
            return DEFAULT_THRESHOLD if self.threshold is None else float(self.threshold)
        if self.precision is not None:
            return forecast.threshold_for_precision(self.precision)
        if self.recall is not None:
            return forecast.threshold_for_recall(self.recall)
        return forecast.best_f1()


@dataclass(frozen=True)
class Length:
    """A length in pixels, Å or particle diameters.

    Parameters
    ----------
    value : float
        Value, 0 or more.
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
        """Parse ``30``, ``30px``, ``50A``, ``50Å`` or ``0.5d`` (diameters).

        Raises
        ------
        SettingsError
            The text is not a length.

        Examples
        --------
        >>> Length.parse("0.5d")
        Length(value=0.5, unit='diameters')
        """
        parts = re.fullmatch(rf"\s*({_NUMBER})\s*([a-zåÅA-Z]*)\s*", text)
        if parts is None or parts[2].lower() not in _UNITS:
            raise SettingsError(
                f"{text!r} is no distance: expected pixels (30), Å (50A) or particle "
                "diameters (0.5d)."
            )
        return cls(float(parts[1]), _UNITS[parts[2].lower()])

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


@dataclass(frozen=True)
class PlaceRules:
    """Distances that reject a pick whatever its score; off by default.

    Parameters
    ----------
    min_distance : Length
        Of two unlabelled picks nearer than this the less probable one is rejected.
    edge_distance : Length
        Picks whose centre is nearer than this to the micrograph's edge are rejected.
    """

    min_distance: Length = NO_LENGTH
    edge_distance: Length = NO_LENGTH

    @property
    def are_off(self) -> bool:
        """Whether no pick is rejected for its place."""
        return self.min_distance.value == self.edge_distance.value == 0


@dataclass(frozen=True)
class PruneSettings(PlaceRules, ThresholdRule):
    """How picks are scored, decided on and written.

    Its other parameters are those of `ThresholdRule` (threshold, precision, recall) and of
    `PlaceRules` (min_distance, edge_distance): a rule that either gains is a setting here.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes per forward pass.
    n_views : int or "auto"
        Test-time augmentation views of each box, 1 to 8, or as many as it needs (see `score`).
    write_fom : bool
        Replace the picker's ``rlnAutopickFigureOfMerit`` by P(particle).
    overwrite : bool
        Replace the files of an earlier run in the same output folder.

    Raises
    ------
    SettingsError
        A value is out of its range, or more than one rule sets the threshold.
    """

    device: str = "auto"
    batch_size: int = setting(256, least=1)
    n_views: int | Auto = setting(AUTO, choices=Auto, least=1, most=MAX_VIEWS)
    write_fom: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self)

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        distances = {k: str(getattr(self, k)) for k in ("min_distance", "edge_distance")}
        return {**asdict(self), **distances}
