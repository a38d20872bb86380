"""Make the tutorial's pictures from EMPIAR-10017 (CC0), on a virtual screen where there is none.

    xvfb-run -a -s "-screen 0 1400x1000x24" python docs/scripts/screenshots.py PROJECT docs/images

PROJECT is laid out like a RELION project: Micrographs/, labels.star (hand labels with
rlnParticleSelectionType) and picks to prune, by default topaz_particles.star.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_pickeroptimizer import FineTuneSettings, Picks, read_picks
from napari_pickeroptimizer.picks import concatenate
from napari_pickeroptimizer.plugin import jobs, session
from napari_pickeroptimizer.plugin.transfer import transfer_labels

PLUGIN = "napari-pickeroptimizer"
WINDOW_PX = (1280, 800)
DIAMETER_PX = 108.0
LABELS_PER_CLASS = 20


def settle(seconds: float = 1.0) -> None:
    """Let Qt draw what is pending."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)


def shoot(viewer: Any, path: Path) -> None:
    """Write the window as a PNG of few colours, which is small and as sharp."""
    settle()
    shown = viewer.screenshot(canvas_only=False, flash=False)
    image = in_few_colours(shown[..., :3])
    image.save(path, optimize=True)
    print(path, image.size, path.stat().st_size // 1000, "kB")


def in_few_colours(pixels: Any) -> Image.Image:
    """Return an image with a palette, half of it for what has a colour.

    Rings are a small part of the pixels: a common palette would give them grey ones.
    """
    spread = pixels.max(axis=2).astype(int) - pixels.min(axis=2)
    palette: list[int] = []
    for part in (pixels[spread > 40], pixels[spread <= 40]):
        reduced = Image.fromarray(part[None]).quantize(128, kmeans=2)
        palette += (reduced.getpalette() or [])[: 3 * 128]
    holder = Image.new("P", (1, 1))
    holder.putpalette(palette)
    return Image.fromarray(pixels).quantize(palette=holder, dither=Image.Dither.NONE)


def few(labels: Picks, n_per_class: int, first: str) -> Picks:
    """Return `n_per_class` labels of each class, as many as can be on one micrograph."""
    rng = np.random.default_rng(0)
    on_first = (labels.table["micrograph"] == first).to_numpy()
    rows: list[int] = []
    for class_id in np.unique(labels.labels[labels.labels > 0]):
        of_class = np.flatnonzero(labels.labels == class_id)
        order = rng.permutation(len(of_class))
        of_class = of_class[order][np.argsort(~on_first[of_class[order]], kind="stable")]
        rows += of_class[:n_per_class].tolist()
    return labels.select(np.array(sorted(rows)))


def main() -> None:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--picks", default="topaz_particles.star")
    parser.add_argument("--micrograph", default="", help="part of the name of the one to show")
    parser.add_argument("--model", type=Path, help="a model to apply instead of training one")
    arguments = parser.parse_args()

    viewer = napari.Viewer(title="napari-pickeroptimizer")
    session.open_micrographs(viewer, arguments.project / "Micrographs")
    labels = read_picks(arguments.project / "labels.star")
    names = labels.table["micrograph"].unique()
    name = next(n for n in names if arguments.micrograph in n)
    labelled = few(labels, LABELS_PER_CLASS, name)
    picker = read_picks(arguments.project / arguments.picks)
    # where the picker has no pick at a label, the user has added one
    known, _ = transfer_labels(picker, labelled, DIAMETER_PX / 2)
    both, _ = transfer_labels(labelled.with_labels(0), picker.with_labels(1), DIAMETER_PX / 2)
    added = labelled.select(both.labels == 0)
    picks = session.open_picks(
        viewer, concatenate([known, added]), name="topaz", diameter_px=DIAMETER_PX
    )

    _, tuning = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune")
    tuning.diameter.number.value = DIAMETER_PX
    viewer.window.resize(*WINDOW_PX)
    view = picks.metadata["pickeroptimizer"]
    viewer.dims.set_current_step(0, view.slice_of[name])
    viewer.layers.selection.active = picks
    settle(2)
    viewer.reset_view()
    camera = getattr(viewer, "scene", viewer).camera  # its place since napari 0.9
    camera.zoom *= 1.5
    camera.center = (0, *(np.array(camera.center[1:]) * (1.2, 0.8)))
    shoot(viewer, arguments.output / "napari_labelled.png")

    if arguments.model:
        jobs.load_model(viewer, arguments.model)
    else:
        settings = FineTuneSettings(diameter_px=DIAMETER_PX, n_folds=3)
        jobs.finetune_layer(viewer, picks, settings)
    _, pruning = viewer.window.add_plugin_dock_widget(PLUGIN, "Prune picks", tabify=True)
    settle()
    pruning.start.changed.emit(True)
    while pruning.job.running:
        settle(0.2)
    shoot(viewer, arguments.output / "napari_pruned.png")
    viewer.close()


if __name__ == "__main__":
    main()
