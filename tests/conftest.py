"""What every test may ask for, and what a machine must have for the tests that are marked."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real micrographs and picks; they are not part of the project, so skip without them."""
    told = os.environ.get("PICKEROPTIMIZER_DATA")
    folder = Path(told) if told else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set PICKEROPTIMIZER_DATA to the folder")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without_screen = _why_no_screen()
    for item in items:
        if "gui" in item.keywords and without_screen:
            item.add_marker(pytest.mark.skip(reason=without_screen))
        if "gpu" in item.keywords and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="no GPU that torch can use"))


def _why_no_screen() -> str | None:
    # Qt does not raise without a screen, it aborts the process and every test with it
    if find_spec("napari") is None or find_spec("pytestqt") is None:
        return "napari or pytest-qt is not installed"
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not shutil.which("Xvfb"):
        return "neither a screen (DISPLAY) nor Xvfb"
    return None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
