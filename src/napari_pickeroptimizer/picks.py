"""`Picks`: a table with one row a pick, and the files it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, UNLABELLED
from napari_pickeroptimizer.errors import LabelError, PickFormatError
from napari_pickeroptimizer.schema import (
    BY_LABEL,
    BY_NOTHING,
    BY_SCORE,
    COLUMNS,
    DECIDED_BY,
    FEATURE_PREFIX,
    LABEL,
    MICROGRAPH,
    PARTIAL_LABEL,
    PICKER_SCORE,
    PREDICTED,
    PROBABILITY,
    PROBABILITY_PREFIX,
    SELECTION_TYPE,
    SUGGESTION,
    Column,
    X,
    Y,
    columns_in,
    parse_columns,
)
from napari_pickeroptimizer.sources import (
    FileList,
    FrameSource,
    PickSource,
    with_rows,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_pickeroptimizer.sources import StarfileBlocks

NO_SOURCE = -1


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

        and, where known, the others of `schema.COLUMNS` (the picker's score, P(particle),
        the class that was decided and what it is due to, ranks of suggestions) and

        ``probability_<id>`` (float64)
            P(class) of the classifier, NaN where a pick was not scored;
        ``feature_<label>``
            what the user told of points of their own, written as that STAR column.
    sources : tuple of PickSource
        The untouched files, for lossless writing.
    file_list : FileList or None
        Where the picks came as a tree of per-micrograph files, the list of these.
    """

    table: pd.DataFrame
    sources: tuple[PickSource, ...] = ()
    file_list: FileList | None = None

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
        columns: dict[str, Any] = {
            MICROGRAPH.name: [micrograph] * n
            if isinstance(micrograph, str)
            else [*micrograph],
            X.name: x_px,
            Y.name: np.broadcast_to(np.asarray(y, dtype=np.float64), (n,)),
            LABEL.name: checked_labels(label, n),
        }
        if picker_score is not None:
            columns[PICKER_SCORE.name] = np.asarray(picker_score, dtype=np.float64)
        return cls(make_table(columns, source, np.arange(n)), sources)

    @classmethod
    def from_starfile(cls, blocks: StarfileBlocks) -> Picks:
        """Take the picks out of what ``starfile.read`` returns.

        Parameters
        ----------
        blocks : pandas.DataFrame or dict of them
            One block, or all blocks of a file by name, optics and others included.

        Returns
        -------
        Picks
            `to_starfile` and `write_picks` give all blocks and columns back.

        Raises
        ------
        PickFormatError
            No block has ``rlnCoordinateX`` and ``rlnCoordinateY``, several have, or a value
            makes no sense.

        Examples
        --------
        >>> import pandas as pd
        >>> block = pd.DataFrame({"rlnMicrographName": ["a.mrc", "a.mrc"]})
        >>> block = block.assign(rlnCoordinateX=[10.0, 30.0], rlnCoordinateY=[20.0, 40.0])
        >>> picks = Picks.from_starfile(block.assign(rlnAnglePsi=[90.0, 0.0]))
        >>> picks.select(picks.table["x"] > 20).with_labels(1).to_starfile().T
                                      0
        rlnMicrographName         a.mrc
        rlnCoordinateX             30.0
        rlnCoordinateY             40.0
        rlnAnglePsi                 0.0
        rlnParticleSelectionType      1
        """
        source = FrameSource.of(blocks)
        block = source.table
        columns = parse_columns(
            {
                c.name: (label, block[label].to_numpy())
                for c, label in columns_in(map(str, block))
            },
            lambda row: f"row {row + 1} of block {source.picks_name!r}",
        )
        columns.setdefault(MICROGRAPH.name, MICROGRAPH.all_missing(len(block)))
        return cls(make_table(columns, 0, np.arange(len(block))), (source,))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> NDArray[np.int8]:
        """(n,) user labels, 0 = unlabelled."""
        return self.values(LABEL)

    @property
    def is_tree(self) -> bool:
        """Whether they are from several files, and are written as such."""
        return self.file_list is not None or len(self.sources) > 1

    @property
    def was_suggested(self) -> NDArray[np.bool_]:
        """(n,) whether a pick was suggested for labelling, for its score or its features."""
        return np.asarray(np.nan_to_num(self.values(SUGGESTION)) > 0)

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Class ids for which there are probability columns, ascending."""
        names = [c for c in self.table.columns if c.startswith(PROBABILITY_PREFIX)]
        return tuple(sorted(int(c.removeprefix(PROBABILITY_PREFIX)) for c in names))

    @property
    def particle_probability(self) -> NDArray[np.float64]:
        """(n,) P(particle), NaN where a pick was not scored."""
        return self.values(PROBABILITY)

    def values(self, column: Column) -> NDArray[Any]:
        """Return the (n,) values of one of `schema.COLUMNS`; they are missing where it is."""
        if column.name not in self.table:
            return column.all_missing(len(self))
        return self.table[column.name].to_numpy(dtype=column.dtype)

    def coords_yx_px(self) -> NDArray[np.float64]:
        """Return the (n, 2) centres, (row, column), in micrograph pixels."""
        return self.table[["y", "x"]].to_numpy(dtype=np.float64)

    @property
    def unreadable_by(self) -> str:
        """Why other programs cannot read a file that these picks came from; empty if they can."""
        return next((s.unreadable_by for s in self.sources if s.unreadable_by), "")

    def rows_by_micrograph(self) -> dict[str, NDArray[np.intp]]:
        """Map each micrograph name, in order of first appearance, to its row positions."""
        codes, names = self.table["micrograph"].factorize()
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

    def with_probabilities(
        self, probabilities: NDArray[np.floating], class_ids: Sequence[int]
    ) -> Picks:
        """Return picks with P(class), (n, n_classes) in the order of `class_ids`, as columns."""
        columns = {
            f"{PROBABILITY_PREFIX}{c}": probabilities[:, i].astype(np.float64)
            for i, c in enumerate(class_ids)
        }
        return self.with_columns(**columns)

    def star_columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns that writing adds by default: (n,) values by STAR label.

        ``rlnParticleSelectionType`` is the user's label, else the class that was decided.
        RELION 5 stops at values outside 1..6: where only some picks have a class, the classes
        go to the private column ``poLabel`` (0 = none) instead. ``poParticleProbability`` is
        P(particle), ``poDecidedBy`` what decided; by it, labels and decisions are told apart
        on reading. The others of `added_columns` follow.
        """
        labels = self.labels
        classes = np.where(labels != UNLABELLED, labels, self.values(PREDICTED))
        columns: dict[str, NDArray[Any]] = {}
        added = self.added_columns()
        by = added.pop(DECIDED_BY.star, None)
        if classes.any():
            columns[SELECTION_TYPE if classes.all() else PARTIAL_LABEL] = classes
            if PROBABILITY.star in added:
                if by is None:
                    by = np.where(classes == UNLABELLED, BY_NOTHING, BY_SCORE)
                columns[PROBABILITY.star] = added[PROBABILITY.star]
                columns[DECIDED_BY.star] = np.where(labels != UNLABELLED, BY_LABEL, by)
        return columns | added

    def added_columns(self) -> dict[str, NDArray[Any]]:
        """Return those of `schema.COLUMNS` that are added, where a pick has one: by label."""
        added = {c: self.values(c) for c in COLUMNS if c.is_added}
        return {c.star: v for c, v in added.items() if not c.is_missing(v).all()}

    def all_columns(self) -> dict[str, NDArray[Any]]:
        """Return `star_columns` and all other `schema.COLUMNS` where a pick has a value."""
        columns = self.star_columns()
        named = {label for column in columns_in(columns) for label in column[0].star_labels}
        for column in COLUMNS:
            if column.star and column.star not in named and column.name in self.table:
                values = self.values(column)
                if not column.is_missing(values).all():
                    columns[column.star] = values
        return columns

    def place_columns(self) -> dict[str, NDArray[Any]]:
        """Return micrograph, x, y, the picker's score where known, and features: by STAR label.

        Features with decimals are text, of all their digits.
        """
        columns = {
            column.star: self.values(column)
            for column in (MICROGRAPH, X, Y, PICKER_SCORE)
            if column.name in self.table
        }
        for label, values in self.features().items():
            if values.dtype != np.int64:
                values = np.array(["" if v is None else str(v) for v in values.tolist()])
            columns[label] = values
        return columns

    def features(self) -> dict[str, NDArray[Any]]:
        """Return what the user told of points of their own, by STAR label."""
        return {
            name.removeprefix(FEATURE_PREFIX): self.table[name].to_numpy()
            for name in map(str, self.table)
            if name.startswith(FEATURE_PREFIX)
        }

    def to_starfile(self) -> StarfileBlocks:
        """Return picks as ``starfile.read`` would: a DataFrame, or several by block name.

        Picks of one STAR, or of DataFrames, are all its blocks and columns without the rows
        that are gone, and with `star_columns`. Others, and those that the user added to a
        file's, become one block of micrograph, x, y, the picker's score and `star_columns`.
        ``starfile.write`` takes either.
        """
        columns = self.star_columns()
        is_one_file = len(self.sources) == 1 and (self.table["source"] == 0).all()
        parsed = self.sources[0].blocks() if is_one_file else None
        if parsed is None:
            import pandas as pd

            return pd.DataFrame({**self.place_columns(), **columns})
        blocks, name = parsed
        rows = self.table["source_row"].to_numpy(dtype=np.int64)
        blocks[name] = with_rows(blocks[name], rows, columns)
        return blocks[name] if len(blocks) == 1 else blocks


def make_table(columns: Mapping[str, Any], source: Any, source_row: Any) -> pd.DataFrame:
    """Return a table of picks: (n,) values by name, and the file and the row each is from."""
    import pandas as pd

    n = len(columns[X.name])
    try:
        micrograph = pd.Series(columns[MICROGRAPH.name], dtype="str")
        if micrograph.dtype == object:  # pandas 2 takes anything for text
            _ = [name.encode() for name in micrograph.unique()]
    except UnicodeEncodeError as error:  # a file's name of bytes that are no text
        raise PickFormatError(
            f"the name {error.object!a} is no UTF-8 text: rename the file."
        ) from None
    return pd.DataFrame(
        {
            **columns,
            MICROGRAPH.name: micrograph,
            LABEL.name: columns.get(LABEL.name, LABEL.all_missing(n)),
            "source": np.full(n, source, dtype=np.int32),
            "source_row": np.asarray(source_row, dtype=np.int64),
        }
    )


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
    """Join picks into one table; sources are renumbered, a common list of files is kept."""
    import pandas as pd

    parts = list(parts)
    if not parts:
        raise PickFormatError("no picks to join: the list of pick sets is empty.")
    tables: list[pd.DataFrame] = []
    number: dict[PickSource, int] = {}  # by identity: parts of one reading share theirs
    for part in parts:
        numbers = [number.setdefault(source, len(number)) for source in part.sources]
        renumbered = np.array([*numbers, -1], dtype=np.int32)  # -1, of no source, stays
        tables.append(part.table.assign(source=renumbered[part.table["source"].to_numpy()]))
    lists = {id(part.file_list): part.file_list for part in parts}
    file_list = next(iter(lists.values())) if len(lists) == 1 else None
    table = pd.concat(tables, ignore_index=True)
    for column in COLUMNS:  # parts without a column have nothing there
        if column.name in table and not isinstance(column.missing, float):
            table[column.name] = table[column.name].fillna(column.missing)
            if column.dtype is np.int8:
                table[column.name] = table[column.name].astype(np.int8)
    return Picks(table, tuple(number), file_list)
