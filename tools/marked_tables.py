"""Markdown tables that scripts write into pages, between two comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    cells = [list(header), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def filled(text: str, contents: Mapping[str, str]) -> str:
    """Return a page with the contents between ``<!-- NAME: ... -->`` and ``<!-- end of NAME -->``.

    Raises
    ------
    ValueError
        If the page has no place of that name.
    """
    for name, content in contents.items():
        text, n = re.subn(
            rf"(<!-- {re.escape(name)}: .*-->\n\n).*?(\n*<!-- end of {re.escape(name)} -->)",
            lambda match, content=content: f"{match[1]}{content}\n\n{match[2].lstrip()}",
            text,
            flags=re.DOTALL,
        )
        if n != 1:
            raise ValueError(
                f"{n} places in the page begin with <!-- {name}: and end; expected 1."
            )
    return text
