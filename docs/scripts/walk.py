"""A whole session in the plugin by mouse and keys: open, label, learn, decide, export.

One walk for three uses: a test checks what every state holds, one script takes its picture,
another makes it a film. `walk` yields the name of each state when it is on the screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hand import Hand
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QLineEdit, QPushButton, QWidget

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin import session
from napari_pickeroptimizer.plugin.panels.gallery.order import Sort
from napari_pickeroptimizer.plugin.targets import targets
from napari_pickeroptimizer.prune.label_matching import match_labels_by_name

PLUGIN = "napari-pickeroptimizer"
KEYS = {PARTICLE: Qt.Key.Key_K, CONTAMINANT: Qt.Key.Key_J}


@dataclass(frozen=True)
class Route:
    """Where the walk goes.

    Parameters
    ----------
    micrographs, picks : Path
        What is opened.
    truth : Picks
        What the user knows: labelled places, of which a few are labelled by hand.
    output : Path
        Folder of the results.
    diameter_px : float
        Particle diameter.
    n_per_class : int
        Labels of each kind.
    n_steps, n_folds : int
        Of the fine-tuning.
    """

    micrographs: Path
    picks: Path
    truth: Picks
    output: Path
    diameter_px: float
    n_per_class: int = 20
    n_steps: int = 80
    n_folds: int = 3


def walk(viewer: Any, hand: Hand, route: Route) -> Iterator[str]:
    """Walk the route; the names of the states are those of the pictures in the docs."""
    viewer.open(str(route.micrographs), plugin=PLUGIN)
    (layer,) = viewer.open(str(route.picks), plugin=PLUGIN)
    _, curate = viewer.window.add_plugin_dock_widget(PLUGIN, "Curate picks")
    tabs = curate.pages.tabBar()
    viewer.layers.selection.active = layer
    hand.settle(1)
    # the panel opens with the distance of neighbours for a diameter
    per_px = curate.label.view.diameter.pixel_size_ang or 1  # it is in Å where that is known
    hand.write(_field(curate.label, "Diameter"), f"{route.diameter_px * per_px:g}")
    yield "opened"

    label_some(viewer, hand, layer, route)
    yield "labelled"

    hand.tab(tabs, "Learn")
    _open_fold(hand, curate.learn.advanced)
    hand.write(_line(curate.learn.steps), str(route.n_steps))
    hand.write(_line(curate.learn.folds), str(route.n_folds))
    _open_fold(hand, curate.learn.advanced)
    yield from learn(hand, curate.learn)
    hand.tab(tabs, "Decide")
    yield from score(hand, curate.decide)
    drag_threshold(hand, curate.decide, 0.5, 0.7)
    _follow_layers(hand, curate.decide)
    yield "threshold"

    _, gallery = viewer.window.add_plugin_dock_widget(PLUGIN, "Gallery")
    hand.wait(lambda: len(gallery.grid.display) and gallery.grid.viewport().width() > 100)
    hand.settle(1)
    correct_one(hand, gallery)
    yield "gallery"

    hand.tab(tabs, "Learn")
    list(learn(hand, curate.learn))
    hand.tab(tabs, "Decide")
    list(score(hand, curate.decide))
    hand.click(_button(curate.decide.switch, "Kept"))
    _follow_layers(hand, curate.decide)
    yield "kept"

    hand.tab(tabs, "Export")
    hand.write(_line(curate.export.place), str(route.output))
    yield "export"
    hand.click(curate.export.start)
    hand.wait(lambda: not curate.export.job.running)
    hand.settle(0.5)
    yield "exported"


def with_border(labels: Picks, picks: Picks, width_px: float, side_px: int = 4096) -> Picks:
    """Return labels, and picks along the border of EMPIAR-10017's micrographs as contaminants.

    Its rows and columns near the border are streaks, as everybody sees; the experts labelled
    few of them.
    """
    coords = picks.coords_yx_px()
    near = (np.minimum(coords, side_px - 1 - coords) < width_px).any(axis=1)
    border = picks.select(near)
    return concatenate(
        [labels, border.with_labels(np.full(len(border), CONTAMINANT, np.int8))]
    )


def empiar10017_route(project: Path, output: Path, n_steps: int, n_folds: int) -> Route:
    """Return the route through EMPIAR-10017 laid out as a RELION project, with Topaz's picks."""
    picks = project / "topaz_particles.star"
    truth = with_border(read_picks(project / "labels.star"), read_picks(picks), 45)
    return Route(
        project / "Micrographs", picks, truth, output, 108.0, n_steps=n_steps, n_folds=n_folds
    )


def label_some(viewer: Any, hand: Hand, layer: Any, route: Route) -> None:
    """Point at picks that are known, micrograph by micrograph, and press their key."""
    viewer = session.unwrap(viewer)
    picks = session.picks_of(layer)
    unlabelled = picks.with_labels(0)
    known = match_labels_by_name(unlabelled, route.truth, route.diameter_px / 2).picks
    slices = layer.data[:, 0].astype(int)
    rng = np.random.default_rng(0)
    left = dict.fromkeys(KEYS, route.n_per_class)
    hand.press(Qt.Key.Key_PageUp)
    with_picks = np.unique(slices)
    for n_ahead in range(len(with_picks), 0, -1):
        here = viewer.dims.current_step[0]
        for class_id, key in KEYS.items():
            goal = left[class_id] - -(-left[class_id] // n_ahead)  # as many on each micrograph
            rows = np.flatnonzero((slices == here) & (known.labels == class_id))
            for row in rng.permutation(rows):
                if left[class_id] == goal:
                    break
                hand.point_at(layer, int(row))
                if targets(viewer, layer).rows.tolist() == [row]:  # else another lies over it
                    hand.press(key)
                    left[class_id] -= 1
        hand.press(Qt.Key.Key_PageDown)


def learn(hand: Hand, panel: Any) -> Iterator[str]:
    """Press Fine-tune and wait."""
    hand.click(panel.start)
    hand.wait(lambda: _part(panel) > 0.5 or not panel.job.running)
    yield "learning"
    hand.wait(lambda: not panel.job.running)
    yield "learned"


def score(hand: Hand, panel: Any) -> Iterator[str]:
    """Press Score picks and wait."""
    hand.click(panel.start)
    hand.wait(lambda: _part(panel) > 0.3 or not panel.job.running)
    yield "scoring"
    hand.wait(lambda: not panel.job.running)
    _follow_layers(hand, panel)
    yield "decided"


def drag_threshold(hand: Hand, panel: Any, start: float, end: float) -> None:
    """Drag the line of the histogram."""
    port = panel.plot.viewport()
    places = [threshold_place(panel, x) for x in (start, end)]
    hand.drag(port, *[(at.x(), at.y()) for at in places])


def threshold_place(panel: Any, threshold: float) -> Any:
    """Return where a threshold is in the histogram."""
    box = panel.plot.getPlotItem().getViewBox()
    return panel.plot.mapFromScene(box.mapViewToScene(QPointF(threshold, 0.5)))


def correct_one(hand: Hand, gallery: Any) -> None:
    """Sort the gallery by uncertainty, and label the most uncertain box a contaminant."""
    box = gallery.tools.sort_box
    hand.click(box)
    hand.press(Qt.Key.Key_Home, widget=box.view())
    for _ in range(list(Sort).index(Sort.UNCERTAINTY)):
        hand.press(Qt.Key.Key_Down, widget=box.view())
    hand.press(Qt.Key.Key_Return, widget=box.view())
    hand.wait(lambda: not gallery.loader.busy, 60)
    cell = gallery.grid.cell_rect(0).center()
    hand.click(gallery.grid.viewport(), cell.x(), cell.y())
    hand.press(Qt.Key.Key_J, widget=gallery.grid)


def _follow_layers(hand: Hand, panel: Any) -> None:
    """Wait until the layers show what was decided, and leave time to look at it."""
    hand.wait(lambda: not panel.refresh_timer.waiting)
    hand.settle(1)


def _open_fold(hand: Hand, fold: Any) -> None:
    hand.click(fold.toggle)


def _part(panel: Any) -> float:
    """Return how far a panel's job is, 0..1."""
    bar = panel.job.bar
    return float(bar.value() / bar.maximum())


def _button(widget: QWidget, text: str) -> QPushButton:
    return next(b for b in widget.findChildren(QPushButton) if b.text() == text)


def _line(field: Any) -> QLineEdit:
    """Return the text field of a magicgui field."""
    native = field.native
    return native if isinstance(native, QLineEdit) else native.findChildren(QLineEdit)[0]


def _field(panel: Any, name: str) -> QLineEdit:
    return _line(panel.view.diameter.number if name == "Diameter" else getattr(panel, name))
