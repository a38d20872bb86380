"""What ``suggest`` writes and prints."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import class_name
from napari_pickeroptimizer.cli.show import out, print_table
from napari_pickeroptimizer.io import write_new_star, write_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import (
    PARTIAL_LABEL,
    PROBABILITY,
    SUGGESTION,
    SUGGESTION_REASON,
    SUGGESTION_SCORE,
)

N_SHOWN = 30


def write_suggestions(picks: Picks, output: Path) -> list[Path]:
    """Write suggested picks: as a new STAR, the best first, or in the format of the input.

    The STAR has a column ``poLabel`` of zeros, for labels by hand.
    """
    columns: dict[str, NDArray[Any]] = {
        PARTIAL_LABEL: np.zeros(len(picks), dtype=np.int8),
        SUGGESTION.star: picks.table[SUGGESTION.name].to_numpy(),
        SUGGESTION_REASON.star: picks.table[SUGGESTION_REASON.name].to_numpy(dtype=object),
    }
    scores = picks.table[SUGGESTION_SCORE.name].to_numpy(dtype=np.float64)
    if not np.isnan(scores).any():
        columns[SUGGESTION_SCORE.star] = scores
    probability = picks.particle_probability
    if not np.isnan(probability).all():
        columns[PROBABILITY.star] = probability
    if output.suffix.lower() == ".star":
        return [write_new_star(picks, output, columns=columns)]
    return write_picks(picks, output, columns=columns)


def why_fewer(n: int, by: str, n_wanted: int) -> str:
    """Return why there are not as many suggestions as were wanted."""
    reason = (
        "model and picker agree on all other picks"
        if by == "disagreement"
        else "there are no other unlabelled picks"
    )
    return f"{n} of {n_wanted} suggestions: {reason} on the micrographs that were read."


def pick_records(picks: Picks, *, are_suggested: bool = True) -> list[dict[str, Any]]:
    """Return picks as plain values for JSON and the terminal.

    A labels file may hold the ranks of an earlier list of suggestions, or some of them; they
    are not those of this one.
    """
    probability = picks.particle_probability
    rows = []
    for i, pick in enumerate(picks.table.to_dict("records")):
        row = {"micrograph": pick["micrograph"], "x": pick["x"], "y": pick["y"]}
        if pick["label"]:
            row["label"] = int(pick["label"])
        if are_suggested:
            score = pick["suggestion_score"]
            row["rank"] = int(pick["suggestion"])
            row["reason"] = pick["suggestion_reason"]
            row["score"] = None if np.isnan(score) else round(float(score), 4)
        if not np.isnan(probability[i]):
            row["p_particle"] = round(float(probability[i]), 4)
        rows.append(row)
    return rows


def _label_text(class_id: int) -> str:
    """Return ``2 contaminant``."""
    return f"{class_id} {class_name(class_id)}"


def report_suggestions(record: dict[str, Any], output: Path) -> None:
    """Print suggestions, and doubtful labels, as tables."""
    rows = record["suggestions"]

    def cells(row: dict[str, Any], *more: str) -> tuple[str, ...]:
        p = row.get("p_particle")
        shown = "–" if p is None else f"{p:.3f}"
        name = PurePosixPath(row["micrograph"]).name  # the full path would be too wide
        return name, f"{row['x']:.0f}", f"{row['y']:.0f}", shown, *more

    title = f"{len(rows)} of {record['n_compared']:,} picks compared, by {record['by']}"
    columns = ("micrograph", "x", "y", "P(particle)")
    print_table(title, (*columns, "reason"), [cells(r, r["reason"]) for r in rows[:N_SHOWN]])
    if len(rows) > N_SHOWN:
        out.print(f"... and {len(rows) - N_SHOWN} more")
    doubtful = record["doubtful_labels"]
    if doubtful:
        print_table(
            "Labels that the model, or the other labels, contradict: check them",
            (*columns, "your label"),
            [cells(r, _label_text(r["label"])) for r in doubtful[:N_SHOWN]],
        )
    if any("p_particle" in row for row in (*rows, *doubtful)):
        out.print(
            "P(particle) is how sure the model is that a pick is a particle, whatever its label: "
            "near 0 it is sure of the contrary."
        )
    out.print(f"Written to {output}", markup=False)
    if rows:
        out.print(
            "Next: label them in napari, or in the column poLabel of the file (1 particle, "
            "2 contaminant, 3 carbon), and pass the file to `pickeroptimizer finetune` with "
            "--labels, together with the labels so far."
        )
