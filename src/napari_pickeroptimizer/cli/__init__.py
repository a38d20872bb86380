"""The command line: one command a verb, a thin shell around the core."""

from napari_pickeroptimizer.cli.app import main

__all__ = ["main"]
