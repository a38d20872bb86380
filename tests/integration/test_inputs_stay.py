"""No command replaces what it reads; an output that cannot be is refused before any work."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_pickeroptimizer.cli import demo

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--diameter-px", 24, "--steps", 1, "--folds", 0, "--device", "cpu", "--overwrite")


@pytest.fixture
def work(spot_project, model: Path, tmp_path: Path) -> Path:
    """Copies of all inputs, in one folder that may be spoilt."""
    shutil.copy(spot_project.picks, tmp_path / "picks.star")
    shutil.copy(spot_project.labels, tmp_path / "labels.star")
    shutil.copy(model, tmp_path / "model.safetensors")
    (tmp_path / "link.star").symlink_to("labels.star")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (("finetune", "-l", "labels.star", *QUICK), "labels.star"),
        (("finetune", "-l", "link.star", *QUICK), "labels.star"),
        (("finetune", "-l", "labels.star", *QUICK), "link.star"),
        (("finetune", "-l", "labels.star", "--picks", "picks.star", *QUICK), "picks.star"),
        (("finetune", "-l", "lab*.star", *QUICK), "labels.star"),
        (
            ("finetune", "-l", "labels.star", "--base", "model.safetensors", *QUICK),
            "model.safetensors",
        ),
        (("suggest", "-p", "picks.star", "--diameter-px", 24, "--overwrite"), "picks.star"),
        (
            (
                "suggest",
                "-p",
                "picks.star",
                "-l",
                "labels.star",
                "--diameter-px",
                24,
                "--overwrite",
            ),
            "labels.star",
        ),
    ],
    ids=str,
)
def test_an_output_that_is_an_input_is_refused_even_with_overwrite(
    run: Run, work: Path, spot_project, monkeypatch: pytest.MonkeyPatch, command, output: str
) -> None:
    monkeypatch.chdir(work)
    before = contents(work)
    code, _, told = run(*command, "-m", spot_project.micrographs, "-o", output)
    assert code == 2
    assert "is an input of this run, which would replace it" in told
    assert contents(work) == before


@pytest.mark.parametrize("option", ["--picks", "--labels", "--model"])
def test_a_run_that_its_own_inputs_lie_in_is_not_replaced(
    run: Run, work: Path, spot_project, option: str
) -> None:
    """Kept picks pruned once more into the same folder: the rejected ones would be lost."""
    run_folder = work / "out"
    inputs = {"--picks": work / "picks.star", "--model": work / "model.safetensors"}
    command = ["prune", "-m", spot_project.micrographs, "-o", run_folder, "--no-report"]
    assert run(*command, *[word for pair in inputs.items() for word in pair])[0] == 0
    # as napari's Export writes them: files of the run
    record = run_folder / "run.json"
    record.write_text(record.read_text().replace('"files": [', '"files": ["m.safetensors",'))
    shutil.copy(work / "model.safetensors", run_folder / "m.safetensors")
    own = {"--picks": "kept.star", "--labels": "scored.star", "--model": "m.safetensors"}
    inputs[option] = run_folder / own[option]
    before = contents(work)
    words = [word for pair in inputs.items() for word in pair]
    code, _, told = run(*command, *words, "--overwrite")
    assert code == 2
    assert f"{own[option]} is an input of this run, which would replace it" in told
    assert contents(work) == before


def commands(work: Path, micrographs: Path, output: Path) -> dict[str, list[object]]:
    """Every command with an output that cannot be written."""
    picks, labels = work / "picks.star", work / "labels.star"
    scoring = ["-m", micrographs, "-p", picks, "--model", work / "model.safetensors"]
    return {
        "score": ["score", *scoring, "-o", output],
        "prune": ["prune", *scoring, "-o", output],
        "decide": ["decide", "-o", output, "--scores", work],
        "finetune": ["finetune", "-m", micrographs, "-l", labels, *QUICK, "-o", output / "m"],
        "pretrain": ["pretrain", "--data", work, "-o", output / "m"],
        "pretrain-set": [
            "pretrain-set", "-m", micrographs, "-p", labels, "--entry", "a", "--diameter-px", 24,
            "-o", output,
        ],
        "suggest": [
            "suggest", "-m", micrographs, "-p", picks, "--diameter-px", 24, "-o", output / "m",
        ],
        "simulate": ["simulate", "-o", output],
        "demo": ["demo", "-o", output],
        "evaluate": [
            "evaluate", "-p", picks, "--truth", labels, "--radius-px", 12, "--report",
            output / "a.html",
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", list(commands(Path(), Path(), Path())))
def test_an_output_below_a_file_is_refused_before_any_work(
    name: str, run: Run, work: Path, spot_project, names_read: list[str]
) -> None:
    (work / "file").write_text("")
    before = contents(work)
    code, said, told = run(
        *commands(work, spot_project.micrographs, work / "file" / "out")[name]
    )
    assert (code, said) == (2, "")
    assert "cannot be" in told
    assert names_read == []
    assert contents(work) == before


def test_first_weights_that_are_not_there_are_told_before_any_micrograph_is_read(
    run: Run, work: Path, spot_project, names_read: list[str]
) -> None:
    (work / "broken.safetensors").write_bytes(b"\0" * 100)
    for base in ("gone.safetensors", "gone.pth", work / "broken.safetensors"):
        code, _, told = run(
            "finetune", "-m", spot_project.micrographs, "-l", work / "labels.star", *QUICK,
            "--base", base, "-o", work / "m.safetensors",
        )  # fmt: skip
        assert code == 2
        assert Path(base).name in told
    assert names_read == []


def test_any_error_of_files_is_one_sentence_and_debug_shows_where_it_arose(
    run: Run, work: Path, spot_project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands for a disk that fails, and for damaged text, where the program does not expect it."""
    command = [
        "evaluate", "-p", work / "picks.star", "--truth", work / "labels.star", "--radius-px", 12,
        "-m", spot_project.micrographs, "--report", work / "a.html",
    ]  # fmt: skip
    for error, words in (
        (
            OSError(5, "Input/output error", "/data/m0.mrc"),
            "/data/m0.mrc: Input/output error.",
        ),
        (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            "an input is damaged",
        ),
        (zlib.error("-3"), "an input is damaged or of another kind (-3)"),
        (MemoryError(), "there is not enough memory"),
    ):

        def fails(*arguments: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("napari_pickeroptimizer.evaluate.evaluation.evaluate_picks", fails)
        code, _, told = run(*command)
        assert code == 2
        assert words in told
        assert "Traceback" not in told
        for debugging in (["--debug", *command], [*command, "--debug"]):
            code, _, told = run(*debugging)
            assert code == 2
            assert words in told
            assert "Traceback" in told


@pytest.mark.parametrize(
    "name", ["model.safetensors", "project/labels.star", "pruned/mine.txt"]
)
def test_a_demo_replaces_an_earlier_demo_only(run: Run, tmp_path: Path, name: str) -> None:
    mine = tmp_path / "demo" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = contents(tmp_path)
    code, said, told = run("demo", "-o", tmp_path / "demo")
    assert (code, said) == (2, "")
    assert f"holds {name.partition('/')[0]}, and no demo.json that says" in told
    assert contents(tmp_path) == before
    mine.rename(tmp_path / "moved")
    demo.begin(tmp_path / "new")
    (tmp_path / "new" / "model.safetensors").write_text("of the demo")
    demo.begin(tmp_path / "new")  # and again, as `make demo` does


@pytest.mark.parametrize("name", ["kept_added.star", "report.html", "scored.star"])
def test_a_run_replaces_no_file_that_no_run_wrote(
    run: Run, work: Path, spot_project, name: str
) -> None:
    output = work / "out"
    output.mkdir()
    (output / name).write_text("mine")
    for overwrite in ([], ["--overwrite"]):
        code, _, told = run(
            *commands(work, spot_project.micrographs, output)["prune"], *overwrite
        )
        assert code == 2
        assert f"holds {name}, and no run.json" in told
    assert (output / name).read_text() == "mine"


def test_a_report_is_replaced_only_when_it_is_told_to(
    run: Run, work: Path, spot_project
) -> None:
    report = work / "a.html"
    report.write_text("mine")
    command = commands(work, spot_project.micrographs, work)["evaluate"]
    code, _, told = run(*command)
    assert code == 2
    assert f"{report} exists: choose another name, or --overwrite" in told
    assert report.read_text() == "mine"
    assert run(*command, "--overwrite")[0] == 0
    assert "<html" in report.read_text()


def test_simulate_replaces_only_a_simulation_and_only_when_it_is_told_to(
    run: Run, tmp_path: Path
) -> None:
    command = ["simulate", "-o", tmp_path / "p", "--micrographs", 1, "--particles", 5]
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "truth.star").write_text("mine")
    code, _, told = run(*command, "--overwrite")
    assert code == 2
    assert [p.name for p in (tmp_path / "p").iterdir()] == ["truth.star"]
    assert "holds truth.star, and no simulation.json" in told
