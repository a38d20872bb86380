"""What a command imports: `--help` and errors answer at once, whatever the machine.

Time depends on the machine; what is imported does not. Each row runs in a fresh interpreter.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_pickeroptimizer.cli.app import app
from napari_pickeroptimizer.model.bases import BUNDLED

# What takes long to import, and what a command that ends at once has no use for.
HEAVY = (
    "dask", "jinja2", "matplotlib", "mrcfile", "napari", "numpy", "pandas", "PIL", "platformdirs",
    "qtpy", "safetensors", "scipy", "sklearn", "starfile", "tifffile", "torch", "torchvision",
)  # fmt: skip
PROBE = f"""
import sys
from napari_pickeroptimizer.cli import main
code = 0
try:
    main(sys.argv[1:])
except SystemExit as left:
    code = left.code
print(f"<{{code}}>", *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
VERBS = [command.name for command in app.registered_commands]
TABLE = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
MODEL = ("--model", "bundled", "--diameter-px", "40")
IN_FILES = ("-m", "M", "-p", "picks.star")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Micrographs (by name), picks, and a pick file that is cut off."""
    (tmp_path / "M").mkdir()
    (tmp_path / "M/a.mrc").touch()
    (tmp_path / "picks.star").write_text(f"{TABLE}a.mrc 10 20\n")
    (tmp_path / "cut.star").write_text(f"{TABLE}a.mrc 10 20\na.mrc 3")
    return tmp_path


def loaded_by(folder: Path, *arguments: str) -> tuple[str, set[str], str]:
    """Run the program; return its exit code, those of `HEAVY` it imported, and what it told."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    *told, last = result.stderr.splitlines()
    code, *names = last.split()
    return code.strip("<>"), set(names), " ".join(told)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    assert loaded_by(tmp_path, *arguments) == ("0", set(), "")


@pytest.mark.parametrize(
    "arguments", [["prune", "--no-such-option"], ["no-such-verb"]], ids=" ".join
)
def test_a_wrong_command_line_imports_nothing_heavy(
    tmp_path: Path, arguments: list[str]
) -> None:
    code, loaded, told = loaded_by(tmp_path, *arguments)
    assert (code, loaded) == ("2", set())
    assert "no-such" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "none.star"], "nothing is there"),
        (["inspect", "cut.star"], "2 values in the row"),
        (["convert", "none.star", "out.csv"], "nothing is there"),
        (["convert", "cut.star", "out.csv"], "2 values in the row"),
        (["prune", "-m", "none", "-p", "picks.star", *MODEL, "-o", "out"], "no micrographs"),
        (["prune", "-m", "M", "-p", "none.star", *MODEL, "-o", "out"], "no picks"),
        (["prune", "-m", "M", "-p", "cut.star", *MODEL, "-o", "out"], "2 values in the row"),
        (["prune", *IN_FILES, "--model", "none.safetensors", "-o", "out"], "no such model"),
        (["prune", *IN_FILES, *MODEL, "-t", "7", "-o", "out"], "a probability"),
        (["score", "-m", "M", "-p", "none.star", *MODEL, "-o", "out"], "no picks"),
        (["decide", "-o", "none"], "no scores"),
        (["relion", "--o", "job", "--in_mics", "none.star", "--in_parts", "p.star", *MODEL],
         "does not exist"),
        (["finetune", "-m", "M", "-l", "none.star", "--diameter-px", "40", "-o", "m"],
         "no picks"),
        (["finetune", "-m", "M", "-l", "cut.star", "--diameter-px", "40", "-o", "m"],
         "2 values in the row"),
        (["finetune", "-m", "M", "-l", "picks.star", "--diameter-px", "-4", "-o", "m"],
         "must be positive"),
        (["finetune", "-m", "M", "-l", "picks.star", "--diameter-px", "4", "--base", "no.pth",
          "-o", "m"], "no such file"),
        (["suggest", "-m", "M", "-p", "none.star", "--diameter-px", "4", "-o", "s.star"],
         "no picks"),
        (["evaluate", "-p", "none.star", "--truth", "picks.star", "--radius-px", "9"],
         "no picks"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_an_error_of_a_file_imports_no_more_than_numpy(
    folder: Path, arguments: list[str], words: str
) -> None:
    code, loaded, told = loaded_by(folder, *arguments)
    assert code == "2"
    assert words in told
    assert loaded <= {"numpy"}


def test_inspecting_a_model_or_an_unreadable_image_imports_no_more_than_numpy(
    folder: Path,
) -> None:
    assert loaded_by(folder, "inspect", str(BUNDLED)) == ("0", {"numpy"}, "")
    code, loaded, _ = loaded_by(folder, "inspect", "M/a.mrc")
    assert (code, loaded) == ("2", {"numpy"})


def test_inspecting_picks_imports_pandas_and_no_more(folder: Path) -> None:
    assert loaded_by(folder, "inspect", "picks.star") == ("0", {"numpy", "pandas"}, "")


def test_the_probe_sees_what_is_imported(folder: Path) -> None:
    _, loaded, _ = loaded_by(folder, "pretrain", "--data", "none", "-o", "model.safetensors")
    assert {"torch", "numpy"} <= loaded


def test_what_scores_waits_for_no_statistics_and_no_scikit_learn(tmp_path: Path) -> None:
    probe = "import napari_pickeroptimizer.prune.score, sys; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "scipy.special" in imported
    assert not {"scipy.stats", "scipy.optimize", "sklearn", "pandas"} & set(imported)


def test_pruning_with_a_report_imports_no_torchvision_no_compiler_and_no_scikit_learn(
    tmp_path: Path,
) -> None:
    """Together they took longer than to score the picks of six micrographs."""
    probe = (
        "from napari_pickeroptimizer.model.before_labels import model_for_picks\n"
        "import napari_pickeroptimizer.prune.run, sys, torch\n"
        "import napari_pickeroptimizer.report.prune_report\n"
        "model = model_for_picks('bundled', 40.0).for_inference(torch.device('cpu'))\n"
        "model.predict(torch.zeros(1, 1, 64, 64))\n"
        "print(*sys.modules)"
    )
    imported = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "torch.fx" in imported
    heavy = {"torchvision", "torch._dynamo", "sympy", "sklearn", "scipy.stats"}
    assert not heavy & set(imported)
