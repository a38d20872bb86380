"""Text that a file has room for: fields of a row quoted as STAR requires, paths, or refused."""

from __future__ import annotations

import re

from napari_pickeroptimizer.errors import PickFormatError

# Unquoted, these would begin a comment, a quoted field, a text block, a label or a table.
_NEEDS_QUOTES = re.compile(r"""[\ufeff#"';_]|data_|loop_""", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def quoted(field: str) -> str:
    """Quote a field that is empty, holds whitespace or begins like another part of a STAR.

    Raises
    ------
    PickFormatError
        The field has no place in a row of text: it holds a line break or another control
        character, or both kinds of quotes before blanks.

    Examples
    --------
    >>> quoted("a b")
    '"a b"'
    """
    without_controls(field)
    if field and not _NEEDS_QUOTES.match(field) and not any(c.isspace() for c in field):
        return field
    for mark in sorted("\"'", key=field.count):
        if f"{mark} " not in field and f"{mark}\t" not in field:
            return f"{mark}{field}{mark}"
    raise PickFormatError(
        f"{field!r} holds both kinds of quotes before blanks, for which a STAR has no place: "
        "rename it."
    )


def without_controls(field: str) -> str:
    """Return a field unchanged, that can be part of a row of text.

    Raises
    ------
    PickFormatError
        It holds a line break or another control character.
    """
    if _CONTROL.search(field):
        raise PickFormatError(
            f"{field!r} holds a line break or another control character, for which there is no "
            "place in a row of a file: rename it."
        )
    return field


def without_lone_bytes(path: str) -> str:
    r"""Return a path as text: bytes of it that are none are escaped.

    Examples
    --------
    >>> import os
    >>> without_lone_bytes(os.fsdecode(b"a\xe9.star"))
    'a\\udce9.star'
    """
    return path.encode(errors="backslashreplace").decode()
