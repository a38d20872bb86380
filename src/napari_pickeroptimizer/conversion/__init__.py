"""Pick files of one format as those of another: what changes, what is lost, what a file is."""

from napari_pickeroptimizer.conversion.convert import Conversion, planned
from napari_pickeroptimizer.conversion.inspection import Inspection, inspect_path
from napari_pickeroptimizer.conversion.moves import Moves, moved

__all__ = ["Conversion", "Inspection", "Moves", "inspect_path", "moved", "planned"]
