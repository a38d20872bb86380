"""A pruning session in napari, by script: the same functions as behind the panels.

python docs/examples/scripted_session.py            # opens a window and keeps it open
python docs/examples/scripted_session.py --close    # runs through and closes it
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import napari

from napari_pickeroptimizer import FineTuneSettings, SimulationSettings, simulate_project
from napari_pickeroptimizer.plugin import actions, jobs, outputs, session
from napari_pickeroptimizer.plugin.labels.vocabulary import label_text
from napari_pickeroptimizer.plugin.panels.decide.model import summary_text
from napari_pickeroptimizer.plugin.panels.export import export
from napari_pickeroptimizer.plugin.panels.learn.model import model_text


def run(
    viewer: Any, folder: Path, simulation: SimulationSettings, n_steps: int = 80
) -> export.Exported:
    """Simulate a project, prune its picks in the viewer, and write the results."""
    # 1. A small simulated project in RELION's layout
    *_, project = simulate_project(folder, simulation)

    # 2. One stack of micrographs, one layer of picks on it
    actions.open_micrographs(viewer, project.micrographs)
    picks = actions.open_picks(
        viewer, project.picks, name="picks", diameter_px=simulation.diameter_px
    )

    # 3. Labels: by row, as a key does for the selected picks ...
    actions.label_picks(picks, [0], class_id=1)
    # ... and earlier labels from a file
    n_labels = actions.take_labels(picks, project.labels)
    print(f"{n_labels} labels: {label_text(session.picks_of(picks))}")

    # 4. Fine-tune; the viewer now has a model
    settings = FineTuneSettings(
        diameter_ang=simulation.particle_ang, n_steps=n_steps, n_folds=2, device="cpu"
    )
    jobs.finetune_layer(viewer, picks, settings)
    print(model_text(session.session_of(viewer).model))

    # 5. Score all picks and set a threshold: two more layers, the source is unchanged
    jobs.score_layer(viewer, picks, device="cpu")
    pruned = outputs.set_threshold(viewer, picks, 0.4)
    print(summary_text(pruned))

    # 6. Kept, rejected and scored picks, labels, model and report, in one folder
    written = export.export(viewer, picks, folder / "pruned")
    print(*written.next_steps, sep="\n")
    print("The same without a window:", written.command, sep="\n")
    return written


def main() -> None:
    """Run the example in a window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("scripted_session"))
    parser.add_argument("--close", action="store_true", help="close the window at the end")
    arguments = parser.parse_args()
    small = SimulationSettings(n_micrographs=3, n_particles=50, shape_px=(960, 1024))
    window = napari.Viewer(title="scripted session")
    print("written:", run(window, arguments.output, small).output)
    if arguments.close:
        window.close()
    else:
        napari.run()


if __name__ == "__main__":
    main()
