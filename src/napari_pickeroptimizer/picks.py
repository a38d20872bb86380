"""`Picks`, the one currency: one table, one row a pick, and the files it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError, PickFormatError

PROBABILITY_PREFIX = "probability_"
NO_SOURCE = -1
# What decided on a pick, the values of the column `decided_by`.
BY_SCORE, BY_LABEL, BY_DISTANCE, BY_EDGE = "score", "label", "distance", "edge"
BY_NOTHING = "none"


class PickSource(Protocol):
    """One pick file as it was read: able to write itself again with fewer rows.

    Attributes
    ----------
    path : Path
        The file it was read from.
    encoding : str
        Text encoding that gives the file's bytes back.
    holds_columns : bool
        Whether the format has room for extra columns (STAR and CSV do, .box does not).
    """

    @property
    def path(self) -> Path: ...  # noqa: D102

    @property
    def encoding(self) -> str: ...  # noqa: D102

    @property
    def holds_columns(self) -> bool: ...  # noqa: D102

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`, and `columns` added or replaced.

        `rows` ascend. `columns` maps a STAR label without underscore
        (``rlnParticleSelectionType``) to one value for each of `rows`. A format without
        named columns uses ``rlnAutopickFigureOfMerit`` as its score where it has one, and
        ignores the rest.
        """
        ...


class PickListing(Protocol):
    """The index of a tree of per-micrograph files (``autopick.star``, a directory, ...).

    Attributes
    ----------
    path : Path
        The index file, or the directory.
    root : Path
        Folder that the per-micrograph files' places in the tree are relative to.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102

    @property
    def root(self) -> Path: ...  # noqa: D102

    def render(self, written: Mapping[Path, Path]) -> dict[str, str]:
        """Return ``{file name: text}`` of the index files for a new tree.

        `written` maps each source file that was written to its new place; files that are
        not in it are left out of the index.
        """
        ...


@dataclass(frozen=True)
class Picks:
    """Particle picks of any number of micrographs.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a pick, index 0..n-1, with at least the columns

        ``micrograph`` (str)
            the micrograph's name as the source spells it;
        ``x``, ``y`` (float64)
            centre of the pick, **0-based pixels of that micrograph file**, x the fast
            axis (column), y the slow axis (row), row 0 the first row of the file;
        ``label`` (int8)
            class given by the user, 0 = unlabelled, 1..6 as ``rlnParticleSelectionType``;
        ``source``, ``source_row`` (int32, int64)
            where the pick came from: position in `sources` (-1: nowhere) and row in it;

        and, where known,

        ``picker_score`` (float64)
            the picker's own figure of merit;
        ``probability_<id>`` (float64)
            P(class) of the classifier, NaN where a pick was not scored;
        ``predicted`` (int8)
            class decided from the probabilities, 0 = not scored;
        ``suggestion`` (float64)
            rank among the picks that were suggested for labelling, NaN or 0 for none;
        ``decided_by`` (str)
            what that class is due to: ``score``, the user's ``label``, a better pick within
            the least ``distance``, the micrograph's ``edge``, or ``none`` where not scored.
    sources : tuple of PickSource
        The untouched files, for lossless writing.
    listing : PickListing or None
        The index, when the picks came as a tree of per-micrograph files.
    """

    table: pd.DataFrame
    sources: tuple[PickSource, ...] = ()
    listing: PickListing | None = None

    @classmethod
    def from_arrays(
        cls,
        micrograph: str | Sequence[str] | NDArray[Any],
        x: ArrayLike,
        y: ArrayLike,
        *,
        label: ArrayLike = UNLABELLED,
        picker_score: ArrayLike | None = None,
        source: int = NO_SOURCE,
        sources: tuple[PickSource, ...] = (),
    ) -> Picks:
        """Make picks from plain arrays of 0-based centres in micrograph pixels.

        Examples
        --------
        >>> picks = Picks.from_arrays("a.mrc", x=[10.0, 30.0], y=[20.0, 40.0], label=[1, 2])
        >>> picks.coords_yx_px()
        array([[20., 10.],
               [40., 30.]])
        """
        x_px = np.atleast_1d(np.asarray(x, dtype=np.float64))
        n = len(x_px)
        names = [micrograph] * n if isinstance(micrograph, str) else list(micrograph)
        table = pd.DataFrame(
            {
                "micrograph": pd.Series(names, dtype="str"),
                "x": x_px,
                "y": np.broadcast_to(np.asarray(y, dtype=np.float64), (n,)),
                "label": checked_labels(label, n),
                "source": np.full(n, source, dtype=np.int32),
                "source_row": np.arange(n, dtype=np.int64),
            }
        )
        if picker_score is not None:
            table["picker_score"] = np.asarray(picker_score, dtype=np.float64)
        return cls(table, sources)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> NDArray[np.int8]:
        """(n,) user labels, 0 = unlabelled."""
        return self.table["label"].to_numpy(dtype=np.int8)

    @property
    def was_suggested(self) -> NDArray[np.bool_]:
        """(n,) whether a pick was suggested for labelling, for its score or its features."""
        if "suggestion" not in self.table:
            return np.zeros(len(self), dtype=bool)
        rank = self.table["suggestion"].to_numpy(dtype=np.float64)
        return np.asarray(np.nan_to_num(rank) > 0)

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Class ids for which there are probability columns, ascending."""
        found = [c for c in self.table.columns if c.startswith(PROBABILITY_PREFIX)]
        return tuple(sorted(int(c.removeprefix(PROBABILITY_PREFIX)) for c in found))

    @property
    def particle_probability(self) -> NDArray[np.float64]:
        """(n,) P(particle), NaN where a pick was not scored."""
        column = f"{PROBABILITY_PREFIX}{PARTICLE}"
        if column not in self.table:
            return np.full(len(self), np.nan)
        return self.table[column].to_numpy(dtype=np.float64)

    def coords_yx_px(self) -> NDArray[np.float64]:
        """Return the (n, 2) centres, (row, column), in micrograph pixels."""
        return self.table[["y", "x"]].to_numpy(dtype=np.float64)

    def rows_by_micrograph(self) -> dict[str, NDArray[np.intp]]:
        """Map each micrograph name, in order of first appearance, to its row positions."""
        codes, names = pd.factorize(self.table["micrograph"], sort=False)
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        return {str(name): order[bounds[i] : bounds[i + 1]] for i, name in enumerate(names)}

    def select(self, rows: NDArray[Any]) -> Picks:
        """Return the picks at `rows` (boolean mask or positions), sources kept."""
        return replace(self, table=self.table.loc[rows].reset_index(drop=True))

    def with_labels(self, label: ArrayLike) -> Picks:
        """Return the same picks with other user labels."""
        return self.with_columns(label=checked_labels(label, len(self)))

    def with_columns(self, **columns: ArrayLike) -> Picks:
        """Return the same picks with columns of the table added or replaced."""
        # shallow: the other columns of a million picks are shared, nothing writes into them
        table = self.table.copy(deep=False)
        for name, values in columns.items():
            table[name] = np.asarray(values)
        return replace(self, table=table)


def checked_labels(label: ArrayLike, n: int) -> NDArray[np.int8]:
    """Return `label` as (n,) int8 after checking that every id is 0..6."""
    values = np.broadcast_to(np.asarray(label), (n,))
    if values.dtype == np.int8 and not ((values < 0) | (values > MAX_CLASS)).any():
        return values.copy()  # as labels come most often: a million of them take a millisecond
    bad = ~np.isin(values, np.arange(MAX_CLASS + 1))
    if bad.any():
        raise LabelError(
            f"label {values[bad][0]!r} of pick {int(np.flatnonzero(bad)[0])} is no class id: "
            f"expected 1 to {MAX_CLASS} (rlnParticleSelectionType), or 0 for unlabelled."
        )
    return values.astype(np.int8)


def concatenate(parts: Iterable[Picks]) -> Picks:
    """Join picks into one table; sources are renumbered, a common listing is kept."""
    parts = list(parts)
    if not parts:
        raise PickFormatError("no picks to join: the list of pick sets is empty.")
    tables: list[pd.DataFrame] = []
    sources: list[PickSource] = []
    for part in parts:
        source = part.table["source"].to_numpy(dtype=np.int32)
        renumbered = np.where(source < 0, source, source + len(sources)).astype(np.int32)
        tables.append(part.table.assign(source=renumbered))
        sources.extend(part.sources)
    listings = {id(part.listing): part.listing for part in parts}
    listing = next(iter(listings.values())) if len(listings) == 1 else None
    table = pd.concat(tables, ignore_index=True)
    if "predicted" in table:  # parts that were not decided on have nothing there
        table["predicted"] = table["predicted"].fillna(UNLABELLED).astype(np.int8)
    if "decided_by" in table:
        table["decided_by"] = table["decided_by"].fillna(BY_NOTHING)
    return Picks(table, tuple(sources), listing)
