"""``pickeroptimizer relion``: the contract of RELION's External jobs; RELION runs if installed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import mrcfile
import pytest
from relion_programs import relion

from napari_pickeroptimizer.cli import app
from napari_pickeroptimizer.cli.relion_job import ABORT_NOW, ENDINGS
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.star import StarDocument

Run = Callable[..., tuple[int, str, str]]

JOB = "External/job012"
OWN = ("note.txt", "run.out", "run.err", "job.star", ".CtfRefine")
HEAD = "\n# version 30001\n\ndata_{}\n\nloop_ \n"
OPTICS = (
    HEAD.format("optics") + "_rlnOpticsGroupName #1 \n_rlnOpticsGroup #2 \n"
    "_rlnMicrographOriginalPixelSize #3 \n_rlnVoltage #4 \n_rlnSphericalAberration #5 \n"
    "_rlnAmplitudeContrast #6 \n_rlnMicrographPixelSize #7 \ng1 1 2.0 300.0 2.7 0.1 2.0 \n \n"
)
NAMES = [f"MotionCorr/job002/Movies/m{i}.mrc" for i in range(3)]


@pytest.fixture
def project(
    spot_project, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A RELION project with the discs; the working directory."""
    movies = tmp_path / "MotionCorr" / "job002" / "Movies"
    shutil.copytree(spot_project.micrographs, movies)
    shutil.copy(model, tmp_path / "model.safetensors")
    picking = tmp_path / "AutoPick" / "job006"
    (picking / "Movies").mkdir(parents=True)
    micrographs = OPTICS + HEAD.format("micrographs")
    micrographs += "_rlnMicrographName #1 \n_rlnOpticsGroup #2 \n"
    listing = HEAD.format("coordinate_files")
    listing += "_rlnMicrographName #1 \n_rlnMicrographCoordinates #2 \n"
    particles = (
        OPTICS + HEAD.format("particles") + "_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n"
    )
    particles += "_rlnImageName #3 \n_rlnMicrographName #4 \n_rlnOpticsGroup #5 \n"
    table = read_picks(spot_project.picks).table
    for name in NAMES:
        stem = Path(name).stem
        rows = table[table["micrograph"] == f"Micrographs/{stem}.mrc"][["x", "y"]].to_numpy()
        text = HEAD.format("") + "_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n"
        text += "".join(f"{x:.6f} {y:.6f} \n" for x, y in rows)
        place = f"AutoPick/job006/Movies/{stem}_autopick.star"
        (tmp_path / place).write_text(f"{text} \n")
        micrographs += f"{name} 1 \n"
        listing += f"{name} {place} \n"
        particles += "".join(
            f"{x:.6f} {y:.6f} {i:06d}@Extract/job007/Movies/{stem}.mrcs {name} 1 \n"
            for i, (x, y) in enumerate(rows, start=1)
        )
    (picking / "autopick.star").write_text(f"{listing} \n")
    (picking / "coords_suffix_autopick.star").write_text("micrographs.star\n")
    (tmp_path / "micrographs.star").write_text(f"{micrographs} \n")
    (tmp_path / "particles.star").write_text(f"{particles} \n")
    job = tmp_path / JOB
    job.mkdir(parents=True)
    for name in OWN:
        (job / name).write_text(f"RELION's {name}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def job(run: Run, project: Path) -> Callable[..., tuple[int, str, str]]:
    """Run the job as RELION does, with what it adds to every command."""

    def run_it(
        *arguments: object, coords: str | None = "autopick.star"
    ) -> tuple[int, str, str]:
        given = ["--in_coords", f"AutoPick/job006/{coords}"] if coords else []
        return run(
            "relion", "--o", f"{JOB}/", "--in_mics", "micrographs.star", *given, *arguments,
            "--model", "model.safetensors", "--device", "cpu", "--j", "4",
            "--pipeline_control", f"{JOB}/", "--in_3dref", "map.mrc",
        )  # fmt: skip

    return run_it


def endings(project: Path) -> list[str]:
    return [name for name in ENDINGS if (project / JOB / name).exists()]


def nodes(project: Path, label: str) -> dict[str, str]:
    """Results that the job tells of, with their types."""
    document = StarDocument.read(project / JOB / "RELION_OUTPUT_NODES.star")
    (block,) = document.blocks
    assert block.name == "output_nodes"
    assert block.columns == ("rlnPipeLineNodeName", label)
    table = document.strings(block, block.columns)
    found = dict(zip(table["rlnPipeLineNodeName"], table[label], strict=True))
    assert all((project / name).is_file() for name in found)
    return found


LABEL, NUMBER = "rlnPipeLineNodeTypeLabel", "rlnPipeLineNodeType"


def test_coordinates_come_back_with_a_list_and_the_numbers_of_prune(
    job, run: Run, project: Path
) -> None:
    code, _, said = job()
    assert code == 0, said
    assert endings(project) == ["RELION_JOB_EXIT_SUCCESS"]
    assert nodes(project, LABEL) == {
        f"{JOB}/autopick.star": "MicrographCoordsGroup.star.relion.autopick",
        f"{JOB}/logfile.pdf": "LogFile.pdf.relion.autopick",
    }
    run(
        "prune", "-m", "micrographs.star", "-p", "AutoPick/job006/autopick.star", "--model",
        "model.safetensors", "--device", "cpu", "-o", "Pruned/job",
    )  # fmt: skip
    ours, theirs = (
        json.loads((project / place / "run.json").read_text()) for place in (JOB, "Pruned/job")
    )
    for key in ("counts", "threshold", "expectation", "micrographs"):
        assert ours[key] == theirs[key]
    kept = read_picks(project / JOB / "autopick.star")
    assert len(kept) == ours["counts"]["kept"] > 0
    assert kept.table.equals(read_picks(project / "Pruned/job/kept/autopick.star").table)
    assert set(kept.table["micrograph"]) <= set(NAMES)


def test_particles_come_back_as_kept_star(job, project: Path) -> None:
    code, _, said = job("--in_parts", "particles.star", coords=None)
    assert code == 0, said
    assert nodes(project, LABEL) == {
        f"{JOB}/kept.star": "ParticleGroupMetadata.star.relion",
        f"{JOB}/logfile.pdf": "LogFile.pdf.relion.autopick",
    }
    document = StarDocument.read(project / JOB / "kept.star")
    assert [b.name for b in document.blocks] == ["optics", "particles"]
    record = json.loads((project / JOB / "run.json").read_text())
    assert len(document.blocks[1]) == record["counts"]["kept"]


@pytest.mark.parametrize(
    ("pipeline", "coords", "label", "type_of_coordinates", "file"),
    [
        ("_rlnPipeLineNodeType #2", "coords_suffix_autopick.star", NUMBER, "2",
         "kept/coords_suffix_autopick.star"),
        ("_rlnPipeLineNodeType #2", "autopick.star", NUMBER, "2", "coords_suffix_autopick.star"),
        ("_rlnPipeLineNodeTypeLabel #2\na ParticlesData.star.relion", "autopick.star", LABEL,
         "MicrographsCoords.star.relion.autopick", "autopick.star"),
        ("_rlnPipeLineNodeTypeLabel #2\na ParticleGroupMetadata.star.relion",
         "coords_suffix_autopick.star", LABEL, "MicrographCoordsGroup.star.relion.autopick",
         "autopick.star"),
        (None, "coords_suffix_autopick.star", NUMBER, "2", "kept/coords_suffix_autopick.star"),
    ],
)  # fmt: skip
def test_results_are_told_in_the_words_of_the_project_s_relion(
    job, project: Path, pipeline, coords, label, type_of_coordinates, file
) -> None:
    if pipeline is not None:
        (project / "default_pipeline.star").write_text(
            f"data_pipeline_nodes\nloop_\n{pipeline}\n"
        )
    code, _, said = job(coords=coords)
    assert code == 0, said
    assert nodes(project, label)[f"{JOB}/{file}"] == type_of_coordinates


def test_a_version_that_is_told_wins(job, project: Path) -> None:
    (project / "default_pipeline.star").write_text("_rlnPipeLineNodeTypeLabel #2\n")
    assert job("--for-relion", "3")[0] == 0
    assert nodes(project, NUMBER)[f"{JOB}/logfile.pdf"] == "13"
    code, _, said = job("--for-relion", "2")
    assert code == 2
    assert "expected 3, 4 or 5" in said


def test_one_table_of_all_coordinates_becomes_files_that_extraction_finds(
    job, run: Run, project: Path
) -> None:
    run("convert", "AutoPick/job006/autopick.star", "AutoPick/job006/all.star")
    code, _, said = job(coords="all.star")
    assert code == 0, said
    document = StarDocument.read(project / JOB / "autopick.star")
    (block,) = document.blocks
    table = document.strings(block, block.columns)
    assert table["rlnMicrographName"].tolist() == NAMES
    assert table["rlnMicrographCoordinates"].tolist() == [
        f"{JOB}/Movies/m{i}_autopick.star" for i in range(3)
    ]
    kept = read_picks(project / JOB / "kept.star").table[["micrograph", "x", "y"]]
    listed = read_picks(project / JOB / "autopick.star").table[["micrograph", "x", "y"]]
    by = ["micrograph", "x", "y"]
    assert (
        listed.sort_values(by).to_numpy().tolist() == kept.sort_values(by).to_numpy().tolist()
    )


def test_continuing_replaces_our_files_and_no_others(job, project: Path) -> None:
    assert job("--threshold", "0.5")[0] == 0
    (project / JOB / "RELION_JOB_EXIT_FAILURE").touch()  # of whatever went before
    first = json.loads((project / JOB / "run.json").read_text())
    code, _, said = job("--threshold", "1")
    assert code == 0, said
    assert endings(project) == ["RELION_JOB_EXIT_SUCCESS"]
    second = json.loads((project / JOB / "run.json").read_text())
    assert first["counts"]["kept"] > second["counts"]["kept"] == 0
    # nothing is kept: no file for the next job, and none of the earlier run either
    assert nodes(project, LABEL) == {f"{JOB}/logfile.pdf": "LogFile.pdf.relion.autopick"}
    assert not (project / JOB / "autopick.star").exists()
    for name in OWN:
        assert (project / JOB / name).read_text() == f"RELION's {name}\n"
    assert {"logfile.pdf", "RELION_OUTPUT_NODES.star", "report.html"} <= set(second["files"])


def test_a_job_is_aborted_between_events_and_can_be_continued(
    job, project: Path, names_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_pickeroptimizer.prune import run as pruning

    whole = pruning.score_picks

    def aborted_midway(*arguments, **more):
        for event in whole(*arguments, **more):
            (project / JOB / ABORT_NOW).touch()
            yield event

    with monkeypatch.context() as patched:
        patched.setattr(pruning, "score_picks", aborted_midway)
        code, _, said = job()
    assert code == 130
    assert said.count("Aborted in RELION") == 1
    assert endings(project) == ["RELION_JOB_EXIT_ABORTED"]
    assert not (project / JOB / ABORT_NOW).exists()
    assert not (project / JOB / "run.json").exists()
    assert not (project / JOB / ".run_in_progress").exists()
    assert job()[0] == 0
    assert endings(project) == ["RELION_JOB_EXIT_SUCCESS"]


def test_a_request_that_came_before_the_program_had_started_counts(job, project: Path) -> None:
    (project / JOB / ABORT_NOW).touch()
    assert job()[0] == 130
    assert endings(project) == ["RELION_JOB_EXIT_ABORTED"]


@pytest.mark.parametrize(
    ("arguments", "coords", "words"),
    [
        (["--in_parts", "particles.star"], "autopick.star", "one job prunes one set of picks"),
        ([], None, "the job has no picks"),
        ([], "nothing.star", "AutoPick/job006/nothing.star"),
        (["--threshold", "much"], "autopick.star", "--threshold 'much'"),
        (["--views", "many"], "autopick.star", "--views"),
        (["--labels", "nothing.star"], "autopick.star", "nothing.star"),
    ],
)
def test_every_failure_is_told_to_relion_and_in_words(
    job, project: Path, arguments: list[str], coords: str | None, words: str
) -> None:
    code, _, said = job(*arguments, coords=coords)
    assert code == 2
    assert words in " ".join(said.split())
    assert endings(project) == ["RELION_JOB_EXIT_FAILURE"]
    assert not (project / JOB / "RELION_OUTPUT_NODES.star").exists()


def test_an_error_of_the_program_itself_is_a_failure_too(
    job, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("napari_pickeroptimizer.prune.run.score_picks", broken)
    with pytest.raises(RuntimeError):
        app.main(
            ["relion", "--o", JOB, "--in_mics", "micrographs.star", "--in_coords",
             "AutoPick/job006/autopick.star", "--model", "model.safetensors"]
        )  # fmt: skip
    assert endings(project) == ["RELION_JOB_EXIT_FAILURE"]


def test_options_that_nobody_knows_are_told_and_ignored(job, project: Path) -> None:
    code, _, said = job("--no-such-option", "0.9")
    assert code == 0
    assert said.count("is unknown and was ignored") == 1  # RELION's own are no news
    assert "--no-such-option" in said
    assert json.loads((project / JOB / "run.json").read_text())["threshold"] == 0.5


def test_an_unreadable_micrograph_does_not_fail_the_job(job, project: Path) -> None:
    (project / NAMES[1]).write_bytes(b"no image")
    code, _, said = job()
    assert code == 1
    assert "m1.mrc" in said
    assert endings(project) == ["RELION_JOB_EXIT_SUCCESS"]
    listed = read_picks(project / JOB / "autopick.star").table["micrograph"]
    assert set(listed) == {NAMES[0], NAMES[2]}


def test_the_log_is_one_page(job, project: Path) -> None:
    job()
    page = (project / JOB / "logfile.pdf").read_bytes()
    assert page.startswith(b"%PDF")
    assert page.count(b"/Type /Page\n") == 1


@pytest.mark.parametrize("coords", ["coords_suffix_autopick.star", "autopick.star"])
def test_relion_extracts_the_kept_picks_of_the_job(job, project: Path, coords: str) -> None:
    assert job("--for-relion", "3", coords=coords)[0] == 0
    (node,) = (name for name, kind in nodes(project, NUMBER).items() if kind == "2")
    relion(
        "relion_preprocess", project, "--i", "micrographs.star",
        "--coord_dir", f"{Path(node).parent}/", "--coord_suffix", "_autopick.star",
        "--part_star", "Extract/job013/particles.star", "--part_dir", "Extract/job013/",
        "--extract", "--extract_size", "32",
    )  # fmt: skip
    record = json.loads((project / JOB / "run.json").read_text())
    stacks = (project / "Extract" / "job013").rglob("*.mrcs")
    n_images = sum(mrcfile.read(s).reshape(-1, 32, 32).shape[0] for s in stacks)
    extracted = read_picks(project / "Extract" / "job013" / "particles.star")
    assert n_images == len(extracted) == record["counts"]["kept"] > 0


JOB_STAR = """
# version 30001

data_job

_rlnJobType 99
_rlnJobIsContinue 0

data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
fn_exe "pickeroptimizer relion"
in_mic micrographs.star
in_coords AutoPick/job006/coords_suffix_autopick.star
param1_label model
param1_value model.safetensors
param2_label device
param2_value cpu
do_queue No
nr_threads 1
"""


def test_relion_s_pipeliner_runs_the_job_and_takes_its_results(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path_factory.mktemp("programs")
    program = programs / "pickeroptimizer"
    start = "from napari_pickeroptimizer.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (project / "job.star").write_text(JOB_STAR)
    (project / "default_pipeline.star").write_text(
        HEAD.format("pipeline_general").replace("loop_ \n", "_rlnPipeLineJobCounter 1\n")
    )
    relion("relion_pipeliner", project, "--addJobFromStar", "job.star")
    relion(
        "relion_pipeliner", project, "--RunJobs", "External/job001/", "--schedule", "once",
        "--sec_wait_after", "1",
    )  # fmt: skip
    said = (project / "External" / "job001" / "run.err").read_text()
    assert (project / "External" / "job001" / "RELION_JOB_EXIT_SUCCESS").exists(), said
    pipeline = StarDocument.read(project / "default_pipeline.star")
    (processes,) = pipeline.blocks_with("rlnPipeLineProcessStatus")
    status = pipeline.strings(processes, ["rlnPipeLineProcessStatus"])
    assert status["rlnPipeLineProcessStatus"].tolist() == ["2"]  # finished, with success
    (edges,) = pipeline.blocks_with("rlnPipeLineEdgeToNode")
    results = pipeline.strings(edges, ["rlnPipeLineEdgeToNode"])["rlnPipeLineEdgeToNode"]
    assert results.tolist() == [
        "External/job001/kept/coords_suffix_autopick.star",
        "External/job001/logfile.pdf",
    ]
