"""The micrographs of a pruning run: plot, table, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.report.images import Marks
from napari_pickeroptimizer.report.micrograph_charts import share_by_micrograph
from napari_pickeroptimizer.report.page import percent
from napari_pickeroptimizer.report.sections import (
    Cell,
    count_cell,
    name_cell,
    share_cell,
    shown_micrographs,
    without_empty,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.report.choose import Shares
    from napari_pickeroptimizer.report.pictures import Pictures


KEPT_KEY = [("kept", "kept"), ("rejected", "rejected")]
COLUMNS = [
    ("micrograph", "text"),
    ("picks", "number"),
    ("kept", "number"),
    ("rejected", "number"),
    ("unscored", "number"),
    ("kept share", "number"),
    ("deviation (σ)", "number"),
    ("note", "text"),
]


def marks(decided: Picks, rows: NDArray[np.intp]) -> list[Marks]:
    """Return what is drawn on a micrograph: its picks at `rows`, by what became of them."""
    predicted = decided.table["predicted"].to_numpy()[rows]
    coords = decided.coords_yx_px()[rows]
    return [
        Marks("unscored", coords[predicted == UNLABELLED]),
        Marks("rejected", coords[predicted > PARTICLE]),
        Marks("kept", coords[predicted == PARTICLE]),
    ]


def micrograph_part(
    counted: Shares,
    record: Mapping[str, Any],
    unusual: list[int],
    typical: list[int],
    links: dict[int, str],
    pictures: Pictures,
) -> dict[str, Any]:
    """Return plot, table and pictures of the micrographs."""
    told = {
        i: f"{counted.n_kept[i]:,} of {counted.n_scored[i]:,} kept "
        f"({percent(float(counted.share[i]))})"
        for i in links
    }
    n_unusual = int(counted.unusual.sum())
    share = counted.share[np.isfinite(counted.share)]
    words = "No micrograph was scored."
    if len(share):
        words = (
            f"The median micrograph keeps {percent(float(np.median(share)))} of its picks. "
        )
        words += {0: "None is far from it.", 1: "One is far from it"}.get(
            n_unusual, f"{n_unusual:,} are far from it"
        )
        if n_unusual:
            words += ": ice, carbon or drift may be different there."
    columns, rows = without_empty(COLUMNS, micrograph_rows(counted, record, links))
    return {
        "words": words,
        "svg": share_by_micrograph(
            counted.names, counted.share, counted.n_scored, counted.unusual, links
        ),
        "legend": [
            ("point", "micrograph"),
            *([("unusual", "unusual one")] if n_unusual else []),
            ("median", "median"),
        ],
        "caption": "Numbers lead to the pictures below. Unusual is what lies beyond three robust "
        "standard deviations, chance of few picks included.",
        "columns": columns,
        "rows": rows,
        "shown": bool(links),
        "unusual": shown_micrographs(unusual, counted.names, told, links, pictures),
        "typical": shown_micrographs(typical, counted.names, told, links, pictures),
        "marks_legend": [*KEPT_KEY, *([("unscored", "unscored")] if record["counts"]["unscored"]
                                     else [])],
    }  # fmt: skip


def micrograph_rows(
    counted: Shares, record: Mapping[str, Any], links: Mapping[int, str]
) -> list[list[Cell]]:
    """Return the table's rows: unreadable micrographs first, then the most unusual."""
    unreadable = record.get("unreadable", {})
    flags = {e["micrograph"]: e.get("flag") for e in record.get("micrographs", [])}
    far = np.abs(counted.deviation)
    order = np.argsort(np.where(np.isfinite(far), -far, -np.inf), kind="stable")
    rows = []
    for i in order:
        name, deviation = counted.names[i], float(counted.deviation[i])
        note = ""
        if name in unreadable:
            note = f"not scored: {unreadable[name]}"
        elif flags.get(name):
            note = str(flags[name])
        elif counted.unusual[i]:
            note = "keeps far " + ("fewer" if deviation < 0 else "more") + " than the others"
        rows.append(
            [
                name_cell(name, links.get(int(i))),
                count_cell(len(counted.rows[i])),
                count_cell(int(counted.n_kept[i])),
                count_cell(int(counted.n_rejected[i])),
                count_cell(int(counted.n_unscored[i])),
                share_cell(float(counted.share[i])),
                Cell(f"{deviation:+.1f}".replace("-", "−"), f"{deviation:.3f}")
                if np.isfinite(deviation)
                else Cell("–", ""),
                Cell(note, note, "text"),
            ]
        )
    return rows
