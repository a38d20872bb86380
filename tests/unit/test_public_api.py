"""The public names: all there, and free of charge until they are used."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import napari_pickeroptimizer


def modules_loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after `statement`."""
    script = f"{statement}; import sys; print(*{{m.partition('.')[0] for m in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize("name", napari_pickeroptimizer.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert callable(getattr(napari_pickeroptimizer, name))


def test_public_names_are_sorted_and_listed_by_dir() -> None:
    names = napari_pickeroptimizer.__all__
    assert names == sorted(names)
    assert set(names) <= set(dir(napari_pickeroptimizer))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        napari_pickeroptimizer.train  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    loaded = modules_loaded_by("import napari_pickeroptimizer")
    assert not loaded & {"torch", "napari", "pandas", "numpy", "qtpy", "magicgui"}


def test_reading_and_writing_picks_loads_neither_torch_nor_napari() -> None:
    loaded = modules_loaded_by(
        "from napari_pickeroptimizer import Micrographs, Picks, read_picks, write_picks"
    )
    assert not loaded & {"torch", "torchvision", "sklearn", "napari", "qtpy", "magicgui"}


def test_core_and_command_line_load_no_napari_and_no_qt() -> None:
    loaded = modules_loaded_by(
        "import napari_pickeroptimizer.cli; from napari_pickeroptimizer import *"
    )
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "PyQt6", "PySide6", "magicgui", "superqt"}


def test_the_readers_of_the_plugin_load_neither_torch_nor_napari_nor_pandas() -> None:
    loaded = modules_loaded_by("import napari_pickeroptimizer.plugin.readers")
    assert "numpy" in loaded
    assert not loaded & {"torch", "sklearn", "scipy", "pandas", "napari", "qtpy", "magicgui"}


@pytest.mark.parametrize("policy", [None, "active"])
def test_waiting_threads_do_not_spin_unless_the_user_says_so(
    monkeypatch: pytest.MonkeyPatch, policy: str | None
) -> None:
    # torch's OpenMP reads it when it is loaded
    monkeypatch.setenv("OMP_WAIT_POLICY", policy or "")
    if policy is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    importlib.reload(napari_pickeroptimizer)
    assert os.environ["OMP_WAIT_POLICY"] == (policy or "passive")


def test_settings_load_no_torch() -> None:
    loaded = modules_loaded_by(
        "from napari_pickeroptimizer import FineTuneSettings, PruneSettings, SuggestSettings"
    )
    assert not loaded & {"torch", "torchvision", "sklearn", "scipy", "pandas", "numpy"}
