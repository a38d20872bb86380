"""The report of an evaluation against truth: before and after, expected and measured, mistakes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.reading import MicrographRows
from napari_pickeroptimizer.report import provenance
from napari_pickeroptimizer.report.formatting import figure, percent
from napari_pickeroptimizer.report.highlights import PickSelection, highest
from napari_pickeroptimizer.report.page import (
    GallerySection,
    MicrographSection,
    Page,
    Summary,
    Tile,
    write_page,
)
from napari_pickeroptimizer.report.pictures import Pictures
from napari_pickeroptimizer.report.tables import (
    Table,
    count_cell,
    figure_cell,
    name_cell,
)
from napari_pickeroptimizer.report.truth_figures import (
    compare_forecast,
    quality_section,
    scores_by_truth_section,
)
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.evaluation import Evaluation
    from napari_pickeroptimizer.evaluate.matches import MicrographMatches, Quality
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.report.embedded_images import Marks

N_SHOWN = 12


def write_evaluation_report(
    path: str | Path,
    evaluation: Evaluation,
    micrographs: Micrographs | None = None,
    *,
    record: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    command: str | None = None,
) -> Path:
    """Write the report of an evaluation, one HTML file that loads nothing else.

    Parameters
    ----------
    path : str or Path
        The file, replaced in one step.
    evaluation : Evaluation
        The result of `evaluate_picks`.
    micrographs : Micrographs, optional
        For pictures; without them there are none.
    record : mapping, optional
        ``run.json`` of the pruning run, which holds the expected precision and recall.
    inputs : mapping, optional
        Files that the user passed, by name.
    command : str, optional
        The command line.

    Returns
    -------
    Path
        The file.
    """
    matches = evaluation.matches.micrographs
    qualities = evaluation.matches.qualities(evaluation.is_kept)
    f1 = [q.f1 if q.n_truth else float("nan") for q in qualities]
    order = [int(i) for i in np.argsort(f1, kind="stable")]
    numbers: dict[int, int] = {}
    selections: list[PickSelection] = []
    pictures = Pictures()
    if micrographs is not None:
        numbers = {i: k for k, i in enumerate(order[:N_SHOWN], start=1)}
        selections = _mistakes(evaluation)
        reading = pictures.read(
            _groups(matches, micrographs),
            evaluation.picks,
            BoxSettings(diameter_px=2 * evaluation.radius_px),
            {matches[i].name: _marks(evaluation, matches[i]) for i in numbers},
            selections,
        )
        deque(reading, maxlen=0)  # to its end
    run_threshold = threshold_of_record(record or {})
    threshold = run_threshold if evaluation.threshold is None else evaluation.threshold
    comparison = compare_forecast(evaluation, record)
    galleries = pictures.galleries(selections, evaluation.picks, evaluation.is_kept)
    mistakes = GallerySection(
        "Mistakes",
        "The figure is P(particle). Not every mistake is one of the model: experts miss "
        "particles too.",
        galleries,
    )
    inputs = inputs or {}
    page = Page(
        kind="Evaluation report",
        title=f"{provenance.as_text(inputs.get('picks') or 'Picks')} against the truth",
        subtitle=f"{evaluation.before.n_picks:,} picks, "
        f"{evaluation.before.n_truth:,} true centres, radius {evaluation.radius_px:g} px",
        summary=Summary(
            _result_sentence(evaluation), comparison.sentences,
            "good" if comparison.is_within else "weak",
        ),
        tiles=_tiles(evaluation),
        bar=[],
        warnings=_warnings(evaluation, pictures),
        sections=[
            quality_section(evaluation, comparison),
            scores_by_truth_section(evaluation, threshold),
        ],
        micrographs=MicrographSection(
            _micrograph_sentence(evaluation, f1),
            _micrograph_table(matches, qualities, order, numbers),
            [("Lowest F1 first", pictures.micrographs(
                numbers, [m.name for m in matches],
                {i: _caption(qualities[i]) for i in numbers},
            ))] if numbers else [],
            [("hit", "kept and true"), ("false", "kept, but false"), ("missed", "missed centre")],
        ),
        boxes=mistakes if galleries else None,
        provenance=_provenance(evaluation, inputs, run_threshold),
        command=command,
    )  # fmt: skip
    return write_page(path, page)


def threshold_of_record(record: Mapping[str, Any]) -> float | None:
    """Return the threshold of a run's record, a file that may have been edited by hand."""
    settings = record.get("settings")
    candidates = [record.get("threshold")]
    candidates += [settings.get("threshold")] if isinstance(settings, dict) else []
    valid = [float(t) for t in candidates if isinstance(t, int | float) and 0 <= t <= 1]
    return valid[0] if valid else None


def _groups(
    matches: list[MicrographMatches], micrographs: Micrographs
) -> list[MicrographRows]:
    # one name that fits several files, or of another folder, costs its picture, not the report
    found, errors = micrographs.resolve_each([m.name for m in matches])
    return [
        MicrographRows(m.name, found.get(m.name), m.rows, str(errors.get(m.name, "")))
        for m in matches
    ]


def _marks(evaluation: Evaluation, m: MicrographMatches) -> Marks:
    is_kept = evaluation.is_kept[m.rows]
    return {
        "missed": m.centres_yx_px[~m.is_found(is_kept)],
        "hit": m.coords_yx_px[is_kept & m.is_true],
        "false": m.coords_yx_px[is_kept & ~m.is_true],
    }


def _mistakes(evaluation: Evaluation) -> list[PickSelection]:
    """Return the false picks of the highest scores, and the true ones of the lowest."""
    p, rows = evaluation.picks.particle_probability, evaluation.matches.rows
    is_kept, is_true = evaluation.is_kept[rows], evaluation.matches.is_true
    scored = np.isfinite(p[rows])
    false_kept, true_lost = (
        rows[is_kept & ~is_true & scored],
        rows[~is_kept & is_true & scored],
    )
    selections = [
        PickSelection("Kept, but false", f"The highest P(particle) of {len(false_kept):,}.",
                      highest(p, false_kept)),
        PickSelection("True, but rejected", f"The lowest P(particle) of {len(true_lost):,}.",
                      highest(-p, true_lost)),
    ]  # fmt: skip
    return [s for s in selections if len(s.rows)]


def _result_sentence(evaluation: Evaluation) -> str:
    before, after = evaluation.before, evaluation.after
    return (
        f"Of {after.n_picks:,} kept picks {percent(after.precision, 1)} are true "
        f"(of all {before.n_picks:,}: {percent(before.precision, 1)}). They find "
        f"{percent(after.recall, 1)} of {after.n_truth:,} true centres (all picks: "
        f"{percent(before.recall, 1)})."
    )


def _tiles(evaluation: Evaluation) -> list[Tile]:
    before, after = evaluation.before, evaluation.after
    return [
        Tile("Precision", figure(after.precision, 3), f"before {figure(before.precision, 3)}"),
        Tile("Recall", figure(after.recall, 3), f"before {figure(before.recall, 3)}"),
        Tile("True picks kept", percent(evaluation.kept_true, 1), f"of {before.n_true:,}",
             "kept"),
        Tile("False picks removed", percent(evaluation.removed_false, 1),
             f"of {before.n_picks - before.n_true:,}", "rejected"),
        Tile("ROC AUC", figure(evaluation.roc_auc, 4), "of P(particle)"),
    ]  # fmt: skip


def _warnings(evaluation: Evaluation, pictures: Pictures) -> list[str]:
    warnings = list(evaluation.warnings)
    for names, words in (
        (evaluation.matches.without_truth, "with picks have no truth"),
        (evaluation.matches.without_picks, "with truth have no picks"),
    ):
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            warnings.append(f"{len(names):,} micrographs {words} and are left out: {shown}")
    return [*warnings, pictures.warning()]


def _caption(q: Quality) -> str:
    return (
        f"precision {figure(q.precision)}, recall {figure(q.recall)}; "
        f"{q.n_picks - q.n_true:,} false kept, {q.n_truth - q.n_found:,} missed"
    )


def _micrograph_sentence(evaluation: Evaluation, f1: Sequence[float]) -> str:
    sentence = f"{len(f1):,} micrographs have picks and truth"
    if np.isfinite(f1).any():
        sentence += f"; the median F1 is {figure(float(np.nanmedian(f1)), 3)}"
    return f"{sentence}. {percent(float(evaluation.is_kept.mean()))} of all picks are kept."


def _micrograph_table(
    matches: Sequence[MicrographMatches],
    qualities: Sequence[Quality],
    order: Sequence[int],
    numbers: Mapping[int, int],
) -> Table:
    rows = []
    for i in order:
        m, q = matches[i], qualities[i]
        counts = (len(m.rows), q.n_picks, q.n_true, q.n_truth, q.n_truth - q.n_found)
        f1 = q.f1 if q.n_truth else float("nan")
        rows.append(
            [
                name_cell(m.name, numbers.get(i)),
                *map(count_cell, counts),
                *map(figure_cell, (q.precision, q.recall, f1)),
            ]
        )
    columns = [
        "micrograph", "picks", "kept", "true kept", "true centres", "missed", "precision", "recall",
        "F1",
    ]  # fmt: skip
    return Table(columns, rows, texts=["micrograph"], is_long=True)


def _provenance(
    evaluation: Evaluation, inputs: Mapping[str, Any], run_threshold: float | None
) -> list[tuple[str, provenance.Entries]]:
    if evaluation.threshold is not None:
        decided = f"at P(particle) {evaluation.threshold:g}"
    elif run_threshold is not None:
        decided = f"as decided by the run, at {run_threshold:.3g}"
    else:
        decided = "as decided or labelled in the file"
    return [
        ("Inputs", provenance.setting_entries(inputs)),
        ("Settings", [("Radius", f"{evaluation.radius_px:g} px"), ("Kept", decided)]),
        ("Versions", [(k, str(v)) for k, v in software_versions().items()]),
    ]
