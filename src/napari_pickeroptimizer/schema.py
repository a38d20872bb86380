"""The columns of a table of picks: one line a column, with its names in files.

Readers, writers and `Picks` all go by `COLUMNS`. A column that is added here is read from every
format that has room for columns, kept through selecting and joining, and written again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import PickFormatError

PROBABILITY_PREFIX = "probability_"
# Columns of a table of picks that the user gave the points of an own layer: "feature_" and the
# STAR label.
FEATURE_PREFIX = "feature_"
# What decided on a pick: the values of the column `decided_by`.
BY_SCORE, BY_LABEL, BY_DISTANCE, BY_EDGE = "score", "label", "distance", "edge"
BY_NOTHING = "none"
# RELION stops at a selection type outside 1..6, so a partly labelled set goes into a column
# of our own, which RELION carries along and does not look at.
SELECTION_TYPE, PARTIAL_LABEL = "rlnParticleSelectionType", "poLabel"

# How programs write that there is no number, in small letters.
_NO_NUMBER = ("", "<na>", "na", "n/a", "none", "null")

Dtype = type[np.float64] | type[np.int8] | type[np.object_]


@dataclass(frozen=True)
class Column:
    """A column of `Picks.table`, and its names in files.

    Parameters
    ----------
    name : str
        In ``Picks.table``.
    star : str
        STAR label without underscore; empty if files have no such column.
    words : str
        What the column holds.
    dtype : float64, int8 or object
        Numbers, class ids (0 to 6) or text. Floats are written with six decimals.
    missing : float, int or str
        Value of a pick that has none.
    csv : tuple of str
        Names in the header of a CSV, the one that we write first; by default the STAR label.
    star_instead : str
        STAR label that is read in a file without `star`.
    is_added : bool
        Whether writing adds the column wherever a pick has a value in it.
    """

    name: str
    star: str
    words: str
    dtype: Dtype = np.float64
    missing: float | int | str = np.nan
    csv: tuple[str, ...] = ()
    star_instead: str = ""
    is_added: bool = True

    @property
    def star_labels(self) -> tuple[str, ...]:
        """STAR labels of the column, in the order in which they are looked for."""
        return tuple(label for label in (self.star, self.star_instead) if label)

    @property
    def csv_name(self) -> str:
        """The name in a CSV that we write."""
        return self.csv[0] if self.csv else self.star

    def is_missing(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (n,) whether each value means missing."""
        no_number = isinstance(self.missing, float) and np.isnan(self.missing)
        return np.asarray(np.isnan(values) if no_number else values == self.missing)

    def all_missing(self, n: int) -> NDArray[Any]:
        """Return (n,) missing values."""
        return np.full(n, self.missing, dtype=self.dtype)


X = Column(
    "x",
    "rlnCoordinateX",
    "centre of the pick in x, the fast axis, in 0-based pixels of the micrograph file",
    csv=("x", "x_coordinate", "x_coord", "coordinate_x", "axis-1"),
    is_added=False,
)
Y = Column(
    "y",
    "rlnCoordinateY",
    "centre of the pick in y, the slow axis; row 0 is the first row of the file",
    csv=("y", "y_coordinate", "y_coord", "coordinate_y", "axis-0"),  # axis-0: of napari
    is_added=False,
)
MICROGRAPH = Column(
    "micrograph",
    "rlnMicrographName",
    "name of the micrograph, as the file spells it",
    np.object_,
    "",
    csv=("micrograph", "micrograph_name", "image_name"),
    is_added=False,
)
LABEL = Column(
    "label",
    PARTIAL_LABEL,
    "class that the user gave, 1 to 6 as in RELION; 0 where there is none",
    np.int8,
    UNLABELLED,
    csv=("label",),
    star_instead=SELECTION_TYPE,
    is_added=False,
)
PREDICTED = Column(
    "predicted",
    "",  # a file has one column of classes; `decided_by` tells labels from decisions
    "class decided from the scores; 0 where a pick was not scored",
    np.int8,
    UNLABELLED,
    is_added=False,
)
PICKER_SCORE = Column(
    "picker_score",
    "rlnAutopickFigureOfMerit",
    "the picker's own figure of merit",
    csv=("score", "picker_score", "confidence", "fom"),
    star_instead="rlnParticleScore",  # of Topaz 0.1
    is_added=False,
)
PROBABILITY = Column(
    f"{PROBABILITY_PREFIX}{PARTICLE}",
    "poParticleProbability",
    "P(particle) of the classifier",
    csv=("probability",),
)
DECIDED_BY = Column(
    "decided_by",
    "poDecidedBy",
    "what the class is due to: the score, the user's label, a better pick within the least "
    "distance, the micrograph's edge, or none where a pick was not scored",
    np.object_,
    BY_NOTHING,
    csv=("decided_by",),
)
SUGGESTION = Column(
    "suggestion",
    "poSuggestionRank",
    "rank among the picks that were suggested for labelling; NaN or 0 for none",
    is_added=False,
)
SUGGESTION_REASON = Column(
    "suggestion_reason",
    "poSuggestionReason",
    "why a pick was suggested",
    np.object_,
    "",
    is_added=False,
)
SUGGESTION_SCORE = Column(
    "suggestion_score",
    "poSuggestionScore",
    "how uncertain a suggested pick is, or how much model and picker differ on it (0 to 1)",
    is_added=False,
)

# All of the above, in their order.
COLUMNS = tuple(value for value in [*globals().values()] if isinstance(value, Column))
_BY_NAME = {column.name: column for column in COLUMNS}
_BY_LABEL = {label: column for column in COLUMNS for label in column.star_labels}


def column_of(label: str) -> Column | None:
    """Return the column of a STAR label, None if it is unknown.

    Examples
    --------
    >>> column_of("rlnAutopickFigureOfMerit").name
    'picker_score'
    """
    return _BY_LABEL.get(label)


def columns_in(labels: Iterable[str]) -> Iterator[tuple[Column, str]]:
    """Yield the columns that a table with these STAR labels has, each with its label.

    Examples
    --------
    >>> [(c.name, label) for c, label in columns_in(["rlnCoordinateX", "rlnAnglePsi"])]
    [('x', 'rlnCoordinateX')]
    """
    present = set(labels)
    for column in COLUMNS:
        label = next((label for label in column.star_labels if label in present), None)
        if label is not None:
            yield column, label


def header_names(column: Column) -> set[str]:
    """Return the names of a column in a CSV header, see `plain_name`."""
    return {plain_name(name) for name in (*column.csv, *column.star_labels)}


def plain_name(name: str) -> str:
    """Return a header name in small letters, without separators or a byte order mark.

    Examples
    --------
    >>> plain_name("X-Coordinate")
    'xcoordinate'
    """
    return re.sub(r"[\s_\-]|^\ufeff", "", name).lower()


def refuse_tomogram(labels: Iterable[str], title: str) -> None:
    """Refuse a table with a STAR label that only picks in three dimensions have.

    Raises
    ------
    PickFormatError
        There is one; `title` names the table.
    """
    three_dimensional = ("rlnTomoName", "rlnCoordinateZ")
    for label in labels:
        if label in three_dimensional or label.startswith("rlnCenteredCoordinate"):
            raise PickFormatError(
                f"{title} is of a tomogram ({label}). This package prunes picks on "
                "two-dimensional micrographs."
            )


def refuse_filaments(labels: Iterable[str], title: str) -> None:
    """Refuse a table with a STAR label that only segments of filaments have.

    Raises
    ------
    PickFormatError
        There is one; `title` names the table.
    """
    for label in labels:
        if label in (
            "rlnHelicalTubeID",
            "rlnHelicalTrackLength",
            "rlnHelicalTrackLengthAngst",
        ):
            raise PickFormatError(
                f"{title} holds segments of filaments ({label}), of which one cannot go without "
                "the others. This package prunes picks of single particles."
            )


def parse_columns(
    values: Mapping[str, tuple[str, NDArray[Any]]], where: Callable[[int], str]
) -> dict[str, NDArray[Any]]:
    """Turn the values of a file into columns of a table of picks.

    Parameters
    ----------
    values : mapping of str to (str, (n,) array)
        By name in ``Picks.table``: what the file calls the column, and its strings or numbers.
        x and y must be there.
    where : callable
        Names a row, given its number from 0, in a message.

    Returns
    -------
    dict of str to (n,) array
        Classes that an earlier pruning decided on are in ``predicted``, those that the user
        gave in ``label``. A pick with P(particle) has been through a pruning, so its class is
        a decision unless a label decided. Else a file that is pruned again would come back
        with all its picks labelled, and labels always win.

    Raises
    ------
    PickFormatError
        A value is no number or no class, or coordinates are not finite; the row is named.
    """
    columns: dict[str, NDArray[Any]] = {}
    for name, (title, raw) in values.items():
        columns[name] = as_column(name, title, raw, where)
    _check_coordinates(columns[X.name], columns[Y.name], where)
    if {LABEL.name, PROBABILITY.name} <= set(columns):
        classes = columns[LABEL.name]
        is_label = np.isnan(columns[PROBABILITY.name])
        if DECIDED_BY.name in columns:
            is_label |= columns[DECIDED_BY.name] == BY_LABEL
        columns[PREDICTED.name] = classes
        columns[LABEL.name] = np.where(is_label, classes, UNLABELLED).astype(np.int8)
    return columns


def as_column(
    name: str, title: str, values: NDArray[Any], where: Callable[[int], str]
) -> NDArray[Any]:
    """Turn (n,) strings or numbers into the column `name`, or a part of it.

    Raises
    ------
    PickFormatError
        A value is no number or no class; the row is named.
    """
    dtype = _BY_NAME[name].dtype
    if dtype is np.object_:
        return np.asarray(values, dtype=object)
    if dtype is np.int8:
        return _as_class_ids(as_numbers(title, values, where), title, where)
    if name in (X.name, Y.name):
        return as_numbers(title, values, where)
    return as_optional_numbers(title, values, where)


def as_numbers(
    title: str, values: NDArray[Any], where: Callable[[int], str]
) -> NDArray[np.float64]:
    """Convert (n,) strings to float64; `title` names the column in a message.

    Raises
    ------
    PickFormatError
        A value is no number; `where` names its row.
    """
    if np.issubdtype(values.dtype, np.number):
        return values.astype(np.float64)
    try:
        return np.asarray(values, dtype=object).astype(np.float64)
    except (ValueError, TypeError):
        for row, value in enumerate(values):
            try:
                float(value)
            except (ValueError, TypeError):
                raise PickFormatError(
                    f"{where(row)}: {title} is {str(value)!r}, which is no number."
                ) from None
        raise


def as_optional_numbers(
    title: str, values: NDArray[Any], where: Callable[[int], str]
) -> NDArray[np.float64]:
    """Convert (n,) strings as `as_numbers`; empty, ``<NA>``, ``None`` and their like are NaN.

    Examples
    --------
    >>> as_optional_numbers("score", np.array(["0.5", "<NA>"], dtype=object), str)
    array([0.5, nan])
    """
    try:
        return np.asarray(values).astype(np.float64)
    except (ValueError, TypeError):
        filled = [
            "nan" if str(v).strip().lower() in _NO_NUMBER else v for v in values.tolist()
        ]
        return as_numbers(title, np.array(filled, dtype=object), where)


def _as_class_ids(
    values: NDArray[np.float64], title: str, where: Callable[[int], str]
) -> NDArray[np.int8]:
    """Convert (n,) numbers to int8 class ids; 0 and -1 are unlabelled."""
    bad = np.flatnonzero(~np.isin(values, np.arange(-1, MAX_CLASS + 1)))
    if len(bad):
        row = int(bad[0])
        raise PickFormatError(
            f"{where(row)}: {title} is {values[row]:g}, which is no class: expected 1 to "
            f"{MAX_CLASS}, or 0 for unlabelled."
        )
    return np.maximum(values, UNLABELLED).astype(np.int8)


def _check_coordinates(
    x: NDArray[np.float64], y: NDArray[np.float64], where: Callable[[int], str]
) -> None:
    bad = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if len(bad):
        row = int(bad[0])
        more = f" ({len(bad)} such rows)" if len(bad) > 1 else ""
        raise PickFormatError(
            f"{where(row)}: the coordinates are x = {x[row]}, y = {y[row]}{more}. "
            "A pick needs finite pixel coordinates: remove the row or pick again."
        )
