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


DRAWN_BY_MESA = """
import sys
from pathlib import Path
from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
app = QGuiApplication([])
context, surface = QOpenGLContext(), QOffscreenSurface()
surface.create()
if not context.create() or not context.makeCurrent(surface):
    sys.exit("no OpenGL")
try:
    llvm = "libLLVM" in Path("/proc/self/maps").read_text()
except OSError:
    llvm = False
if not llvm:
    sys.exit("no LLVM of Mesa")

from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs

settings = FineTuneSettings(diameter_px=24, n_steps=1, n_folds=2, device="cpu")
*_, last = finetune(Micrographs.find(sys.argv[1]), read_picks(sys.argv[2]), settings)
print(last)
"""


def test_a_fine_tuning_outlives_a_window_that_mesa_has_drawn(spot_project) -> None:
    """triton's LLVM, which torch imports late, and Mesa's crashed Python together."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DRAWN_BY_MESA, spot_project.micrographs,
         spot_project.labels],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.stderr.strip() in {"no OpenGL", "no LLVM of Mesa"}:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert done.stdout
