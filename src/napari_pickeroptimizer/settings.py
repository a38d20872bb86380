"""Ranges of settings, stated once in the dataclass field and used by checks and forms."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, get_args

from napari_pickeroptimizer.errors import SettingsError

_RANGE = "range"


@dataclass(frozen=True)
class Range:
    """The allowed values of a setting; None for no limit.

    Parameters
    ----------
    least, most : float, optional
        Limits that are themselves allowed.
    above, below : float, optional
        Limits that are not.
    choices : tuple of str
        The words that are allowed; beside numbers, if there are limits, and else instead.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()

    def __contains__(self, value: object) -> bool:
        if isinstance(value, str):
            return value in self.choices
        # numpy's numbers are real, too
        if not isinstance(value, Real) or (self.choices and not self._has_limits):
            return False
        number = float(value)
        return (
            math.isfinite(number)
            and (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
            and (self.below is None or number < self.below)
        )

    @property
    def _has_limits(self) -> bool:
        return (self.least, self.above, self.most, self.below) != (None,) * 4

    def __str__(self) -> str:
        if self.choices and not self._has_limits:
            return f"one of {', '.join(self.choices)}"
        if self == Range(above=0):
            return "positive"
        limits = {
            "at least": self.least,
            "above": self.above,
            "at most": self.most,
            "below": self.below,
        }
        told = " and ".join(f"{word} {x:g}" for word, x in limits.items() if x is not None)
        return " or ".join([told, *self.choices])


# Any: as with dataclasses.field, whatever type the field has
def setting(
    default: Any = dataclasses.MISSING, *, choices: Any = None, **limits: float
) -> Any:
    """Return a dataclass field that takes values in a range; None always stands for "not given".

    Parameters
    ----------
    default : object, optional
        As in `dataclasses.field`.
    choices : type, optional
        A `Literal` of the words that are allowed.
    **limits : float
        As in `Range`. Of a tuple of numbers each has to be in the range.
    """
    allowed = Range(**limits, choices=get_args(choices))
    return dataclasses.field(default=default, metadata={_RANGE: allowed})


def range_of(settings: Any, name: str) -> Range:
    """Return the range of a field of a settings dataclass, or of an instance of it."""
    (field,) = [field for field in dataclasses.fields(settings) if field.name == name]
    allowed: Range = field.metadata.get(_RANGE, Range())
    return allowed


def check_ranges(settings: Any) -> None:
    """Check the fields of a settings dataclass, from its ``__post_init__``.

    Raises
    ------
    SettingsError
        A value is not in the range of its field; the message names both.
    """
    for field in dataclasses.fields(settings):
        value, allowed = getattr(settings, field.name), field.metadata.get(_RANGE)
        if allowed is None or value is None:
            continue
        if not all(x in allowed for x in (value if isinstance(value, tuple) else (value,))):
            raise SettingsError(f"{field.name} must be {allowed}, got {value!r}.")
