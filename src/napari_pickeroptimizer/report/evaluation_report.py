"""The report of an evaluation against truth: what was promised, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.evaluate.evaluation import kept_mask
from napari_pickeroptimizer.evaluate.matches import MicrographMatches, match
from napari_pickeroptimizer.report import facts
from napari_pickeroptimizer.report.choose import Choice, boxes_by_micrograph, extreme
from napari_pickeroptimizer.report.evaluation_section import (
    charts_part,
    micrograph_part,
    promised_part,
    quality_part,
)
from napari_pickeroptimizer.report.images import Marks
from napari_pickeroptimizer.report.page import count, figure, percent, write_page
from napari_pickeroptimizer.report.pictures import Pictures, read_pictures
from napari_pickeroptimizer.report.sections import gallery, reading_note, unique
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.evaluation import Evaluation
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.picks import Picks

SECTIONS = [
    ("quality", "Before and after"),
    ("scores", "Scores"),
    ("micrographs", "Micrographs"),
    ("how", "How it was made"),
]
N_SHOWN = 12
N_BOXES = 24


def write_evaluation_report(
    path: str | Path,
    evaluation: Evaluation,
    picks: Picks,
    truth: Picks,
    micrographs: Micrographs | None = None,
    *,
    threshold: float | None = None,
    record: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    command: str | None = None,
) -> Path:
    """Write the report of an evaluation, one HTML file that needs nothing from elsewhere.

    Parameters
    ----------
    path : str or Path
        The file, replaced in one step.
    evaluation : Evaluation
        What `evaluate` gave.
    picks, truth : Picks
        What it was given.
    micrographs : Micrographs, optional
        For pictures; without them there are none.
    threshold : float, optional
        What `evaluate` was given.
    record : mapping, optional
        ``run.json`` of the pruning run; its ``expectation`` is what was promised.
    inputs : mapping, optional
        What the user passed.
    command : str, optional
        The command line as typed.

    Returns
    -------
    Path
        The file.
    """
    matches = match(picks, truth, evaluation.radius_px)
    is_kept = kept_mask(picks, threshold)
    run_threshold = _threshold(record or {})
    at = threshold if threshold is not None else run_threshold
    order, scores = by_f1(matches, is_kept)
    chosen = _mistakes(picks, matches, is_kept) if micrographs is not None else []
    pictures = Pictures()
    links: dict[int, str] = {}
    if micrographs is not None:
        links = {i: str(k) for k, i in enumerate(order[:N_SHOWN], start=1)}
        rows = {m.name: m.rows for m in matches}
        pictures = read_pictures(
            micrographs,
            picks,
            BoxSettings(diameter_px=2 * evaluation.radius_px),
            thumbnails={matches[i].name: _marks(picks, matches[i], is_kept) for i in links},
            boxes=boxes_by_micrograph(chosen, rows),
        )
    galleries = [gallery(c, picks, is_kept, pictures) for c in chosen]
    forecast = promised_part(matches, picks.particle_probability, record)
    values = {
        **_head(evaluation, inputs or {}, picks),
        "sections": SECTIONS,
        "forecast": _found(evaluation, forecast["lines"], forecast["state"]),
        "tiles": _tiles(evaluation),
        "warnings": _warnings(evaluation, pictures),
        "quality": quality_part(evaluation),
        "promised": forecast["chart"],
        "no_promise": forecast["why_not"],
        "charts": charts_part(evaluation, matches, picks, at),
        "radius": f"{evaluation.radius_px:g}",
        "micrographs": micrograph_part(matches, is_kept, order, scores, links, pictures),
        "galleries": [g for g in galleries if g.boxes],
        "command": command,
        "facts": _facts(evaluation, inputs or {}, threshold, run_threshold),
    }
    return write_page(path, "evaluation.html", values)


def _threshold(record: Mapping[str, Any]) -> float | None:
    """Return the threshold of a run's record, a file that anybody may have edited."""
    settings = record.get("settings")
    told = [record.get("threshold")]
    told += [settings.get("threshold")] if isinstance(settings, dict) else []
    good = [float(t) for t in told if isinstance(t, int | float) and 0 <= t <= 1]
    return good[0] if good else None


def _head(evaluation: Evaluation, inputs: Mapping[str, Any], picks: Picks) -> dict[str, Any]:
    given = facts.words(inputs.get("picks") or "Picks")
    n_truth = evaluation.before.n_truth
    return {
        "kind": "Evaluation report",
        "title": f"{given} against the truth",
        "subtitle": f"{count(evaluation.before.n_picks)} picks, {count(n_truth)} true centres, "
        f"radius {evaluation.radius_px:g} px",
        "version": software_versions()["napari-pickeroptimizer"],
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _found(evaluation: Evaluation, lines: Sequence[str], state: str) -> dict[str, Any]:
    before, after = evaluation.before, evaluation.after
    return {
        "state": state,
        "sentence": (
            f"Of {after.n_picks:,} kept picks {percent(after.precision, 1)} are true "
            f"(of all {before.n_picks:,}: {percent(before.precision, 1)}). They find "
            f"{percent(after.recall, 1)} of {after.n_truth:,} true centres (all picks: "
            f"{percent(before.recall, 1)})."
        ),
        "lines": list(lines),
    }


def _tiles(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    before, after = evaluation.before, evaluation.after
    return [
        ("", "Precision", figure(after.precision, 3), f"before {figure(before.precision, 3)}"),
        ("", "Recall", figure(after.recall, 3), f"before {figure(before.recall, 3)}"),
        ("kept", "True picks kept", percent(evaluation.kept_true, 1), f"of {before.n_true:,}"),
        ("rejected", "False picks removed", percent(evaluation.removed_false, 1),
         f"of {before.n_picks - before.n_true:,}"),
        ("", "ROC AUC", figure(evaluation.roc_auc, 4), "of P(particle)"),
    ]  # fmt: skip


def _warnings(evaluation: Evaluation, pictures: Pictures) -> list[str]:
    told = list(evaluation.warnings)
    for names, words in (
        (evaluation.micrographs_without_truth, "with picks have no truth"),
        (evaluation.micrographs_without_picks, "with truth have no picks"),
    ):
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            told.append(f"{len(names):,} micrographs {words} and are left out: {shown}")
    return unique([*told, reading_note(pictures)])


def by_f1(
    matches: Sequence[MicrographMatches], is_kept: NDArray[np.bool_]
) -> tuple[list[int], list[dict[str, float]]]:
    """Return the micrographs' positions, the lowest F1 first, and their figures."""
    figures = []
    for m in matches:
        keeps = is_kept[m.rows]
        n_kept, n_hits = int(keeps.sum()), int((keeps & m.is_true).sum())
        n_found, n_truth = int(m.found(keeps).sum()), len(m.centres_yx_px)
        precision = n_hits / n_kept if n_kept else float("nan")
        recall = n_found / n_truth if n_truth else float("nan")
        total = precision + recall
        f1 = 2 * precision * recall / total if total > 0 else 0.0 if n_truth else float("nan")
        figures.append(
            {
                "picks": len(m.rows), "kept": n_kept, "hits": n_hits, "centres": n_truth,
                "missed": n_truth - n_found, "precision": precision, "recall": recall, "f1": f1,
            }
        )  # fmt: skip
    low = np.array([f["f1"] for f in figures])
    return [int(i) for i in np.argsort(low, kind="stable")], figures


def _marks(picks: Picks, m: MicrographMatches, is_kept: NDArray[np.bool_]) -> list[Marks]:
    keeps = is_kept[m.rows]
    coords = picks.coords_yx_px()[m.rows]
    return [
        Marks("missed", m.centres_yx_px[~m.found(keeps)]),
        Marks("hit", coords[keeps & m.is_true]),
        Marks("false", coords[keeps & ~m.is_true]),
    ]


def _mistakes(
    picks: Picks, matches: Sequence[MicrographMatches], is_kept: NDArray[np.bool_]
) -> list[Choice]:
    p = picks.particle_probability
    if np.isnan(p).all():
        return []
    rows = np.concatenate([m.rows for m in matches])
    is_true = np.concatenate([m.is_true for m in matches])
    scored = np.isfinite(p[rows])
    false_kept = rows[~is_true & is_kept[rows] & scored]
    true_lost = rows[is_true & ~is_kept[rows] & scored]
    chosen = [
        Choice(
            "Kept, but false",
            f"The highest P(particle) of {len(false_kept):,}.",
            "kept",
            extreme(p, false_kept, N_BOXES),
        ),
        Choice(
            "True, but rejected",
            f"The lowest P(particle) of {len(true_lost):,}.",
            "rejected",
            extreme(-p, true_lost, N_BOXES),
        ),
    ]
    return [c for c in chosen if len(c.rows)]


def _facts(
    evaluation: Evaluation,
    inputs: Mapping[str, Any],
    threshold: float | None,
    run_threshold: float | None,
) -> list[tuple[str, facts.Facts]]:
    if threshold is not None:
        decided = f"at P(particle) {threshold:g}"
    elif run_threshold is not None:
        decided = f"as the run decided, at {run_threshold:.3g}"
    else:
        decided = "as the picks say"
    return [
        ("Inputs", facts.named(inputs)),
        ("Settings", [("Radius", f"{evaluation.radius_px:g} px"), ("Kept", decided)]),
        ("Versions", [(k, str(v)) for k, v in software_versions().items()]),
    ]
