"""PyTorch is told, before it is loaded, how many threads it has and that waiting ones sleep."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from napari_pickeroptimizer import openmp
from napari_pickeroptimizer.openmp import (
    processors,
    settle,
    threads_of_each,
    use_threads,
)

WAIT, THREADS, DIGITS = "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "MKL_CBWR"
SETTLED = {WAIT: "passive", DIGITS: "AUTO,STRICT"}


@pytest.fixture(autouse=True)
def _sixty_four_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "cores", lambda: 64)
    monkeypatch.setattr(openmp, "IS_CHOSEN", False)


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    return tmp_path / "none"


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")


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
    assert environ == SETTLED | ({THREADS: n_threads} if n_threads else {})


@pytest.mark.parametrize(("of_task", "n"), [("6", 6), ("0", 1), ("96", 64), ("many", 64)])
def test_a_slurm_job_has_the_processors_of_its_task(
    nowhere: Path, of_task: str, n: int
) -> None:
    assert processors({"SLURM_CPUS_PER_TASK": of_task}, nowhere) == n


def test_without_a_limit_only_waiting_and_digits_are_settled(nowhere: Path) -> None:
    environ: dict[str, str] = {}
    settle(environ, nowhere)
    assert environ == SETTLED


def test_what_the_user_has_set_stays(tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.write_text("400000 100000\n")
    given = {WAIT: "active", THREADS: "12", DIGITS: "COMPATIBLE"}
    environ = dict(given)
    settle(environ, file)
    assert environ == given


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize(("environ", "n"), [({}, "8"), ({"SLURM_CPUS_PER_TASK": "4"}, "4")])
def test_a_command_uses_no_more_threads_than_are_of_use(
    environ: dict[str, str], n: str, monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    monkeypatch.setattr(processors, "__defaults__", (None, nowhere))
    use_threads(None, environ)
    assert environ[THREADS] == n


@pytest.mark.usefixtures("without_torch")
def test_a_command_uses_the_threads_that_the_user_has_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {THREADS: "32"}
    use_threads(12, environ)
    assert environ == {THREADS: "12"}
    monkeypatch.setattr(openmp, "IS_CHOSEN", True)
    environ = {THREADS: "32"}
    use_threads(None, environ)
    assert environ == {THREADS: "32"}


def test_pytorch_is_told_where_it_is_loaded() -> None:
    before = torch.get_num_threads()
    try:
        use_threads(before + 2, {})
        assert torch.get_num_threads() == before + 2
        use_threads(None, {})
        assert torch.get_num_threads() == before + 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("n_processes", "n"), [(2, 8), (16, 4), (64, 1), (100, 1)])
def test_processes_share_all_processors(
    n_processes: int, n: int, monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    monkeypatch.setattr(processors, "__defaults__", (None, nowhere))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert threads_of_each(n_processes) == n
    monkeypatch.setattr(openmp, "IS_CHOSEN", True)
    assert threads_of_each(n_processes) is None


def test_every_command_that_computes_takes_threads() -> None:
    from typer.main import get_command

    from napari_pickeroptimizer.cli.app import app

    computing = {"demo", "finetune", "suggest", "score", "prune", "relion", "pretrain"}
    commands = get_command(app).commands
    with_threads = {
        name for name, c in commands.items() if "threads" in {p.name for p in c.params}
    }
    with_device = {n for n, c in commands.items() if "device" in {p.name for p in c.params}}
    assert with_threads == with_device == computing
