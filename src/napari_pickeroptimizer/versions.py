"""Versions of the software that results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

PACKAGES = ("napari-pickeroptimizer", "torch", "torchvision", "numpy", "pandas")


def software_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of its numerical dependencies."""
    return {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}}
