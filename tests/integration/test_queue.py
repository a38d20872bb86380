"""Jobs of a queueing system: the script that is submitted, and a run through stand-ins for SLURM.

No SLURM is needed: `sbatch` and `scancel` are small programs that start and end a process here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.prune.workers.cluster import job_script, queue_settings
from napari_pickeroptimizer.prune.workers.scheduler import Scheduler

SLURM = """
jobs: 3
cores: 4
processes: 2
memory: 16GB
queue: gpu
account: cryoem
walltime: "02:00:00"
job_extra_directives: ["--gres=gpu:1"]
job_script_prologue: ["source ~/venv/bin/activate"]
"""
HERE = "scheduler_options: {host: 127.0.0.1, dashboard_address: ':0'}\n"


def settings_file(folder: Path, text: str, name: str = "queue.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_job_of_slurm_asks_for_what_the_file_says(tmp_path: Path) -> None:
    script = job_script("slurm", settings_file(tmp_path, SLURM + HERE)).splitlines()
    assert script[0] == "#!/usr/bin/env bash"
    for line in ("-p gpu", "-A cryoem", "--cpus-per-task=4", "-t 02:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}" in script
    assert "source ~/venv/bin/activate" in script
    (worker,) = [line for line in script if "dask_worker" in line]
    assert worker.startswith(sys.executable)
    assert "--nthreads 2" in worker
    assert "--nworkers 2" in worker


@pytest.mark.parametrize(
    ("kind", "directive"),
    [("pbs", "#PBS -q gpu"), ("sge", "#$ -q gpu"), ("lsf", "#BSUB -q gpu")],
)
def test_other_queues_take_the_same_file(kind: str, directive: str, tmp_path: Path) -> None:
    text = "jobs: 1\ncores: 1\nmemory: 8GB\nqueue: gpu\nlsf_units: MB\n" + HERE
    text = text if kind == "lsf" else text.replace("lsf_units: MB\n", "")
    assert directive in job_script(kind, settings_file(tmp_path, text)).splitlines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jobs: 0\ncores: 1", "jobs must be the number of jobs, got 0"),
        ("cores: 1", "jobs must be the number of jobs, got None"),
        ("jobs: true", "jobs must be the number of jobs, got True"),
        ("- jobs", "holds no settings"),
        ("jobs: [", "cannot be read as YAML or JSON"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, said: str, tmp_path: Path) -> None:
    file = settings_file(tmp_path, text)
    with pytest.raises(SettingsError, match=said):
        Scheduler.parse(f"slurm:{file}").check("cpu")


def test_settings_are_json_as_well_and_a_missing_file_is_told(tmp_path: Path) -> None:
    file = settings_file(tmp_path, '{"jobs": 2, "cores": 1}', "queue.json")
    assert queue_settings(file) == (2, {"cores": 1})
    with pytest.raises(SettingsError, match="cannot be read"):
        queue_settings(tmp_path / "none.yaml")


# of a cluster that was never made, distributed says that it is not closed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_argument_that_there_is_not_is_told_with_the_file(tmp_path: Path) -> None:
    file = settings_file(tmp_path, "jobs: 1\ncores: 1\nmemory: 1GB\nwaltime: '1'\n" + HERE)
    with pytest.raises(SettingsError, match=r"queue.yaml.*unexpected keyword.*waltime"):
        job_script("slurm", file)


def test_where_no_job_can_be_submitted_that_is_told(
    spot_project, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    file = settings_file(tmp_path, SLURM + HERE)
    code, _, err = run(
        "score", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model,
        "-o", tmp_path / "out", "--scheduler", f"slurm:{file}",
    )  # fmt: skip
    assert code == 2
    assert "sbatch is not on the path" in " ".join(err.split())


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with stand-ins for SLURM's programs, and what they were asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    programs = {
        "sbatch": 'cp "$1" "$0.script"\nbash "$0.script" >"$0.said" 2>&1 &\n'
        'echo "Submitted batch job $!"',
        "scancel": 'echo "$1" >>"$0.jobs"\nkill "$1"',
    }
    for name, text in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="stand-ins are scripts of bash")
def test_jobs_score_as_this_process_does_and_are_cancelled_at_the_end(
    slurm: Path, spot_project, model: Path, tmp_path: Path, run
) -> None:
    file = settings_file(tmp_path, "jobs: 1\ncores: 1\nmemory: 4GB\n" + HERE)
    journals = []
    for i, scheduler in enumerate(("local", f"slurm:{file}")):
        code, _, err = run(
            "score", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model",
            model, "-o", tmp_path / str(i), "--device", "cpu", "--scheduler", scheduler,
        )  # fmt: skip
        assert code == 0, err
        (path,) = (tmp_path / str(i) / "scores").glob("*.log")
        journals.append(path.read_bytes())
    assert journals[1] == journals[0]
    assert "#SBATCH --cpus-per-task=1" in (slurm / "sbatch.script").read_text()
    assert len((slurm / "scancel.jobs").read_text().split()) == 1
