"""A release is refused where it lacks something; the public CI covers what the project promises."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

METADATA = "Metadata-Version: 2.4\nName: x\nVersion: 1.0\nClassifier: Framework :: napari\n"
ENTRY_POINTS = "[console_scripts]\na = b:c\n\n[napari.manifest]\na = b:c\n"
CONTENT = {
    "__init__.py": b"",
    "model/bundled.safetensors": b"weights",
    "napari.yaml": b"name: x",
    "py.typed": b"",
    "report/templates/style.css": b"",
}


@pytest.fixture(scope="module")
def check_release(repository: Path) -> ModuleType:
    path = repository / "tools" / "check_release.py"
    spec = importlib.util.spec_from_file_location("check_release", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheel_of(tmp_path: Path) -> Callable[..., Path]:
    def make(files: dict[str, bytes], others: dict[str, str] | None = None) -> Path:
        path = tmp_path / "x-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(f"napari_pickeroptimizer/{name}", content)
            archive.writestr("x-1.0.dist-info/METADATA", METADATA)
            archive.writestr("x-1.0.dist-info/entry_points.txt", ENTRY_POINTS)
            for name, text in (others or {}).items():
                archive.writestr(name, text)
        return path

    return make


def test_a_wheel_that_holds_the_sources_is_fine(
    check_release: ModuleType, wheel_of: Callable[..., Path]
) -> None:
    assert list(check_release.wheel_faults(wheel_of(CONTENT), CONTENT)) == []


def test_what_a_wheel_lacks_or_has_too_much_is_named(
    check_release: ModuleType, wheel_of: Callable[..., Path]
) -> None:
    packed = CONTENT | {"__init__.py": b"# old", "scratch.py": b""}
    del packed["model/bundled.safetensors"]
    wheel = wheel_of(packed, {"tests/__init__.py": ""})
    assert list(check_release.wheel_faults(wheel, CONTENT)) == [
        "tests does not belong in it",
        "model/bundled.safetensors is missing",
        "scratch.py is not in the sources",
        "__init__.py differs from the sources",
    ]


CHANGES = "# Changelog\n\n## [Unreleased]\n\n## [1.0] - 2026-11-28\n\nThe first.\n"
URLS = '[project.urls]\nSource = "s"\nIssues = "i"\nChangelog = "c"\n'


@pytest.mark.parametrize(
    ("tag", "changes", "urls", "fault"),
    [
        ("v1.1", CHANGES, URLS, "the tag is v1.1"),
        ("v1.0", CHANGES.replace(" - 2026-11-28", ""), URLS, "CHANGELOG.md has no"),
        ("v1.0", CHANGES.replace("d]\n", "d]\n\n- new\n", 1), URLS, "under Unreleased"),
        ("v1.0", CHANGES, "", "no Source in [project.urls]"),
    ],
)
def test_a_version_is_not_published_that_cannot_be_told_or_traced(
    check_release: ModuleType, tmp_path: Path, tag: str, changes: str, urls: str, fault: str
) -> None:  # fmt: skip
    (tmp_path / "CHANGELOG.md").write_text(changes)
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n{urls}')
    faults = list(check_release.publishing_faults(tag, "1.0", tmp_path))
    assert any(fault in f for f in faults), faults
    assert len(faults) == (3 if not urls else 1)


def test_a_version_with_all_of_it_may_be_published(
    check_release: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n{URLS}')
    assert list(check_release.publishing_faults("v1.0", "1.0", tmp_path)) == []


def test_the_published_readme_links_to_the_tagged_version(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface = ModuleType("hatchling.metadata.plugin.interface")
    interface.MetadataHookInterface = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", repository / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    text = "![](docs/a.webp) [b](docs/b.md#c) [d](https://d.org/e) [here](#below)"
    assert hook.with_absolute_links(text, "https://x.org/y/z/", "1.0") == (
        "![](https://x.org/y/z/raw/v1.0/docs/a.webp) [b](https://x.org/y/z/blob/v1.0/docs/b.md#c) "
        "[d](https://d.org/e) [here](#below)"
    )


def workflow(repository: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((repository / ".github" / "workflows" / name).read_text())


def commands(repository: Path, name: str) -> list[list[str]]:
    """Return the commands of a workflow, split as a shell does."""
    jobs = workflow(repository, name)["jobs"].values()
    steps = [step for job in jobs for step in job["steps"] if "run" in step]
    return [shlex.split(line) for step in steps for line in step["run"].splitlines()]


def test_ci_runs_what_the_classifiers_promise(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    promised = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    jobs = workflow(repository, "ci.yml")["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix["python"] == promised
    oldest = jobs["oldest"]["steps"][1]["with"]["python-version"]
    assert project["requires-python"] == f">={oldest}"


@pytest.mark.parametrize(
    ("name", "targets", "scripts"),
    [
        (
            "ci.yml",
            {"lint", "docs", "test-oldest", "release-check"},
            {"tools/system-packages", "tools/gui_tests_with.py"},
        ),
        ("release.yml", {"release-check"}, set()),
    ],
)
def test_workflows_run_targets_and_scripts_that_exist(
    repository: Path, name: str, targets: set[str], scripts: set[str]
) -> None:
    makefile = (repository / "Makefile").read_text()
    run = commands(repository, name)
    assert {word for command in run if command[0] == "make" for word in command[1:]} == targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    called = {word for command in run for word in command if word.startswith("tools/")}
    assert called == scripts
    for script in called:
        assert (repository / script).is_file(), script
    programs = {command[0] for command in run}
    direct = {program for program in programs if program.startswith("tools/")}
    assert all(os.access(repository / program, os.X_OK) for program in direct)
    assert programs - direct <= {"gh", "make", "pickeroptimizer", "python", "uv"}


def test_ci_tests_as_make_does(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    [options] = re.findall(r"^PYTEST := \S+ (-m pytest .*)$", makefile, re.MULTILINE)
    assert ["python", *options.split()] in commands(repository, "ci.yml")
