"""What is imported is declared, where those who need it install it from; and nothing else is."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "napari_pickeroptimizer"
# torch brings it where it is of use, and nothing is missed without it
NOT_DECLARED = {"triton"}


@pytest.fixture(scope="module")
def declared() -> dict[str, set[str]]:
    """Names of distributions: of the package, its extras, and the groups."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lists = {
        "package": project["project"]["dependencies"],
        **project["project"]["optional-dependencies"],
        **project["dependency-groups"],
    }
    return {
        name: {_plain(re.split(r"[^\w.-]", r)[0]) for r in listed if isinstance(r, str)}
        for name, listed in lists.items()
    }


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_by(files: Iterator[Path]) -> dict[str, set[str]]:
    """Return the distributions that files import, each with the names of these files."""
    distributions = packages_distributions()
    imported: dict[str, set[str]] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for module in {m.partition(".")[0] for m in modules} - NOT_DECLARED:
                if module not in sys.stdlib_module_names and module != SRC.name:
                    for name in distributions.get(module, [module])[:1]:
                        imported.setdefault(_plain(name), set()).add(file.name)
    return imported


def is_plugin(file: Path) -> bool:
    return "plugin" in file.relative_to(SRC).parts


def test_a_cluster_node_gets_what_the_core_imports(declared: dict[str, set[str]]) -> None:
    imported = imported_by(f for f in SRC.rglob("*.py") if not is_plugin(f))
    assert "cryosparc-tools" in declared["cryosparc"]
    optional = {"cryosparc", "cryosparc-tools"}  # as it is called where it is not installed
    extras = declared["simulate"] | declared["cluster"]
    assert set(imported) - declared["package"] - optional == extras


def test_a_workstation_gets_what_the_plugin_imports(declared: dict[str, set[str]]) -> None:
    imported = imported_by(filter(is_plugin, SRC.rglob("*.py")))
    assert set(imported) <= declared["package"] | declared["all"]


def test_nothing_is_declared_that_is_not_imported(declared: dict[str, set[str]]) -> None:
    imported = imported_by(SRC.rglob("*.py"))
    names = ("package", "all", "simulate", "cluster")
    assert set.union(*(declared[name] for name in names)) <= set(imported)


def test_the_tests_find_what_they_import(declared: dict[str, set[str]]) -> None:
    own = {
        _plain(f.stem) for folder in ("tests", "docs") for f in (ROOT / folder).rglob("*.py")
    }
    imported = imported_by((ROOT / "tests").rglob("*.py"))
    known = set.union(*(declared[name] for name in ("package", "all", "test")))
    assert set(imported) - known - own == set()
