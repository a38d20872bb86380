"""Yesterday's model on today's picks: a threshold for a given precision, and one file.

python docs/examples/reuse_model.py --model model.safetensors --micrographs MotionCorr/job002 \
    --picks AutoPick/job006/autopick.star --precision 0.9 --output AutoPick/job006_kept

Nothing here needs a window: `napari.components.ViewerModel` is a viewer without one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari.components import ViewerModel

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin import actions, jobs, outputs, session
from napari_pickeroptimizer.plugin.panels.decide.model import summary_text
from napari_pickeroptimizer.plugin.panels.export import export
from napari_pickeroptimizer.plugin.panels.learn.model import model_text


def run(
    viewer: Any,
    model: Path,
    micrographs: Path,
    picks: Path,
    output: Path,
    *,
    precision: float = 0.9,
    device: str = "auto",
) -> export.Exported:
    """Score picks with a saved model, and write those kept at a given expected precision."""
    # 1. The micrographs of the picks are found by name
    actions.open_micrographs(viewer, micrographs)
    layer = actions.open_picks(viewer, picks, name="new picks")

    # 2. The model knows the particle diameter, in Å: other pixel sizes do not matter
    jobs.load_model(viewer, model)
    print(model_text(session.session_of(viewer).model))
    scores = jobs.score_layer(viewer, layer, device=device)

    # 3. The out-of-fold scores of the labels give the expected precision of a threshold
    if scores.forecast is None:
        print("No expected precision: the model was not cross-validated. Using 0.5.")
        threshold = 0.5
    else:
        try:
            threshold = scores.forecast.threshold_for_precision(precision)
        except SettingsError as error:  # its message names the best that can be reached
            print(error)
            threshold = scores.forecast.best_f1()
        print(scores.forecast.at(threshold).sentence())
    pruned = outputs.set_threshold(viewer, layer, threshold)
    print(summary_text(pruned))

    # 4. Only the kept picks, in the format of the input: a file, or a tree of files
    return export.export(viewer, layer, output, export.ExportSettings(what="kept"))


def main() -> None:
    """Run the example without a window."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "micrographs", "picks", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--precision", type=float, default=0.9)
    given = parser.parse_args()
    written = run(
        ViewerModel(),
        given.model,
        given.micrographs,
        given.picks,
        given.output,
        precision=given.precision,
    )
    print("written:", *written.files, *written.next_steps, sep="\n")


if __name__ == "__main__":
    main()
