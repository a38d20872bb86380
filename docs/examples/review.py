"""Review: suggestions, uncertain picks, undo, a class of your own, a second viewer.

python docs/examples/review.py            # opens two windows and keeps them open
python docs/examples/review.py --close    # runs through and closes them
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import napari
import numpy as np

from napari_pickeroptimizer import FineTuneSettings, SimulationSettings, read_picks
from napari_pickeroptimizer.plugin import (
    actions,
    jobs,
    navigation,
    outputs,
    session,
    suggestions,
    writers,
)
from napari_pickeroptimizer.plugin import samples as sample_data
from napari_pickeroptimizer.plugin.labels.vocabulary import label_text
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.prune.label_matching import match_labels_by_name

EDGE = 4  # the first class id without a default meaning


def run(
    viewer: Any,
    other: Any,
    folder: Path,
    simulation: SimulationSettings,
    n_steps: int = 80,
) -> dict[str, Any]:
    """Label suggestions, look at uncertain picks, and continue in another viewer."""
    micrographs, truth = sample_data.simulated_project(folder, simulation)
    actions.open_micrographs(viewer, micrographs)
    layer = actions.open_picks(
        viewer, truth.with_labels(0), name="picks", diameter_px=simulation.diameter_px
    )

    # 1. A class of your own; the model and the report use its name
    vocabulary = session.session_of(viewer).vocabulary.added("edge")
    actions.set_vocabulary(viewer, vocabulary)

    # 2. Suggestions: diverse picks while there is no model. The viewer goes to the first;
    #    the keys N and B go to the next and the previous, and so does this
    queue = suggestions.suggest_picks(viewer, layer, 6, device="cpu")
    asked = [int(queue.rows[0])]
    while (row := navigation.step_queue(viewer, layer, +1)) is not None and row not in asked:
        asked.append(row)
    print(f"asked for {len(asked)} picks, on {navigation.current_micrograph(viewer, layer)}")

    # 3. Labels, one of them by mistake, and undo
    known = np.flatnonzero(truth.labels)
    actions.label_picks(layer, known, truth.labels[known])
    actions.label_picks(layer, asked[:1], EDGE)
    print("before undo:", label_text(session.picks_of(layer), vocabulary))
    actions.undo(layer)
    print("after undo: ", label_text(session.picks_of(layer), vocabulary))

    # 4. Fine-tune, score, and look at the most uncertain picks
    settings = FineTuneSettings(
        diameter_ang=simulation.particle_ang, n_steps=n_steps, n_folds=0, device="cpu"
    )
    jobs.finetune_layer(viewer, layer, settings)
    scores = jobs.score_layer(viewer, layer, device="cpu")
    doubtful = np.argsort(np.abs(scores.p_particle - picks_state(layer).threshold))[:8]
    navigation.set_queue(viewer, layer, doubtful, "doubtful")
    outputs.choose_shown(viewer, layer, "kept")

    # 5. The labels alone in a file, and another viewer that continues with them
    (saved,) = writers.save_labels(layer, folder / "labels_of_today.star")
    actions.open_micrographs(other, micrographs)
    again = actions.open_picks(
        other, match_labels_by_name(truth.with_labels(0), read_picks(saved)).picks
    )
    session.session_of(other).set_model(scores.model)
    return {
        "asked": asked,
        "doubtful": doubtful,
        "saved": saved,
        "labels": session.picks_of(layer).labels,
        "labels_again": session.picks_of(again).labels,
    }


def open_docks(viewer: Any) -> list[Any]:
    """Open the panels of a viewer with a window, by their names."""
    names = ("Curate picks", "Gallery")
    return [
        viewer.window.add_plugin_dock_widget("napari-pickeroptimizer", name)[1]
        for name in names
    ]


def main() -> None:
    """Run the example in two windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("review"))
    parser.add_argument("--close", action="store_true", help="close the windows at the end")
    arguments = parser.parse_args()
    small = SimulationSettings(n_micrographs=3, n_particles=50, shape_px=(960, 1024))
    one, other = napari.Viewer(title="review"), napari.Viewer(title="the next day")
    open_docks(one)
    print(run(one, other, arguments.output, small)["saved"])
    if arguments.close:
        one.close()
        other.close()
    else:
        napari.run()


if __name__ == "__main__":
    main()
