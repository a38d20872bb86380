"""Exceptions of the package; each is also a subclass of the fitting builtin."""

from __future__ import annotations


class PickerOptimizerError(Exception):
    """Base of all errors whose message tells the user what to do."""


class PickFormatError(PickerOptimizerError, ValueError):
    """A pick file cannot be understood, or holds invalid values."""


class PicksNotFoundError(PickerOptimizerError, FileNotFoundError):
    """There is no pick file at the given path."""


class MicrographNotFoundError(PickerOptimizerError, FileNotFoundError):
    """A micrograph that picks refer to is not among the given ones, or not on disk."""


class AmbiguousMicrographError(PickerOptimizerError, LookupError):
    """A name, of a micrograph or of a listed file, fits more than one file."""


class MicrographReadError(PickerOptimizerError, OSError):
    """A micrograph exists but is not a readable 2-D image."""


class BoxOutsideError(PickerOptimizerError, ValueError):
    """A pick lies outside its micrograph."""


class LabelError(PickerOptimizerError, ValueError):
    """The labels are not sufficient (one class only, unknown ids, none at all)."""


class SettingsError(PickerOptimizerError, ValueError):
    """A setting is out of range or two settings contradict each other."""


class CheckpointError(PickerOptimizerError, ValueError):
    """A model file is not a PickerOptimizer checkpoint, or does not fit the request."""


class BoxSetError(PickerOptimizerError, ValueError):
    """A set of boxes for pretraining is missing, unreadable, or not of square boxes."""


class StructureReadError(PickerOptimizerError, OSError):
    """An atomic model or a map for the simulation cannot be read."""


class OutputError(PickerOptimizerError, OSError):
    """Results cannot be written: no permission, no space, something is in the way."""


class StandInWarning(UserWarning):
    """Micrographs of other folders stand in, by their file names, for those that picks name."""
