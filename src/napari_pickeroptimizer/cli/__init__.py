"""The command line: one module for each command, without logic of its own."""

from napari_pickeroptimizer.cli.app import main

__all__ = ["main"]
