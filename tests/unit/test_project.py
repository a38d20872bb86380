"""What the project says about itself in several places is the same in all of them."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import napari_pickeroptimizer

MAX_LINES = 400


def test_version_is_the_same_everywhere(repository: Path) -> None:
    citation = (repository / "CITATION.cff").read_text()
    changes = (repository / "CHANGELOG.md").read_text()
    expected = napari_pickeroptimizer.__version__

    assert version("napari-pickeroptimizer") == expected
    assert re.search(r"^version: (\S+)$", citation, re.MULTILINE)[1] == expected
    assert f"## [{expected}]" in changes


def test_manifest_at_the_top_is_the_packaged_one(repository: Path) -> None:
    packaged = repository / "src" / "napari_pickeroptimizer" / "napari.yaml"
    assert (repository / "napari.yaml").resolve() == packaged.resolve()
    assert not packaged.is_symlink()


def test_napari_finds_the_manifest() -> None:
    [manifest] = [
        e for e in entry_points(group="napari.manifest") if e.name == "napari-pickeroptimizer"
    ]
    assert manifest.value == "napari_pickeroptimizer:napari.yaml"


def test_base_install_brings_no_napari_and_no_qt(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", d)[0].lower() for d in project["dependencies"]}
    assert not names & {"napari", "magicgui", "qtpy", "pyqt6", "pyside6", "superqt"}


def test_no_source_file_has_outgrown_a_reader(repository: Path) -> None:
    lengths = {
        str(path.relative_to(repository)): len(path.read_text().splitlines())
        for folder in ("src", "tests", "benchmarks")
        for path in (repository / folder).rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}
