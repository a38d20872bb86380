"""triton is bound to its own symbols where Mesa's LLVM is there, and left alone elsewhere."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from napari_pickeroptimizer.model import triton


@pytest.fixture
def with_mesa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton, "_llvm_is_loaded", lambda: True)


def test_nothing_is_imported_without_mesas_llvm(monkeypatch):
    monkeypatch.setattr(triton, "_llvm_is_loaded", lambda: False)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    assert not triton.preload_triton()
    assert "triton" not in sys.modules


@pytest.mark.usefixtures("with_mesa")
def test_a_triton_that_is_loaded_already_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    assert not triton.preload_triton()


@pytest.mark.usefixtures("with_mesa")
@pytest.mark.skipif(not hasattr(os, "RTLD_DEEPBIND"), reason="no RTLD_DEEPBIND here")
def test_without_triton_the_flags_are_put_back(monkeypatch):
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_NoTriton()])
    before = sys.getdlopenflags()
    assert not triton.preload_triton()
    assert sys.getdlopenflags() == before


def test_nothing_else_imports_torchvision(repository: Path) -> None:
    importing = [
        path.name
        for path in (repository / "src").rglob("*.py")
        if re.search(r"^\s*(import|from) torchvision\b", path.read_text(), re.MULTILINE)
    ]
    assert importing == ["vision.py"]


class _NoTriton:
    """A finder that says triton is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        raise ModuleNotFoundError(name)
