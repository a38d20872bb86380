"""The figures in README and documentation are those that the benchmarks wrote last."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        return importlib.import_module("update_results")


@pytest.mark.parametrize("page", ["README.md", "results.md", "ablation.md"])
def test_tables_are_those_of_the_results(tool: ModuleType, page: str) -> None:
    (path,) = (name for name in tool.PAGES if name.endswith(page))
    text = (ROOT / path).read_text(encoding="utf-8")
    assert tool.updated(path, text) == text, "run: python tools/update_results.py"


def test_every_file_of_results_is_in_a_table(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tables = set(), [make for page in tool.PAGES.values() for make in page.values()]
    original = tool.tables.read
    monkeypatch.setattr(tool.tables, "read", lambda name: read.add(name) or original(name))
    assert all(len(make().splitlines()) > 2 for make in tables)
    assert read == {path.stem for path in tool.tables.RESULTS.glob("*.json")}


def test_another_figure_in_the_results_changes_the_page(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tool.tables.read("fewshot")
    rows[0]["auc"] = [0.5]
    monkeypatch.setattr(tool.tables, "read", lambda name: rows)
    assert "| 20 | 0.5000 | 0.5000 |" in tool.tables.fewshot_table()


def test_a_page_without_its_place_is_told(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match="begin with <!-- measured: and end"):
        tool.updated("README.md", "no table here")
