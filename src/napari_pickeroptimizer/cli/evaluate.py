"""``pickeroptimizer evaluate``: picks against true centres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_pickeroptimizer.cli.command_record import running_command
from napari_pickeroptimizer.cli.options import (
    FlipYOption,
    JsonOption,
    OverwriteOption,
)
from napari_pickeroptimizer.cli.show import out, percent, print_json, print_table, warn
from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.evaluation import Evaluation


def evaluate(
    picks: Annotated[
        list[str], typer.Option("--picks", "-p", help="Pruned picks: scored.star or scored/.")
    ],
    truth: Annotated[list[str], typer.Option(help="True particle centres.")],
    radius_px: Annotated[
        float,
        typer.Option(
            help="A pick this near to a true centre is true; half a diameter is usual."
        ),
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", "-t", help="Evaluate at this threshold instead of as decided."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report with all curves to this .html file.")
    ] = None,
    micrographs: Annotated[
        list[str] | None,
        typer.Option(
            "--micrographs",
            "-m",
            help="For pictures in the report: as for prune; may be repeated.",
        ),
    ] = None,
    flip_y: FlipYOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print precision and recall of picks before and after pruning."""
    from napari_pickeroptimizer.cli.files import find_micrographs
    from napari_pickeroptimizer.io import read_picks

    if report is not None:
        _check_report_path(report, overwrite)
    elif micrographs:
        raise SettingsError(
            "--micrographs are for the pictures of a report: give --report too."
        )
    images = find_micrographs(micrographs, None, flip_y) if micrographs else None
    picked, true_picks = read_picks(picks), read_picks(truth)
    # scikit-learn and scipy, which files that cannot be read do not wait for
    from napari_pickeroptimizer.evaluate.evaluation import evaluate_picks

    evaluation = evaluate_picks(picked, true_picks, radius_px, threshold, images)
    if evaluation.matches.without_truth:
        n = len(evaluation.matches.without_truth)
        warn(f"{n} micrographs with picks have no truth and are left out.")
    for warning in evaluation.warnings:
        warn(warning)
    if report is not None:
        # jinja and pillow, for a report only
        from napari_pickeroptimizer.report import write_evaluation_report

        write_evaluation_report(
            report,
            evaluation,
            images,
            record=run_record_beside(picks),
            inputs={"picks": picks, "truth": truth, "micrographs": micrographs},
            command=running_command(),
        )
    if as_json:
        print_json(evaluation.summary())
        return
    print_evaluation(evaluation)
    if report is not None:
        out.print(f"Report: {report}", markup=False)


def _check_report_path(report: Path, overwrite: bool) -> None:
    from napari_pickeroptimizer.staging import check_writable

    if report.is_dir():
        raise SettingsError(
            f"--report {report} is a folder: give a file, such as report.html."
        )
    if report.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(f"--report {report}: a report is a web page, call it .html.")
    if report.exists() and not overwrite:
        raise SettingsError(f"--report {report} exists: choose another name, or --overwrite.")
    check_writable(report.parent)


def run_record_beside(paths: list[str]) -> dict[str, Any] | None:
    """Return the record of the run that wrote the picks, None where none is beside them.

    ``run.json`` lies beside ``scored.star``, and above ``scored/autopick.star``.
    """
    from napari_pickeroptimizer.staging import RUN_RECORD

    for path in map(Path, paths):
        for folder in (path, path.parent, path.parent.parent):
            try:
                record = json.loads((folder / RUN_RECORD).read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(record, dict) and record.get("command") in ("prune", "decide"):
                return record
    return None


def print_evaluation(evaluation: Evaluation) -> None:
    """Print an evaluation as a table."""
    rows = [
        [
            name,
            f"{quality.n_picks:,}",
            percent(quality.precision),
            percent(quality.recall),
            f"{quality.f1:.3f}",
        ]
        for name, quality in (("before", evaluation.before), ("after", evaluation.after))
    ]
    print_table(
        f"Picks against {evaluation.before.n_truth:,} true centres, "
        f"radius {evaluation.radius_px:g} px",
        ["", "picks", "precision", "recall", "F1"],
        rows,
    )
    auc = evaluation.roc_auc
    out.print(
        f"Kept {percent(evaluation.kept_true)} of the true picks, removed "
        f"{percent(evaluation.removed_false)} of the false ones; ROC AUC "
        + ("–" if auc != auc else f"{auc:.4f}")
    )
