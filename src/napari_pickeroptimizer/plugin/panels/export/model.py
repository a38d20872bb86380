"""What the export panel says: counts, what is missing, what was written. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.classes import class_name
from napari_pickeroptimizer.plugin.panels.export.export import Exported
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.prune.counts import Counts


def what_is_missing(session: Session) -> str:
    """Return what keeps the picks from being exported, in the user's words; else nothing."""
    layer = session.picks_layer
    if layer is None:
        return "Open picks first."
    scores: Scores | None = session.scores.get(layer)
    if scores is None:
        return "Score the picks first (Decide). Labels alone can be saved below."
    if not scores.complete:
        return "The picks are being scored: wait for the last of them."
    if session.stack_layer is None:
        return "Open the micrographs of these picks first."
    return ""


def count_rows(scores: Scores) -> list[tuple[str, str, str]]:
    """Return what is kept, rejected and unscored: name, number, and what there is to say."""
    counts: Counts = scores.decision.counts(scores.threshold)
    n = max(counts.n_picks, 1)
    names = scores.card.names
    by_class = ", ".join(
        f"{k:,} {class_name(c, names)}" for c, k in counts.rejected_by_class.items()
    )
    kept = f"{counts.kept / n:.0%} of {counts.n_picks:,} picks"
    if counts.kept_by_label:
        kept += f", {counts.kept_by_label:,} by label"
    places = f"{counts.rejected_by_place:,} by place" if counts.rejected_by_place else ""
    rows = [
        ("Kept", f"{counts.kept:,}", kept),
        ("Rejected", f"{counts.rejected:,}", ", ".join(p for p in (by_class, places) if p)),
    ]
    if counts.unscored:
        why = "outside, or on micrographs that cannot be read"
        rows.append(("Unscored", f"{counts.unscored:,}", why))
    return rows


def short_steps(exported: Exported) -> list[str]:
    """Return the next steps with paths below the place of the export."""
    folder = exported.output if exported.output.is_dir() else exported.output.parent
    return [step.replace(f"{folder}/", "") for step in exported.next_steps]


def exported_text(exported: Exported) -> str:
    """Return what was written, in a line."""
    counts: Mapping[str, Any] = exported.counts
    n = len(exported.files)
    files = (
        f"{n:,} files" if n > 1 else exported.files[0].name if exported.files else "nothing"
    )
    return f"{counts['kept']:,} kept picks; {files} written."


def links(exported: Exported) -> dict[str, Path]:
    """Return what can be opened, by the words for it."""
    folder = exported.output if exported.output.is_dir() else exported.output.parent
    found = {} if exported.report is None else {"Open report": exported.report}
    return {**found, "Open folder": folder}
