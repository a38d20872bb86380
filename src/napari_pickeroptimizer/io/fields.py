"""Whitespace-separated fields of text rows: parse columns, format values, replace fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.quoting import quoted

# What separates fields: not the other whitespace of Unicode, which is part of a name. (A
# carriage return is the end of a line; `read_text` refuses others.)
BLANKS = " \t\r"
# A field runs from a quote to the next one that a blank follows, or to the next blank; #
# begins a comment.
_FIELD = re.compile(r"""(".*?"|'.*?')(?=[ \t\r]|$)|#.*|[^ \t\r]+""")
_UNQUOTED = re.compile(r"[^ \t\r]+")
# Below this many rows Python's own split beats the start-up of pandas' parser.
_SMALL = 1000
# Rows are parsed in parts: a parser takes several times the memory of its text.
_ROWS_AT_ONCE = 100_000

Convert = Callable[[NDArray[np.object_], Callable[[int], str]], NDArray[Any]]


def field_spans(row: str) -> list[tuple[int, int, str]]:
    """Return (start, end, value without quotes) of each field of a row.

    Raises
    ------
    ValueError
        A quote is not closed.

    Examples
    --------
    >>> field_spans('a "b c"  # note')
    [(0, 1, 'a'), (2, 7, 'b c')]
    """
    spans = []
    for match in _FIELD.finditer(row):
        field = match[0]
        if field[0] == "#":
            break
        if field[0] in "\"'" and not match[1]:
            raise ValueError(f"the quote before {field[1:40]!r} is not closed")
        spans.append((match.start(), match.end(), field[1:-1] if match[1] else field))
    return spans


def parse_fields(
    rows: Sequence[str],
    n_columns: int,
    positions: Sequence[int],
    where: Callable[[int], str],
    convert: Sequence[Convert] | None = None,
) -> list[NDArray[Any]]:
    """Return the values at `positions` of every row, each (n,) strings without quotes.

    Parameters
    ----------
    rows : sequence of str
        One line each.
    n_columns : int
        Number of values that every row must have.
    positions : sequence of int
        Columns wanted, from 0.
    where : callable
        Names a row, given its number from 0, in a message.
    convert : sequence of callable, optional
        For each of `positions` what is made of some rows' strings, given what names their
        rows. It is done part by part: the strings take many times the memory of the numbers.

    Raises
    ------
    PickFormatError
        A row has more or fewer values, or a quote that is not closed.
    """
    parts = []
    for start in range(0, max(1, len(rows)), _ROWS_AT_ONCE):

        def where_here(row: int, start: int = start) -> str:
            return where(start + row)

        columns = _parsed(
            rows[start : start + _ROWS_AT_ONCE], n_columns, positions, where_here
        )
        if convert is not None:
            columns = [f(c, where_here) for f, c in zip(convert, columns, strict=True)]
        parts.append(columns)
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _parsed(
    rows: Sequence[str],
    n_columns: int,
    positions: Sequence[int],
    where: Callable[[int], str],
) -> list[NDArray[Any]]:
    if len(rows) >= _SMALL:
        columns = _parse_with_pandas(rows, n_columns, positions)
        if columns is not None:
            return columns
    table = []
    for i, row in enumerate(rows):
        try:
            fields = _split(row)
        except ValueError as error:
            raise PickFormatError(f"{where(i)}: {error}.") from None
        table.append(fields)
        if len(fields) != n_columns:
            raise PickFormatError(
                f"{where(i)}: {len(fields)} values in the row where {n_columns} "
                "were expected. Is the file cut off, or a name with a space not quoted?"
            )
    return [np.array([fields[p] for fields in table], dtype=object) for p in positions]


def _split(row: str) -> list[str]:
    if '"' in row or "'" in row or "#" in row:
        return [field for _, _, field in field_spans(row)]
    return row.split() if row.isascii() else _UNQUOTED.findall(row)


def _parse_with_pandas(
    rows: Sequence[str], n_columns: int, positions: Sequence[int]
) -> list[NDArray[Any]] | None:
    """Parse with pandas' C tokenizer; None where its result is not certain to be right."""
    import pandas as pd

    # The first line makes pandas expect one column more than there is: a value in that column
    # betrays a row that is too long, an empty last column one that is too short.
    body = "\n".join([" ".join(["0"] * (n_columns + 1)), *rows])
    if any(c in body for c in "\"'#") and re.search(r"""\s["'#]""", body):
        return None
    wanted = sorted({*positions, n_columns - 1, n_columns})
    frame = pd.read_csv(
        StringIO(body),
        sep=r"\s+",
        header=None,
        names=list(range(n_columns + 1)),
        index_col=False,
        usecols=wanted,
        dtype=object,
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        na_filter=False,
        skip_blank_lines=False,
        low_memory=False,
    ).iloc[1:]
    too_short = (frame[n_columns - 1] == "").any()
    too_long = (frame[n_columns] != "").any()
    if len(frame) != len(rows) or too_short or too_long:
        return None
    return [frame[p].to_numpy(dtype=object) for p in positions]


def replace_fields(
    lines: Sequence[str],
    row_lines: Sequence[int],
    replaced: Mapping[int, Sequence[str]],
    appended: Sequence[Sequence[str]],
    n_columns: int,
) -> list[str]:
    r"""Return lines with fields of rows replaced and appended; other characters are unchanged.

    Parameters
    ----------
    lines : sequence of str
        All lines of a file, without their newlines.
    row_lines : (n,) sequence of int
        Which of them are the rows to change.
    replaced : mapping of int to (n,) sequence of str
        New fields of existing columns, by position, quoted where they need it.
    appended : sequence of (n,) sequences of str
        Fields of new columns, likewise.
    n_columns : int
        Number of columns that the rows have.

    Examples
    --------
    >>> replace_fields(["loop_", " 1.0\t2 \r"], [1], {0: ["9"]}, [["7"]], n_columns=2)
    ['loop_', ' 9\t2\t7 \r']
    """
    rows = [lines[i] for i in row_lines]
    if replaced:
        positions = sorted(replaced, reverse=True)  # from the right: earlier spans stay true
        new_fields = [replaced[p] for p in positions]
        for i, row in enumerate(rows):
            spans = field_spans(row)
            for position, values in zip(positions, new_fields, strict=True):
                start, end, _ = spans[position]
                row = row[:start] + values[i] + row[end:]
            rows[i] = row
    if appended:
        separator = "\t" if rows and "\t" in rows[0].strip() else " "
        ends = [separator + separator.join(f) for f in zip(*appended, strict=True)]
        rows = [_append(row, end, n_columns) for row, end in zip(rows, ends, strict=True)]
    result = list(lines)
    for i, row in zip(row_lines, rows, strict=True):
        result[i] = row
    return result


def _append(row: str, end: str, n_columns: int) -> str:
    stop = len(row.rstrip(BLANKS))
    if "#" in row:  # a comment behind the values stays behind them
        stop = field_spans(row)[n_columns - 1][1]
    return row[:stop] + end + row[stop:]


def format_values(values: NDArray[Any]) -> list[str]:
    """Format values: integers as they are, floats with six decimals, text quoted where necessary.

    Examples
    --------
    >>> format_values(np.array([0.5, 1.0]))
    ['0.500000', '1.000000']
    >>> format_values(np.array([1, 2], dtype=np.int8))
    ['1', '2']
    """
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.floating):
        return [f"{v:.6f}" for v in array.tolist()]
    if np.issubdtype(array.dtype, np.integer):
        return [str(v) for v in array.tolist()]
    return [quoted(str(v)) for v in array.tolist()]
