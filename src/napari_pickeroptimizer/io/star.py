"""STAR files as text: rows are removed and columns added, and everything else is unchanged.

A `StarDocument` never builds a table anew. It remembers which lines of the file are rows of
which block; writing copies the lines, leaves out rows, appends or replaces single fields.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.fields import (
    BLANKS,
    Convert,
    field_spans,
    format_values,
    parse_fields,
    replace_fields,
)
from napari_pickeroptimizer.io.text import kept_text, read_lines, row_namer
from napari_pickeroptimizer.schema import as_numbers

# Lines that may be something else than a row begin with one of these.
_SPECIAL_STARTS = frozenset("#;_dDlL\r\ufeff")
_SPECIAL_OR_BLANK = _SPECIAL_STARTS | {""}
_DATA_HEADER = re.compile(r"data_(\S*)\s*(?:#.*)?", re.IGNORECASE)
_LOOP_HEADER = re.compile(r"loop_\s*(?:#.*)?", re.IGNORECASE)
_UNCOMMENTED = re.compile(r"\s#")
_LABEL = re.compile(
    r"(?P<indent>[\s\ufeff]*)_(?P<label>\S+)(?P<gap>\s+#)?(?P<number>(?<=#)\d+)?"
)


@dataclass(frozen=True)
class StarBlock:
    """One table of a STAR file.

    Parameters
    ----------
    name : str
        Name behind ``data_``, often empty.
    is_loop : bool
        Whether it is a ``loop_`` table; otherwise label-value pairs.
    columns : tuple of str
        Labels without the leading underscore, in order.
    column_lines : tuple of int
        Line number (0-based) of each label.
    row_lines : (n,) int64
        Line number (0-based) of each row of a loop.
    """

    name: str
    is_loop: bool = False
    columns: tuple[str, ...] = ()
    column_lines: tuple[int, ...] = ()
    row_lines: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.row_lines)

    @property
    def title(self) -> str:
        """The block as the file spells it: ``data_particles``."""
        return f"data_{self.name}"


@dataclass(frozen=True, eq=False)
class StarDocument:
    """A STAR file: its lines, untouched, and where its tables are in them."""

    path: Path
    lines: list[str]
    blocks: tuple[StarBlock, ...]
    encoding: str = "utf-8"

    @classmethod
    def read(cls, path: str | Path) -> StarDocument:
        """Read a STAR file.

        Raises
        ------
        PicksNotFoundError
            Nothing is at `path`.
        PickFormatError
            The file is empty, binary, or without any ``data_`` block, or lines of it may
            mean two things; the line is named.
        """
        lines, encoding = read_lines(path)
        if not any(map(str.strip, lines)):
            raise PickFormatError(f"{path} is an empty file.")
        document = cls._of_lines(lines, Path(path), encoding)
        if not document.blocks:
            raise PickFormatError(f"{path} is no STAR file: there is no data_ block in it.")
        return document

    @classmethod
    def parse(cls, text: str, path: Path, encoding: str = "utf-8") -> StarDocument:
        r"""Parse STAR text; `path` only names it in messages.

        Examples
        --------
        >>> text = "data_\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1.50 2\n3 4\n"
        >>> document = StarDocument.parse(text, Path("a.star"))
        >>> block = document.blocks[0]
        >>> document.numbers(block, ["rlnCoordinateX"])["rlnCoordinateX"]
        array([1.5, 3. ])
        >>> print(document.render(block, [0], {"rlnClassNumber": ["7"]}), end="")
        data_
        loop_
        _rlnCoordinateX #1
        _rlnCoordinateY #2
        _rlnClassNumber #3
        1.50 2 7
        """
        # not splitlines(): it also splits at form feeds
        return cls._of_lines(text.split("\n"), path, encoding)

    @classmethod
    def _of_lines(cls, lines: list[str], path: Path, encoding: str) -> StarDocument:
        blocks = tuple(_scan(lines, path))
        for block in blocks:
            names = Counter(block.columns)
            if len(names) < len(block.columns):
                twice = names.most_common(1)[0][0]
                second = block.columns.index(twice, block.columns.index(twice) + 1)
                problem = f"{block.title} has the column {twice} twice. Remove or rename one"
                raise _refusal(path, block.column_lines[second], problem)
        return cls(path, lines, blocks, encoding)

    def text(self) -> str:
        """Return the whole text, as it was read."""
        return "\n".join(self.lines)

    def blocks_with(self, *columns: str) -> list[StarBlock]:
        """Return the loops that have all of `columns`."""
        return [b for b in self.blocks if b.is_loop and set(columns) <= set(b.columns)]

    def strings(
        self, block: StarBlock, columns: Sequence[str]
    ) -> dict[str, NDArray[np.object_]]:
        """Return the values of `columns` as (n,) strings, quotes removed.

        Raises
        ------
        PickFormatError
            A row has not as many values as the block has columns; file and line are named.
        """
        return self.values(block, dict.fromkeys(columns, lambda strings, _: strings))

    def numbers(
        self, block: StarBlock, columns: Sequence[str]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the values of `columns` as (n,) float64.

        Raises
        ------
        PickFormatError
            A value is no number; file, row and line are named.
        """
        return self.values(block, {c: partial(as_numbers, c) for c in columns})

    def values(
        self, block: StarBlock, convert: Mapping[str, Convert]
    ) -> dict[str, NDArray[Any]]:
        """Return what is made of the strings of some columns, see `fields.parse_fields`.

        Raises
        ------
        PickFormatError
            As `strings` does, and what `convert` raises.
        """
        rows = [self.lines[i] for i in block.row_lines.tolist()]
        positions = [block.columns.index(c) for c in convert]
        values = parse_fields(
            rows, len(block.columns), positions, self.where(block), [*convert.values()]
        )
        return dict(zip(convert, values, strict=True))

    def pairs(self, block: StarBlock) -> dict[str, str]:
        """Return the label-value pairs of a block that is no loop."""
        pairs: dict[str, str] = {}
        for label, i in zip(block.columns, block.column_lines, strict=True):
            try:
                fields = [f for _, _, f in field_spans(self.lines[i])]
            except ValueError as error:
                raise _refusal(self.path, i, str(error)) from None
            pairs[label] = fields[1] if len(fields) > 1 else ""
        return pairs

    def where(self, block: StarBlock) -> Callable[[int], str]:
        """Return what names a row of a block in a message."""
        return row_namer(self.path, block.row_lines)

    def render(
        self,
        block: StarBlock,
        rows: Sequence[int] | NDArray[np.int64],
        columns: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        """Return the text with only `rows` of `block`, and `columns` added or replaced.

        Parameters
        ----------
        block : StarBlock
            The loop to filter; everything outside its rows stays.
        rows : (k,) int
            Rows to keep, ascending. With none, the header stays without rows: RELION
            itself never writes such a table, this package's reader accepts it.
        columns : mapping of str to (k,) str, optional
            For each label, one field for each of `rows`, quoted where it needs it. A column
            that exists is replaced field by field, spacing untouched; a new one goes to
            the end of the rows and of the header, numbered where the header is.
        """
        lines = self.lines
        if columns:
            kept_lines = block.row_lines[np.asarray(rows, dtype=np.int64)]
            lines = self._with_columns(block, kept_lines.tolist(), columns)
        return kept_text(lines, block.row_lines, rows)

    def _with_columns(
        self, block: StarBlock, kept_lines: list[int], columns: Mapping[str, Sequence[str]]
    ) -> list[str]:
        old = {block.columns.index(c): v for c, v in columns.items() if c in block.columns}
        new = {c: v for c, v in columns.items() if c not in block.columns}
        lines = replace_fields(
            self.lines, kept_lines, old, list(new.values()), len(block.columns)
        )
        if new:
            last = block.column_lines[-1]
            labels = _labels_like(lines[last], list(new), len(block.columns))
            lines[last] = "\n".join([lines[last], *labels])
        return lines


def new_star(block: str, columns: Mapping[str, NDArray[Any]]) -> str:
    """Return the text of a STAR of one table: (n,) values by label, as RELION lays it out."""
    labels = (f"_{label} #{i} " for i, label in enumerate(columns, start=1))
    fields = [format_values(values) for values in columns.values()]
    rows = (" ".join(row) + " " for row in zip(*fields, strict=True))
    return "\n".join(["", f"data_{block}", "", "loop_ ", *labels, *rows, " ", ""])


def _labels_like(line: str, labels: Sequence[str], n_columns: int) -> list[str]:
    """Write header lines in the style of the header's last one, numbered if it is."""
    match = _LABEL.match(line)
    assert match is not None  # a line of the header
    tail = line[len(line.rstrip()) :]
    numbered = match["number"] is not None
    return [
        f"{match['indent']}_{label}" + (f"{match['gap']}{n}" if numbered else "") + tail
        for n, label in enumerate(labels, start=n_columns + 1)
    ]


def _scan(lines: list[str], path: Path) -> Iterator[StarBlock]:
    """Find the blocks. Only lines that may be something else than rows are parsed."""
    block: _OpenBlock = _Preamble("", path)
    following = 0  # first line not looked at yet
    for i in _special_lines(lines):
        block.add_rows(following, i)
        following = i + 1
        text = lines[i].lstrip("\ufeff").strip(BLANKS)
        if not text:
            continue
        header = _DATA_HEADER.fullmatch(text)
        if text[0] == "#":
            block.check_comment(i, text)
        elif header is not None and not (header[1] and block.is_row(i, lines)):
            yield from block.closed()
            block = _OpenBlock(header[1], path)
        elif _LOOP_HEADER.fullmatch(text):
            if block.is_loop or block.columns:  # a second table under one name
                yield from block.closed()
                block = _OpenBlock(block.name, path)
            block.begin_loop(i)
        else:
            block.add_line(i, text)
    block.add_rows(following, len(lines))
    yield from block.closed()


def _special_lines(lines: list[str]) -> list[int]:
    return [
        i
        for i, s in enumerate(lines)
        if not s
        or s[0] in _SPECIAL_STARTS
        or (s[0] in " \t" and s.lstrip(" \t")[:1] in _SPECIAL_OR_BLANK)
    ]


def _refusal(path: Path, i: int, problem: str) -> PickFormatError:
    return PickFormatError(f"{path}, line {i + 1}: {problem}.")


class _OpenBlock:
    """A block whose end is not reached yet; what cannot be told from its lines is refused."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.is_loop = False
        self.columns: list[str] = []
        self.column_lines: list[int] = []
        self.rows: list[range] = []
        self.awaits_value = False  # the last label of pairs has none in its line

    def begin_loop(self, i: int) -> None:
        self.is_loop = True

    def add_line(self, i: int, text: str) -> None:
        if text[0] == "_" and not self.rows:
            fields = _UNCOMMENTED.split(text, maxsplit=1)[0].split(maxsplit=1)
            if not (self.is_loop and self.columns and len(fields) > 1):
                self.columns.append(fields[0][1:])
                self.column_lines.append(i)
                self.awaits_value = len(fields) == 1
                return
        if text[0] == ";" and self.is_loop:
            raise _refusal(
                self.path, i, "a text block (;) in a table, which is not read: quote the value"
            )
        self.add_rows(i, i + 1)

    def add_rows(self, start: int, stop: int) -> None:
        if stop <= start:
            return
        if self.is_loop and self.columns:
            self.rows.append(range(start, stop))
        elif self.is_loop or not self.awaits_value:
            raise _refusal(
                self.path, start,
                f"values that belong to no table of data_{self.name}. Does a name begin with "
                "data_ or loop_, or did lines go missing? Quote names that begin so",
            )  # fmt: skip

    def check_comment(self, i: int, text: str) -> None:
        """Refuse a comment that may be a row whose first value begins with #."""
        if not self.is_loop or len(self.columns) < 2 or text[1:2] in ("", "#", *BLANKS):
            return
        if len(text.split()) == len(self.columns):
            raise _refusal(
                self.path, i,
                "a row whose first value begins with #, or a comment? Quote the value, or put "
                "a blank behind the #",
            )  # fmt: skip

    def is_row(self, i: int, lines: list[str]) -> bool:
        """Whether ``data_...`` in line `i` is a value of this table of one column.

        What follows tells: the content of a block, or a further value.
        """
        if not self.is_loop or len(self.columns) != 1:
            return False
        following = (lines[j].strip(BLANKS) for j in range(i + 1, len(lines)))
        text = next((s for s in following if s and s[0] != "#"), "")
        if _LOOP_HEADER.fullmatch(text) or (text[:1] == "_" and len(text.split()) > 1):
            return False
        if text and text[0] != "_" and not _DATA_HEADER.fullmatch(text):
            return True
        if not lines[i - 1].strip(BLANKS):  # a blank line ends a table
            return False
        raise _refusal(self.path, i, "a value, or the begin of a block? Quote the value")

    def closed(self) -> list[StarBlock]:
        row_lines = [np.arange(r.start, r.stop, dtype=np.int64) for r in self.rows]
        block = StarBlock(
            self.name,
            self.is_loop,
            tuple(self.columns),
            tuple(self.column_lines),
            np.concatenate([np.empty(0, np.int64), *row_lines]),
        )
        return [block]


class _Preamble(_OpenBlock):
    """The lines before the first block, which may say anything."""

    def begin_loop(self, i: int) -> None:
        raise _refusal(self.path, i, "a table begins before any data_ block")

    def add_line(self, i: int, text: str) -> None:
        pass

    def add_rows(self, start: int, stop: int) -> None:
        pass

    def closed(self) -> list[StarBlock]:
        return []
