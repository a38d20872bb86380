"""The micrographs of a run in its report: unusual ones first, a chart, a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_pickeroptimizer.report.formatting import percent
from napari_pickeroptimizer.report.highlights import choose_micrographs
from napari_pickeroptimizer.report.micrograph_chart import share_by_micrograph
from napari_pickeroptimizer.report.page import Figure, MicrographSection
from napari_pickeroptimizer.report.tables import (
    Cell,
    Table,
    count_cell,
    figure_cell,
    name_cell,
    share_cell,
)
from napari_pickeroptimizer.trust.sanity import check_shares

if TYPE_CHECKING:
    from napari_pickeroptimizer.report.pictures import Pictures

COUNTS = ["picks", "kept", "rejected", "unscored"]


class MicrographsOfRun:
    """The record's counts of each micrograph, what is unusual in them, and what is shown.

    Parameters
    ----------
    record : mapping
        Of the run.

    Attributes
    ----------
    counts : DataFrame
        One row a micrograph: its name, `COUNTS`, ``scored``, and the kept ``share`` of these,
        NaN where there are none.
    check : ShareCheck
        What is unusual.
    unusual, typical : list of int
        Positions of the micrographs whose pictures are shown.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.counts = pd.DataFrame(record["micrographs"], columns=["micrograph", *COUNTS])
        kept = self.counts["kept"]
        self.counts["scored"] = scored = kept + self.counts["rejected"]
        self.counts["share"] = kept / scored
        self.names = self.counts["micrograph"].tolist()
        self.check = check_shares(self.names, scored.to_numpy(), kept.to_numpy())
        self.unusual, self.typical = choose_micrographs(self.check)

    def section(self, pictures: Pictures) -> MicrographSection:
        """Return the section on micrographs: pictures of some, a chart and a table of all."""
        counts, n_unusual = self.counts, int(self.check.unusual.sum())
        intro = "No micrograph was scored."
        if counts["share"].notna().any():
            are = "is" if n_unusual == 1 else "are"
            intro = (
                f"The median micrograph keeps {percent(counts['share'].median())} of its picks; "
                + (f"{n_unusual:,} {are} far from it" if n_unusual else "none is far from it")
                + (": ice, carbon or drift may be different there." if n_unusual else ".")
            )
        numbers = {i: k for k, i in enumerate([*self.unusual, *self.typical], start=1)}
        captions = {
            i: f"{row['kept']:,} of {row['scored']:,} kept ({percent(row['share'])})"
            for i, row in ((i, counts.iloc[i]) for i in numbers)
        }
        overview = Figure(
            "Kept share by micrograph",
            "The numbers link to the pictures below. Unusual micrographs are more than three "
            "standard deviations (robust, with the chance variation of few picks) from the "
            "median.",
            share_by_micrograph(
                self.names, counts["share"].to_numpy(), counts["scored"].to_numpy(),
                self.check.unusual, numbers,
            ),
            [("point", "micrograph"),
             *([("unusual", "unusual micrograph")] if n_unusual else []), ("median", "median")],
        )  # fmt: skip
        groups = [
            ("Unusual micrographs, the farthest from the median first", self.unusual),
            ("Typical micrographs" if self.unusual else "Pictures", self.typical),
        ]
        kinds = [
            "kept",
            "rejected",
            *(["unscored"] if self.record["counts"]["unscored"] else []),
        ]
        return MicrographSection(
            intro,
            self._table(numbers).without_empty_columns(),
            [
                (
                    title,
                    pictures.micrographs({i: numbers[i] for i in of}, self.names, captions),
                )
                for title, of in groups
                if of
            ],
            [(kind, kind) for kind in kinds],
            overview,
        )

    def _table(self, numbers: Mapping[int, int]) -> Table:
        """Return one row a micrograph: unreadable ones first, then the farthest from the median."""
        unreadable = self.record.get("unreadable", {})
        deviation, flags = self.check.deviation, self.check.flags
        far = np.nan_to_num(np.abs(deviation), nan=np.inf)
        rows = []
        for i in np.argsort(-far, kind="stable").tolist():
            name, row = self.names[i], self.counts.iloc[i]
            reason = unreadable.get(name)
            note = f"not scored: {reason}" if reason else flags[i] or ""
            rows.append(
                [
                    name_cell(name, numbers.get(i)),
                    *map(count_cell, row[COUNTS]),
                    share_cell(row["share"]),
                    figure_cell(deviation[i], "+.1f"),
                    Cell(note, note),
                ]
            )
        columns = ["micrograph", *COUNTS, "kept share", "deviation (σ)", "note"]
        return Table(columns, rows, texts=["micrograph", "note"], is_long=True)
