"""PyTorch is told, before it is loaded, how many threads it has and that waiting ones sleep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_pickeroptimizer.openmp import settle

WAIT, THREADS = "OMP_WAIT_POLICY", "OMP_NUM_THREADS"


@pytest.fixture(autouse=True)
def _sixty_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


@pytest.mark.parametrize(
    ("limit", "n_threads"),
    [
        ("400000 100000", "4"),
        ("150000 100000", "2"),
        ("max 100000", None),
        ("6400000 100000", None),
        ("", None),
    ],
)
def test_a_container_gets_as_many_threads_as_it_has_processors(
    tmp_path: Path, limit: str, n_threads: str | None
) -> None:
    file, environ = tmp_path / "cpu.max", dict[str, str]()
    file.write_text(f"{limit}\n")
    settle(environ, file)
    assert environ[WAIT] == "passive"
    assert environ.get(THREADS) == n_threads


def test_without_a_limit_only_the_waiting_is_settled(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    settle(environ, tmp_path / "none")
    assert environ == {WAIT: "passive"}


def test_what_the_user_has_set_stays(tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.write_text("400000 100000\n")
    environ = {WAIT: "active", THREADS: "12"}
    settle(environ, file)
    assert environ == {WAIT: "active", THREADS: "12"}
