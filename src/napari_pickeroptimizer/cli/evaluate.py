"""``pickeroptimizer evaluate``: picks against true centres."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_pickeroptimizer.cli.options import JsonOption
from napari_pickeroptimizer.cli.show import out, percent, print_json, print_table, warn
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.prune.evaluate import Evaluation
from napari_pickeroptimizer.prune.evaluate import evaluate as evaluate_picks


def evaluate(
    picks: Annotated[
        list[str], typer.Option("--picks", "-p", help="Pruned picks: scored.star or scored/.")
    ],
    truth: Annotated[list[str], typer.Option("--truth", help="True particle centres.")],
    radius_px: Annotated[
        float,
        typer.Option(
            "--radius-px", help="A pick this near to a true centre is true; half a diameter."
        ),
    ],
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", "-t", help="Judge at this P(particle), not as decided."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print precision and recall of picks before and after pruning."""
    result = evaluate_picks(read_picks(picks), read_picks(truth), radius_px, threshold)
    if result.micrographs_without_truth:
        n = len(result.micrographs_without_truth)
        warn(f"{n} micrographs with picks have no truth and are left out.")
    if as_json:
        print_json(result.summary())
    else:
        print_evaluation(result)


def print_evaluation(result: Evaluation) -> None:
    """Print an evaluation as a table."""
    rows = [
        [
            name,
            f"{quality.n_picks:,}",
            percent(quality.precision),
            percent(quality.recall),
            f"{quality.f1:.3f}",
        ]
        for name, quality in (("before", result.before), ("after", result.after))
    ]
    print_table(
        f"Picks against {result.before.n_truth:,} true centres, radius {result.radius_px:g} px",
        ["", "picks", "precision", "recall", "F1"],
        rows,
    )
    out.print(
        f"Kept {percent(result.kept_true)} of the true picks, removed "
        f"{percent(result.removed_false)} of the false ones; ROC AUC "
        + ("–" if result.roc_auc != result.roc_auc else f"{result.roc_auc:.4f}")
    )
