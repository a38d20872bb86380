"""Scored by one process, by several, or by a cluster: the same files; a lost worker costs time."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from worker_stand_ins import (
    EndsWorkers,
    HoldsFirstWorker,
    compute_with_one_thread,
    kill_when,
    with_one,
)

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.prune.events import MicrographScored, PicksScored, WorkersAsked
from napari_pickeroptimizer.prune.score import score_picks
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.watch import Watched, watch_scores
from napari_pickeroptimizer.prune.workers import parts
from napari_pickeroptimizer.prune.workers.processes import start_context
from napari_pickeroptimizer.prune.workers.scheduler import Scheduler
from napari_pickeroptimizer.reading import MicrographFailed, group_by_micrograph

SETTINGS = PruneSettings(device="cpu")


@contextmanager
def local_cluster(n_workers: int) -> Iterator[Any]:
    """Run a scheduler and worker processes with one thread, as the tests: last digits differ."""
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs="CRITICAL",
    ) as running:
        with Client(running) as client:  # those that take the place of others, too
            client.register_worker_callbacks(compute_with_one_thread)
        yield running


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a scheduler with two worker processes."""
    import dask

    # each loss costs the start of another worker: forked by the server that also starts ours, and
    # which has PyTorch already
    start_context()
    forkserver.ensure_running()
    quick_losses = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.worker.multiprocessing-method": "forkserver",
    }
    with dask.config.set(quick_losses), local_cluster(2) as running:
        yield running.scheduler_address


def scored(
    project: object, model: Path, output: Path, scheduler: str, micrographs: object = None
) -> list[object]:
    """Score the picks of a project and return the events."""
    found = micrographs or Micrographs.find(project.micrographs)
    return [
        *score_picks(
            found, read_picks(project.picks), Classifier.load(model), output, SETTINGS,
            scheduler=Scheduler.parse(scheduler), inputs={"picks": [str(project.picks)]},
        )
    ]  # fmt: skip


def journal(output: Path) -> bytes:
    (path,) = (output / "scores").glob("*.log")
    return path.read_bytes()


@pytest.fixture(scope="module")
def alone(spot_project, model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of this process."""
    output = tmp_path_factory.mktemp("alone")
    scored(spot_project, model, output, "local")
    return journal(output)


@pytest.fixture(params=["processes:2", "dask"])
def scheduler(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("cluster") if request.param == "dask" else request.param


def test_the_journal_is_the_same_byte_for_byte(
    scheduler: str, spot_project, model: Path, alone: bytes, tmp_path: Path
) -> None:
    events = scored(spot_project, model, tmp_path, scheduler)
    assert isinstance(events[0], WorkersAsked)
    micrographs = [e for e in events if isinstance(e, MicrographScored)]
    assert [e.group.name for e in micrographs] == [f"Micrographs/m{i}.mrc" for i in range(3)]
    assert [e.n_done for e in micrographs] == [1, 2, 3]
    assert journal(tmp_path) == alone
    again = scored(spot_project, model, tmp_path, scheduler)
    assert not [e for e in again if isinstance(e, WorkersAsked | MicrographScored)]


def test_a_killed_worker_costs_its_part_and_nothing_else(
    scheduler: str, spot_project, model: Path, alone: bytes, tmp_path: Path
) -> None:
    note, given_up = tmp_path / "worker", threading.Event()
    found = Micrographs.find(spot_project.micrographs)
    held = with_one(found, 1, HoldsFirstWorker, note=note)
    killer = kill_when(note, lambda pid: os.kill(pid, signal.SIGKILL), given_up)
    try:
        scored(spot_project, model, tmp_path / "out", scheduler, held)
    finally:
        given_up.set()
        killer.join()
    assert note.exists()
    assert journal(tmp_path / "out") == alone


def test_a_micrograph_that_ends_every_worker_is_named_and_the_others_are_scored(
    scheduler: str, spot_project, model: Path, alone: bytes, tmp_path: Path
) -> None:
    found = Micrographs.find(spot_project.micrographs)
    events = scored(spot_project, model, tmp_path, scheduler, with_one(found, 1, EndsWorkers))
    (failed,) = [e for e in events if isinstance(e, MicrographFailed)]
    assert failed.group.name == "Micrographs/m1.mrc"
    assert "may need more memory" in failed.reason
    result = events[-1]
    assert isinstance(result, PicksScored)
    missing = np.isnan(result.picks.particle_probability)
    np.testing.assert_array_equal(missing, np.repeat([False, True, False], 24))
    # read by a better worker, it is as if nothing had been
    scored(spot_project, model, tmp_path, "local")
    assert set(alone.splitlines()) < set(journal(tmp_path).splitlines())


def test_a_live_session_is_scored_by_them_too(
    scheduler: str, spot_project, model: Path, alone: bytes, tmp_path: Path
) -> None:
    events = watch_scores(
        lambda: Micrographs.find(spot_project.micrographs), [str(spot_project.picks)],
        Classifier.load(model), tmp_path, SETTINGS, times=(0.0, 10.0, 20.0),
        scheduler=Scheduler.parse(scheduler),
    )  # fmt: skip
    assert [e.n_micrographs for e in events if isinstance(e, Watched)] == [3]
    scores = {line for line in alone.splitlines() if b'"kind":"scored"' in line}
    assert len(scores) == 3
    assert scores < {*journal(tmp_path).splitlines()}


@pytest.mark.parametrize("place", ["mics", "../mics"])
def test_what_a_worker_cannot_read_is_told_in_the_words_of_one_process(
    spot_project, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path(place).mkdir()
    for name in ("m0.mrc", "m2.mrc"):
        Path(place, name).write_bytes((spot_project.micrographs / name).read_bytes())
    Path(place, "m1.mrc").write_bytes(b"no image")
    reasons = {}
    for scheduler in ("local", "processes:1"):
        output = tmp_path / scheduler.partition(":")[0]
        events = scored(spot_project, model, output, scheduler, Micrographs.find(place))
        reasons[scheduler] = events[-1].failures
    assert len(reasons["local"]) == 1
    assert reasons["local"] == reasons["processes:1"]
    assert journal(tmp_path / "local") == journal(tmp_path / "processes")


def test_weights_go_to_a_worker_once_and_are_loaded_once(
    spot_project, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picks, found = read_picks(spot_project.picks), Micrographs.find(spot_project.micrographs)
    job = parts.Job.of("key", Classifier.load(model), SETTINGS)
    groups = group_by_micrograph(found, picks)
    sent = list(parts.parts_of("key", groups, picks.coords_yx_px(), 2))
    assert [part.first for part in sent] == [0, 1, 2]
    assert max(len(pickle.dumps(part)) for part in sent) < 5_000 < len(job.model)
    loads: list[bytes] = []
    load = pickle.loads
    monkeypatch.setattr(pickle, "loads", lambda text: (loads.append(text), load(text))[1])
    parts.prepare(job)
    try:
        results = [parts.score_part(part) for part in sent]
    finally:
        parts.release("key")
    assert [len(result.events) for result in results] == [1, 1, 1]
    assert len(loads) == 1
    with pytest.raises(KeyError):
        parts.score_part(sent[0])


def test_many_micrographs_go_in_parts_of_four_few_one_by_one(spot_project) -> None:
    picks, found = read_picks(spot_project.picks), Micrographs.find(spot_project.micrographs)
    groups = group_by_micrograph(found, picks) * 40
    sizes = [len(p.groups) for p in parts.parts_of("", groups, picks.coords_yx_px(), 3)]
    assert sizes == [4] * 30
    part = next(parts.parts_of("", groups, picks.coords_yx_px(), 3))
    singles = list(part.single())
    assert [single.first for single in singles] == [0, 1, 2, 3]
    np.testing.assert_array_equal(
        singles[2].coords_yx_px, picks.coords_yx_px()[groups[2].rows]
    )
    np.testing.assert_array_equal(singles[2].groups[0].rows, np.arange(24))


def test_a_worker_of_other_versions_or_without_the_files_is_refused(
    spot_project, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "is_file", lambda path: False)
    picks, found = read_picks(spot_project.picks), Micrographs.find(spot_project.micrographs)
    job = parts.Job.of("key", Classifier.load(model), SETTINGS)
    groups = group_by_micrograph(found, picks)
    part = next(parts.parts_of("key", groups, picks.coords_yx_px(), 2))
    parts.prepare(job)
    result = parts.score_part(part)
    parts.release("key")
    from napari_pickeroptimizer.prune.workers import scheduler

    with pytest.raises(SettingsError, match=r"m0.mrc is there, but a worker does not see it"):
        scheduler._check_seen(result)
    monkeypatch.setattr(
        parts, "software_versions", lambda: {"napari-pickeroptimizer": "9", "torch": "1.0"}
    )
    parts.prepare(job)
    with pytest.raises(SettingsError, match=r"napari-pickeroptimizer 9 \(not .*torch 1.0"):
        parts.score_part(part)
    parts.release("key")


def test_all_files_of_a_run_are_the_same_by_the_command_line(
    cluster: str, spot_project, model: Path, tmp_path: Path, run
) -> None:
    inputs = ["-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model]
    files = {}
    for i, scheduler in enumerate(("local", "processes:2", cluster)):  # and as many threads
        out = tmp_path / str(i)
        code, _, err = run(
            "prune", *inputs, "-o", out, "--no-report", "--device", "cpu",
            "--scheduler", scheduler, "--threads", 1 + i,
        )  # fmt: skip
        assert code == 0, err
        names = ("kept.star", "rejected.star", "scored.star")
        files[scheduler] = [journal(out), *((out / name).read_bytes() for name in names)]
        record = json.loads((out / "run.json").read_text())
        files[scheduler].append(json.dumps({**record, "started": 0, "seconds": 0}).encode())
    assert files["processes:2"] == files["local"]
    assert files[cluster] == files["local"]


def test_a_scheduler_that_goes_is_told_and_what_is_scored_stays(
    spot_project, model: Path, alone: bytes, tmp_path: Path
) -> None:
    note, given_up = tmp_path / "worker", threading.Event()
    found = Micrographs.find(spot_project.micrographs)
    held = with_one(found, 1, HoldsFirstWorker, note=note)
    with local_cluster(1) as running:
        killer = kill_when(note, lambda pid: running.close(), given_up)
        try:
            with pytest.raises(SettingsError, match="has gone. What was scored is kept"):
                scored(spot_project, model, tmp_path / "out", running.scheduler_address, held)
        finally:
            given_up.set()
            killer.join()
    assert note.exists()
    assert alone.startswith(journal(tmp_path / "out"))
    scored(spot_project, model, tmp_path / "out", "local")
    assert journal(tmp_path / "out") == alone


@pytest.mark.parametrize(("have_gone", "raised"), [(True, SettingsError), (False, TypeError)])
def test_an_error_of_dask_counts_as_its_end_once_it_has_gone(
    have_gone: bool, raised: type[Exception], spot_project, model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    failed: Future[object] = Future()
    failed.set_exception(TypeError("a result that Dask took for an error"))
    workers = SimpleNamespace(
        n_busy=1, have_gone=have_gone, lost=KeyError, submit=lambda part: failed
    )
    monkeypatch.setattr(Scheduler, "workers", lambda *_: nullcontext(workers))
    with pytest.raises(raised):
        scored(spot_project, model, tmp_path, "tcp://here:1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("processes", "expected local, processes:N"),
        ("processes:0", "expected local, processes:N"),
        ("tcp://nobody", "expected local, processes:N"),
        ("condor:file", "expected local, processes:N"),
        ("slurm:", "expected local, processes:N"),
    ],
)
def test_what_is_no_scheduler_is_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Scheduler.parse(text)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_pickeroptimizer.prune.workers.scheduler.find_spec", lambda name: None
    )
    Scheduler.parse("processes:2").check("cpu")
    with pytest.raises(SettingsError, match=r"napari-pickeroptimizer\[cluster\]"):
        Scheduler.parse("tcp://here:1").check("cpu")


def test_an_address_where_nobody_answers_is_told(
    spot_project, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_pickeroptimizer.prune.workers.cluster.PATIENCE_S", 0.2)
    with pytest.raises(SettingsError, match="no Dask scheduler answers at tcp://127.0.0.1:1:"):
        scored(spot_project, model, tmp_path, "tcp://127.0.0.1:1")
