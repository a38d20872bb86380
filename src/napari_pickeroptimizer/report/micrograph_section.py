"""The micrographs of a run in its report: unusual ones first, a chart, a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.report.formatting import percent
from napari_pickeroptimizer.report.micrograph_chart import share_by_micrograph
from napari_pickeroptimizer.report.page import (
    Figure,
    MicrographSection,
)
from napari_pickeroptimizer.report.tables import (
    Table,
    count_cell,
    figure_cell,
    name_cell,
    numbered,
    share_cell,
    text_cell,
)
from napari_pickeroptimizer.trust.sanity import ShareCheck, check_shares

if TYPE_CHECKING:
    from napari_pickeroptimizer.report.pictures import Pictures

    pass


@dataclass(frozen=True, eq=False)
class MicrographCounts:
    """The record's counts of each micrograph, as arrays, and what is unusual in them."""

    names: list[str]
    n_kept: NDArray[np.intp]
    n_scored: NDArray[np.intp]
    check: ShareCheck

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> MicrographCounts:
        """Return the counts of a run's record."""
        entries = record["micrographs"]
        names = [e["micrograph"] for e in entries]
        n_kept, n_rejected = (
            np.array([e[k] for e in entries], dtype=np.intp) for k in ("kept", "rejected")
        )
        n_scored = n_kept + n_rejected
        return cls(names, n_kept, n_scored, check_shares(names, n_scored, n_kept))

    @property
    def share(self) -> NDArray[np.float64]:
        """(m,) kept share of the scored picks, NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.n_kept / self.n_scored)


def micrograph_section(
    counts: MicrographCounts,
    record: Mapping[str, Any],
    unusual: Sequence[int],
    typical: Sequence[int],
    numbers: Mapping[int, int],
    pictures: Pictures,
) -> MicrographSection:
    """Return the section on micrographs: pictures of some, a chart and a table of all."""
    share, check = counts.share, counts.check
    n_unusual = int(check.unusual.sum())
    intro = "No micrograph was scored."
    if np.isfinite(share).any():
        are = "is" if n_unusual == 1 else "are"
        intro = (
            f"The median micrograph keeps {percent(float(np.nanmedian(share)))} of its picks; "
            + (f"{n_unusual:,} {are} far from it" if n_unusual else "none is far from it")
            + (": ice, carbon or drift may be different there." if n_unusual else ".")
        )
    captions = {
        i: f"{counts.n_kept[i]:,} of {counts.n_scored[i]:,} kept ({percent(share[i])})"
        for i in numbers
    }
    overview = Figure(
        "Kept share by micrograph",
        "The numbers link to the pictures below. Unusual micrographs are more than three "
        "standard deviations (robust, with the chance variation of few picks) from the median.",
        share_by_micrograph(counts.names, share, counts.n_scored, check.unusual, numbers),
        [("point", "micrograph"), *([("unusual", "unusual micrograph")] if n_unusual else []),
         ("median", "median")],
    )  # fmt: skip
    groups = [
        ("Unusual micrographs, the farthest from the median first", unusual),
        ("Typical micrographs" if unusual else "Pictures", typical),
    ]
    unscored = [("unscored", "unscored")] if record["counts"]["unscored"] else []
    return MicrographSection(
        intro,
        _micrograph_table(counts, record, numbers).without_empty_columns(),
        [
            (
                title,
                pictures.micrographs({i: numbers[i] for i in chosen}, counts.names, captions),
            )
            for title, chosen in groups
            if chosen
        ],
        [("kept", "kept"), ("rejected", "rejected"), *unscored],
        overview,
    )


def _micrograph_table(
    counts: MicrographCounts, record: Mapping[str, Any], numbers: Mapping[int, int]
) -> Table:
    """Return one row a micrograph: unreadable ones first, then the farthest from the median."""
    unreadable = record.get("unreadable", {})
    far = np.abs(counts.check.deviation)
    rows = []
    for i in np.argsort(np.where(np.isfinite(far), -far, -np.inf), kind="stable"):
        name, entry = counts.names[i], record["micrographs"][i]
        reason = unreadable.get(name)
        note = f"not scored: {reason}" if reason else counts.check.flags[i] or ""
        rows.append(
            [
                name_cell(name, numbers.get(int(i))),
                *(count_cell(entry[k]) for k in ("picks", "kept", "rejected", "unscored")),
                share_cell(float(counts.share[i])),
                figure_cell(float(counts.check.deviation[i]), "+.1f"),
                text_cell(note),
            ]
        )
    columns = numbered("picks", "kept", "rejected", "unscored", "kept share", "deviation (σ)")
    return Table([("micrograph", "text"), *columns, ("note", "text")], rows, is_long=True)
