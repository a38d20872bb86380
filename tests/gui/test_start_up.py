"""What opening a dock imports: the window must not stand still for what a job needs later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gui

SCRIPT = """
import os, sys
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from napari_pickeroptimizer.plugin import actions
from napari_pickeroptimizer.plugin.panels.curate import CurateWidget
from napari_pickeroptimizer.plugin.panels.function_forms import ApplyModelForm, FineTuneForm
from napari_pickeroptimizer.plugin.panels.gallery.widget import GalleryWidget

app = QApplication([])
viewer = ViewerModel()
actions.open_micrographs(viewer, sys.argv[1] + "/Micrographs")
layer = actions.open_picks(viewer, sys.argv[1] + "/labels.star", diameter_px=40)
docks = [make(viewer) for make in (CurateWidget, GalleryWidget, FineTuneForm, ApplyModelForm)]
assert docks[0].learn.start.isEnabled(), docks[0].learn.status.text()
print("docks:", *[name for name in ("torch", "torchvision", "sklearn") if name in sys.modules])
sys.stdout.flush()
os._exit(0)  # nobody closes these docks
"""


def test_opening_the_docks_imports_no_torch(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(project)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["docks:"]
