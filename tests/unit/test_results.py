"""The figures in README and documentation are those that the benchmarks wrote last."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        return importlib.import_module("update_results")


def texts(tool: ModuleType) -> dict[str, str]:
    """README and documentation, by path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in tool.pages()
    }


def test_tables_and_figures_in_sentences_are_those_of_the_results(tool: ModuleType) -> None:
    pages = texts(tool)
    other = [path for path, text in pages.items() if tool.updated(path, text) != text]
    assert not other, "run: python tools/update_results.py"
    assert set(tool.PAGES) <= set(pages)


def test_every_file_of_results_is_in_a_table(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tables = set(), [make for page in tool.PAGES.values() for make in page.values()]
    original = tool.tables.read
    monkeypatch.setattr(tool.tables, "read", lambda name: read.add(name) or original(name))
    assert all(len(make().splitlines()) > 2 for make in tables)
    assert all(figure() for figure in tool.FIGURES.values())
    assert read == {path.stem for path in tool.tables.RESULTS.glob("*.json")}


def test_every_named_figure_is_in_a_sentence_or_in_the_table_of_the_readme(
    tool: ModuleType,
) -> None:
    source = (ROOT / "tools" / "update_results.py").read_text(encoding="utf-8")
    used = {name for text in texts(tool).values() for name in tool.marked.figures_in(text)}
    used |= set(re.findall(r"""of\[["'](.+?)["']\]""", source))
    assert used == set(tool.FIGURES)


# What these pages say that looks like a measured figure of ours and is none, with its reason
NOT_MEASURED = {
    "README.md": {},
    "docs/index.md": {},
    "docs/explanation/comparison.md": {
        "57 %": "another program's, by a public script",
        "18.5 min": "the same",
    },
    "docs/reference/model-card.md": {
        **dict.fromkeys(["72.0 %", "65.6 %", "0.963", "0.966"], "said to be measured once"),
        "41 min": "how long the making took",
    },
}
MEASURED = re.compile(r"[+−-]?\b\d+(?:\.\d+)? (?:%|s\b|min|ms\b|MB\b)|\b0\.\d{2,}\b")


@pytest.mark.parametrize("page", NOT_MEASURED)
def test_no_measured_figure_is_typed_by_hand(tool: ModuleType, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in tool.PAGES.get(page, {}):
        text = re.sub(rf"<!-- {name}:.*<!-- end of {name} -->", "", text, flags=re.DOTALL)
    text = tool.marked.FIGURE.sub("", text)
    text = re.sub(r"```.*?```|`[^`]*`|\([^()\s]*\)", "", text, flags=re.DOTALL)
    assert set(MEASURED.findall(text)) == set(NOT_MEASURED[page])


def test_another_figure_in_the_results_changes_the_page(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**row, "auc": [0.5]} for row in tool.tables.read("fewshot")]
    monkeypatch.setattr(tool.tables, "read", lambda name: rows)
    assert "| 20 | 0.5000 | 0.5000 |" in tool.tables.fewshot_table()


def test_another_figure_in_the_results_changes_the_sentence(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**row, "auc": [0.5]} for row in tool.tables.read("targets")]
    monkeypatch.setattr(tool.tables, "read", lambda name: rows)
    text = "An AUC of <!-- figure: hand AUC -->0.994<!-- / -->."
    assert tool.updated("any.md", text) == text.replace("0.994", "0.500")


def test_a_figure_that_nobody_knows_is_told(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"called hand AUK; see tools/figures\.py"):
        tool.updated("any.md", "An AUC of <!-- figure: hand AUK -->1<!-- / -->")


@pytest.mark.parametrize("before", ["", "some words\n", "- ", "> "])
def test_a_figure_that_begins_a_line_is_told(tool: ModuleType, before: str) -> None:
    with pytest.raises(ValueError, match="A line begins with a figure"):
        tool.updated("any.md", f"{before}<!-- figure: hand AUC -->0.994<!-- / -->")


def test_a_page_without_its_place_is_told(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match="begin with <!-- measured: and end"):
        tool.updated("README.md", "no table here")
