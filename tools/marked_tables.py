"""Markdown tables and single figures that scripts write into pages, between two comments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    cells = [list(header), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    lines = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    return lines.replace(" %", "\N{NO-BREAK SPACE}%")  # a narrow column breaks no "97 %"


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


FIGURE = re.compile(r"<!-- figure: ([^>]*?) -->(.*?)<!-- / -->", re.DOTALL)


def figures_in(text: str) -> list[str]:
    """Return the names of the figures that a page holds.

    >>> figures_in("AUC <!-- figure: hand AUC -->0.99<!-- / -->")
    ['hand AUC']
    """
    return [match[1] for match in FIGURE.finditer(text)]


def with_figures(text: str, figures: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with its figures, each between ``<!-- figure: NAME -->`` and ``<!-- / -->``.

    Raises
    ------
    ValueError
        If a figure is unknown, or a line begins with one: Markdown takes such a line for HTML.

    Examples
    --------
    >>> with_figures("AUC <!-- figure: hand AUC --><!-- / -->", {"hand AUC": lambda: "0.99"})
    'AUC <!-- figure: hand AUC -->0.99<!-- / -->'
    """
    if first := re.search(r"^(?:[\s>]|[*-]\s)*<!-- figure: .*", text, re.MULTILINE):
        raise ValueError(
            f"A line begins with a figure; begin it with a word: {first[0].strip()}"
        )
    if unknown := sorted(set(figures_in(text)) - set(figures)):
        raise ValueError(f"No figures are called {', '.join(unknown)}; see tools/figures.py.")
    return FIGURE.sub(lambda m: f"<!-- figure: {m[1]} -->{figures[m[1]]()}<!-- / -->", text)
