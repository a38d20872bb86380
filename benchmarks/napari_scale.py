"""How long the user waits in napari at 1,000,000 picks on 2,000 micrographs.

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/napari_scale.py \
        [--picks 1000000] [--micrographs 2000] [--side-px 4096] [--seed 0] [--work DIR]

In a window of 1280 x 800 pixels, drawn by whatever renderer there is (by Mesa, in software,
under Xvfb). Picks come from a STAR of random places, micrographs from MRC files of noise: eight
different ones, linked under as many names as are asked for. The mouse and the keys are real Qt
events. A step is answered when its handlers have returned: layer, counts and panel have their new
values. It is drawn when Qt has nothing left to do. "redraw" draws the same picture once more:
what the renderer alone takes. Scores are random numbers, given to the panel through the events
that a network's scoring yields.

The layers of kept and rejected picks are made while the window goes on: of these steps "stands
still" is the longest time that it answered nothing, and "updated" until all layers were there.
"processor" is what the main thread computed meanwhile, in that longest time or in the whole step:
on a busy machine it is less than the time that went by.
Memory is what the process holds after a step. The last rows are what napari alone takes to make
a layer of the kept picks, and to give it others.

What is printed is condensed by ``summarise.py printed.txt --name napari_scale``.

Beside each figure stands what napari's own means take for the same step, on a Points layer of
the same points made as most plugins make it: points coloured by a feature, relabelled by
assigning the features, thresholded with ``shown``. They do less: no labels in files, no
counts, no layers of kept and rejected picks.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pandas as pd
import starfile
from window_clock import Clock, Step

# the hand instead of this folder, whose coverage.py numba would take for the package
sys.path[0] = str(Path(__file__).parents[1] / "docs" / "scripts")

PLUGIN = "napari-pickeroptimizer"
WINDOW_PX = (1280, 800)
PIXEL_SIZE_ANG = 1.0
DIAMETER_PX = 120
N_IMAGES = 8
N_STEPS = 20
OPEN, STEP, LABEL = "open micrographs and picks", "next micrograph", "label key"
DRAG = "one step of dragging the threshold"
BUDGETS_MS = {OPEN: 15_000, LABEL: 100, STEP: 500, DRAG: 100}


def make_project(
    work: Path, n_picks: int, n_micrographs: int, side_px: int, seed: int
) -> None:
    """Write micrographs of noise and a STAR of random picks, unless they are there."""
    folder, star = work / "Micrographs", work / "picks.star"
    if star.exists():
        return
    rng = np.random.default_rng(seed)
    (work / "images").mkdir(parents=True)
    folder.mkdir()
    for i in range(N_IMAGES):
        with mrcfile.new(work / "images" / f"{i}.mrc") as mrc:
            mrc.set_data(rng.normal(size=(side_px, side_px)).astype(np.float16))
            mrc.voxel_size = PIXEL_SIZE_ANG
    names = [f"m{i:05d}.mrc" for i in range(n_micrographs)]
    for i, name in enumerate(names):
        # no symbolic link: micrographs are told apart by what their names point to
        os.link(work / "images" / f"{i % N_IMAGES}.mrc", folder / name)
    table = pd.DataFrame(
        {
            "rlnMicrographName": [
                f"Micrographs/{names[i * n_micrographs // n_picks]}" for i in range(n_picks)
            ],
            "rlnCoordinateX": rng.uniform(0, side_px, n_picks),
            "rlnCoordinateY": rng.uniform(0, side_px, n_picks),
            "rlnAutopickFigureOfMerit": rng.normal(size=n_picks),
        }
    )
    starfile.write({"particles": table}, star)


def quick_model(work: Path) -> Any:
    """Return a model with evidence, taught for a moment: only its card is used here."""
    from napari_pickeroptimizer import (
        FineTuneSettings,
        Micrographs,
        SimulationSettings,
        finetune,
        read_picks,
        simulate_project,
    )
    from napari_pickeroptimizer.prune.label_matching import match_labels_by_name

    simulation = SimulationSettings(n_micrographs=3, n_particles=20, shape_px=(480, 512))
    *_, project = simulate_project(work / "simulated", simulation, overwrite=True)
    labels = read_picks(project.labels)
    picks = match_labels_by_name(read_picks(project.picks), labels).picks
    used = picks.labels > 0
    settings = FineTuneSettings(diameter_ang=simulation.particle_ang, n_steps=5, n_folds=2)
    micrographs = Micrographs.find(project.micrographs)
    *_, tuned = finetune(micrographs, picks.select(used), settings, picks.select(~used))
    return tuned.model


def measure_ours(work: Path, model: Any, seed: int) -> dict[str, Step]:
    """Open, label, step and drag, in a window with the panels of the plugin."""
    import napari
    from hand import Hand
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_pickeroptimizer.plugin import actions, outputs, outputs_of, session
    from napari_pickeroptimizer.plugin.layer_state import picks_state
    from napari_pickeroptimizer.plugin.scores import Scores, summarise_scores
    from napari_pickeroptimizer.prune.events import MicrographScored
    from napari_pickeroptimizer.reading import MicrographRows

    clock, rng = Clock(), np.random.default_rng(seed)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW_PX)
    hand = Hand(viewer, pause=0)
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Curate picks")
    hand.settle(1)

    def open_all() -> Any:
        viewer.open(str(work / "Micrographs"), plugin=PLUGIN)
        return viewer.open(str(work / "picks.star"), plugin=PLUGIN)[0]

    layer = clock(OPEN, open_all)
    actions.set_diameter(layer, DIAMETER_PX)
    viewer.layers.selection.active = layer
    hand.settle(1)
    slices = layer.data[:, 0].astype(int)
    n_slices = slices.max() + 1

    for i in range(N_STEPS):
        clock(STEP, lambda: QTest.keyClick(hand.canvas, Qt.Key.Key_Right))
        here = np.flatnonzero(slices == viewer.dims.current_step[0])
        inside = here[np.abs(layer.data[here, 1:] - layer.data[:, 1:].max() / 2).max(1) < 1000]
        hand.point_at(layer, int(inside[0]))
        key = (Qt.Key.Key_K, Qt.Key.Key_J)[i % 2]
        clock(LABEL, lambda key=key: QTest.keyClick(hand.canvas, key))
        clock("redraw the same picture", lambda: layer.events.border_color())
    n_labels = int((session.picks_of(layer).labels > 0).sum())
    assert n_labels == N_STEPS, f"{n_labels} labels of {N_STEPS} keys"

    picks = session.picks_of(layer)
    n_classes = len(model.card.class_ids)
    scores = Scores.begin(picks, model, keep_features=False)
    picks_state(layer).begin_scores(scores)
    n = len(picks)
    p = np.where(rng.random(n) < 0.6, rng.beta(8, 1.5, n), rng.beta(1.5, 8, n))
    others = rng.dirichlet(np.ones(n_classes - 1), n) * (1 - p)[:, None]
    probabilities = np.column_stack([p, others]).astype(np.float32)
    rows_of = list(picks.rows_by_micrograph().items())

    def stream() -> None:
        from qtpy.QtWidgets import QApplication

        for i, (name, rows) in enumerate(rows_of):
            features = np.zeros((len(rows), 1), np.float32)
            done = (i + 1, len(rows_of))
            event = MicrographScored(
                MicrographRows(name, None, rows),
                probabilities[rows],
                0,
                *done,
                features=features,
            )
            outputs.take_scores(viewer, layer, event)
            QApplication.processEvents()

    clock("stream all scores", stream)
    summary = summarise_scores(model.card, scores.picks_scored(picks))
    clock("end of the scoring", lambda: outputs.take_scores(viewer, layer, summary))

    hand.tab(panel.pages.tabBar(), "Decide")
    decide, state = panel.decide, picks_state(layer)

    def is_made() -> bool:
        made = {role: len(x.data) for role, x in outputs_of(viewer, layer).items()}
        counts = state.decision.counts(state.threshold)
        return made == {"kept": counts.kept, "rejected": counts.rejected}

    clock.wait("kept and rejected picks: made", lambda: None, is_made)
    hand.settle(2)
    drag_line(hand, decide, clock)
    clock.wait("the same after a drag, hidden", lambda: None, is_made)

    def type_threshold(threshold: float) -> None:
        decide.fields.threshold.value = threshold

    def is_shown() -> bool:
        kept = outputs_of(viewer, layer)["kept"]
        return kept.visible and len(kept.data) == state.decision.counts(state.threshold).kept

    def show_kept() -> None:
        decide._choose_shown("kept")  # what the button calls

    type_threshold(0.7)
    clock.wait("the kept ones shown, out of date", show_kept, is_shown)
    clock.wait("the kept ones followed, shown", lambda: type_threshold(0.6), is_shown)
    clock.wait("the rejected ones followed, hidden", lambda: None, is_made)
    hand.settle(1)
    clock("another micrograph, scored", lambda: viewer.dims.set_current_step(0, n_slices // 2))
    viewer.close()
    return clock.steps


def drag_line(hand: Any, decide: Any, clock: Clock) -> None:
    """Drag the threshold with the mouse, from where it is to the right, step by step."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from walk import threshold_place

    widget, button, no_keys = (
        decide.plot.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    at = threshold_place(decide, 0.5)
    hand.move(widget, at.x(), at.y())
    QTest.mousePress(widget, button, no_keys, at)
    for i in range(N_STEPS):
        at = threshold_place(decide, 0.5 + 0.4 * (i + 1) / N_STEPS)
        clock(DRAG, lambda at=at: hand.move(widget, at.x(), at.y(), held=True, settle=False))
    clock("let go of the threshold", lambda: QTest.mouseRelease(widget, button, no_keys, at))
    threshold = decide.fields.threshold.value
    assert abs(threshold - 0.9) < 0.02, (
        f"the line was dragged to 0.9, the threshold is {threshold}"
    )


def measure_plain(work: Path, seed: int) -> dict[str, Step]:
    """The same steps by napari's own means."""
    import dask
    import dask.array as da
    import napari
    from qtpy.QtWidgets import QApplication

    clock, rng = Clock(), np.random.default_rng(seed)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW_PX)
    QApplication.processEvents()

    def read(path: Path) -> Any:
        with mrcfile.open(path, permissive=True) as mrc:
            return mrc.data.astype(np.float32)

    def open_all() -> Any:
        files = sorted((work / "Micrographs").iterdir())
        shape = read(files[0]).shape
        slices = [da.from_delayed(dask.delayed(read)(f), shape, np.float32) for f in files]
        viewer.add_image(da.stack(slices), contrast_limits=(-3, 3))
        table = starfile.read(work / "picks.star")
        codes, _ = pd.factorize(table["rlnMicrographName"])
        points = np.column_stack([codes, table["rlnCoordinateY"], table["rlnCoordinateX"]])
        return viewer.add_points(
            points,
            features={"label": pd.Categorical.from_codes(codes * 0, ["none", "keep", "junk"])},
            border_color="label",
            border_color_cycle={"none": "gray", "keep": "blue", "junk": "orange"},
            face_color="transparent",
            size=DIAMETER_PX,
        )

    layer = clock(OPEN, open_all)
    QApplication.processEvents()
    score = rng.random(len(layer.data))

    def label(row: int) -> None:
        features = layer.features.copy()
        features.loc[row, "label"] = "keep"
        layer.features = features
        layer.refresh_colors()

    for i in range(N_STEPS):
        clock(STEP, lambda i=i: viewer.dims.set_current_step(0, i + 1))
        clock(LABEL, lambda i=i: label(i))
    for i in range(N_STEPS):
        at = 0.5 + 0.4 * i / N_STEPS
        clock(DRAG, lambda at=at: setattr(layer, "shown", score >= at))
    layer.shown = True
    few, many = layer.data[score >= 0.45], layer.data[score >= 0.35]
    kept = clock(
        "napari alone: a layer of the kept picks",
        lambda: viewer.add_points(few, face_color="transparent", visible=False),
    )
    clock("napari alone: more points for it", lambda: setattr(kept, "data", many))
    clock("napari alone: fewer points for it", lambda: setattr(kept, "data", few))
    viewer.close()
    return clock.steps


def main() -> None:
    """Measure both and print them beside each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picks", type=int, default=1_000_000)
    parser.add_argument("--micrographs", type=int, default=2000)
    parser.add_argument("--side-px", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--work", type=Path, help="where to make the files, and find them again"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        os.environ["PICKEROPTIMIZER_STATE"] = str(
            Path(folder) / "state"
        )  # not the user's labels
        make_project(
            work, arguments.picks, arguments.micrographs, arguments.side_px, arguments.seed
        )
        ours = measure_ours(work, quick_model(Path(folder)), arguments.seed)
        plain = measure_plain(work, arguments.seed)
    print(
        f"{arguments.picks:,} picks on {arguments.micrographs:,} micrographs of "
        f"{arguments.side_px} x {arguments.side_px} px; milliseconds, median (worst)\n"
    )
    print("| " + " | ".join(HEADER) + " |")
    print("|---" * len(HEADER) + "|")
    for name, step in ours.items():
        print("| " + " | ".join(cells(name, step, plain.get(name))) + " |")
    for name, step in plain.items():
        if name not in ours:
            print("| " + " | ".join(cells(name, step, None)) + " |")


HEADER = (
    "step", "updated", "drawn", "stands still", "processor", "budget", "plain napari", "ratio",
    "memory",
)  # fmt: skip


def cells(name: str, step: Step, plain: Step | None) -> list[str]:
    """Return a row of the table."""
    budget = BUDGETS_MS.get(name)
    other = None if plain is None else float(np.median(plain.drawn))
    return [
        name,
        in_words(step.updated),
        in_words(step.drawn),
        in_words(step.still),
        in_words(step.busy),
        "" if budget is None else f"{budget:,}",
        "" if other is None else f"{other:,.0f}",
        "" if other is None else f"{np.median(step.drawn) / other:.2f}",
        f"{step.memory_gb:.1f} GB",
    ]


def in_words(times_ms: list[float]) -> str:
    """Return the median, and the worst of several."""
    if not times_ms:
        return ""
    worst = f" ({max(times_ms):,.0f})" if len(times_ms) > 1 else ""
    return f"{np.median(times_ms):,.0f}{worst}"


if __name__ == "__main__":
    main()
