"""RELION STAR files of picks: particle tables and per-micrograph coordinate files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.assemble import (
    FilePicks,
    check_coordinates,
    labels_and_decisions,
    labels_from_numbers,
)
from napari_pickeroptimizer.io.star import StarBlock, StarDocument
from napari_pickeroptimizer.io.tokens import star_tokens

X = "rlnCoordinateX"
Y = "rlnCoordinateY"
MICROGRAPH = "rlnMicrographName"
COORDINATE_FILE = "rlnMicrographCoordinates"
SCORE = "rlnAutopickFigureOfMerit"
SELECTION_TYPE = "rlnParticleSelectionType"
# RELION stops at a selection type outside 1..6, so a partly labelled set goes into a column
# of our own, which RELION carries along and does not look at.
PARTIAL_LABEL = "poLabel"
PARTICLE_PROBABILITY = "poParticleProbability"
DECIDED_BY = "poDecidedBy"
SUGGESTION_RANK = "poSuggestionRank"
NUMBERS = (X, Y, SCORE, PARTICLE_PROBABILITY, PARTIAL_LABEL, SELECTION_TYPE, SUGGESTION_RANK)


@dataclass(frozen=True, eq=False)
class StarSource:
    """A STAR file of picks: `render` copies its text, without the rows that went.

    A table that lost all rows keeps its header.
    """

    document: StarDocument
    block: StarBlock | None  # None: an empty per-micrograph file

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self.document.path

    @property
    def encoding(self) -> str:
        """Encoding that restores the file's bytes."""
        return self.document.encoding

    @property
    def holds_columns(self) -> bool:
        """STAR has room for columns."""
        return True

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`, and `columns` added or replaced.

        A column ``poLabel`` of the file follows the classes that are written: it is read before
        ``rlnParticleSelectionType``, and would else say what was so once.
        """
        if self.block is None:
            return self.document.text()
        tokens = {name: star_tokens(values) for name, values in columns.items()}
        if SELECTION_TYPE in tokens and PARTIAL_LABEL in self.block.columns:
            tokens.setdefault(PARTIAL_LABEL, tokens[SELECTION_TYPE])
        return self.document.render(self.block, rows, tokens)


def read_star(
    path: str | Path, *, micrograph: str | None = None, listed: bool = False
) -> FilePicks:
    """Read the picks of a STAR file.

    Parameters
    ----------
    path : str or Path
        A particles STAR, or the coordinate file of one micrograph.
    micrograph : str, optional
        Name of the micrograph if the table has no ``rlnMicrographName``; by default the
        file's own name without ``.star``. Where it is given (the file is one of many), an
        empty file has no picks; otherwise it is an error.
    listed : bool, optional
        Whether `micrograph` comes from a list file and goes before ``rlnMicrographName``.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        No table has ``rlnCoordinateX`` and ``rlnCoordinateY``, several have, coordinates
        are three-dimensional or not finite, or a row does not fit its header.
    """
    path = Path(path)
    if micrograph is not None and path.is_file() and path.stat().st_size == 0:
        return picks_of_document(StarDocument(path, [""], ()), micrograph)
    return picks_of_document(StarDocument.read(path), micrograph, listed=listed)


def picks_of_document(
    document: StarDocument, micrograph: str | None = None, *, listed: bool = False
) -> FilePicks:
    """Take the picks out of a STAR document (see `read_star`)."""
    block = _coordinates_block(document, may_be_empty=micrograph is not None)
    if block is None:
        nothing = np.empty(0)
        return FilePicks(StarSource(document, None), nothing, nothing, micrograph or "")
    wanted = [c for c in NUMBERS if c in block.columns]
    text = [c for c in (MICROGRAPH, DECIDED_BY) if c in block.columns]
    values = document.strings(block, wanted + text)
    numbers = {c: document.as_numbers(block, c, values[c]) for c in wanted}

    def where(row: int) -> str:
        return document.where(block, row)

    check_coordinates(numbers[X], numbers[Y], where)
    classes = None
    for column in (PARTIAL_LABEL, SELECTION_TYPE):
        if column in numbers and classes is None:
            classes = labels_from_numbers(numbers[column], column, where)
    probability, decided_by = numbers.get(PARTICLE_PROBABILITY), values.get(DECIDED_BY)
    label, predicted = labels_and_decisions(classes, probability, decided_by)
    return FilePicks(
        source=StarSource(document, block),
        x=numbers[X],
        y=numbers[Y],
        micrograph=micrograph
        if micrograph is not None and (listed or MICROGRAPH not in values)
        else _micrograph_names(document, block, values),
        label=label,
        picker_score=numbers.get(SCORE),
        particle_probability=probability,
        predicted=predicted,
        decided_by=decided_by,
        suggestion=numbers.get(SUGGESTION_RANK),
    )


def _micrograph_names(
    document: StarDocument,
    block: StarBlock,
    values: Mapping[str, NDArray[np.object_]],
) -> str | NDArray[np.object_]:
    if MICROGRAPH in values:
        return values[MICROGRAPH]
    if "rlnImageName" in block.columns:
        raise PickFormatError(
            f"{document.path}: {block.title} holds particles without the column {MICROGRAPH}, "
            "so their micrographs are unknown. Pass the particles STAR of the extraction job."
        )
    return document.path.stem


def _coordinates_block(document: StarDocument, *, may_be_empty: bool) -> StarBlock | None:
    candidates = document.blocks_with(X, Y)
    _refuse_three_dimensions(document)
    if len(candidates) > 1:
        named = [b for b in candidates if b.name == "particles"]
        if len(named) != 1:
            raise PickFormatError(
                f"{document.path} has several tables of picks "
                f"({', '.join(b.title for b in candidates)}): put each into a file of its own."
            )
        return named[0]
    if candidates:
        return candidates[0]
    if may_be_empty and not any(len(b) for b in document.blocks):
        return None
    raise PickFormatError(f"{document.path} {_what_instead(document)}")


def _refuse_three_dimensions(document: StarDocument) -> None:
    for block in document.blocks:
        three_dimensional = [
            c
            for c in block.columns
            if c in ("rlnTomoName", "rlnCoordinateZ") or c.startswith("rlnCenteredCoordinate")
        ]
        if three_dimensional:
            raise PickFormatError(
                f"{document.path}: {block.title} is of a tomogram ({three_dimensional[0]}). "
                "This package prunes picks on two-dimensional micrographs."
            )


def _what_instead(document: StarDocument) -> str:
    """Say what a STAR without picks seems to be, and what to pass instead."""
    expected = f"no table has the columns {X} and {Y}"
    columns = [c for b in document.blocks for c in b.columns]
    if any({X, Y} <= set(b.columns) for b in document.blocks):
        return f"has {X} and {Y}, but not as a loop_ table: write it as a loop."
    if MICROGRAPH in columns and "rlnImageName" not in columns:
        return (
            f"is a micrographs STAR: {expected}. Pass the coordinates: a particles STAR, an "
            "autopick.star, or the folder of the picking job."
        )
    if "rlnImageName" in columns:
        return f"lists particles without their places in the micrographs: {expected}."
    if "CoordinateX" in columns:
        return (
            "seems to be a crYOLO .cbox, which is not read yet: pass the .box or .star files."
        )
    shown = ", ".join(columns[:5]) + (", ..." if len(columns) > 5 else "")
    return f"holds no picks: {expected}; found {shown or 'no columns'}."
