"""The examples in the docstrings of the core do what they show."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import napari_pickeroptimizer

SHELLS = {"plugin"}  # importing them needs napari and Qt


def core_modules() -> list[str]:
    found = pkgutil.walk_packages(
        napari_pickeroptimizer.__path__, f"{napari_pickeroptimizer.__name__}."
    )
    return [m.name for m in found if m.name.split(".")[1] not in SHELLS]


@pytest.mark.parametrize("module", core_modules())
def test_examples(module: str) -> None:
    result = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
