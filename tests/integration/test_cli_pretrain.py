"""From a project to categories, from categories to a model, from that to a fine-tuning."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.pretrain import train
from napari_pickeroptimizer.pretrain.categories import read_categories

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--steps", 3, "--batch-size", 6, "--report-every", 2, "--device", "cpu")


@pytest.fixture
def data(run: Run, spot_project, tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for entry in ("one", "two"):
        code, _, _ = run(
            "pretrain-set", "-m", spot_project.micrographs, "-p", spot_project.labels,
            "--entry", entry, "--diameter-px", 24, "-o", folder,
        )  # fmt: skip
        assert code == 0
    return folder


def test_a_project_becomes_a_set_and_says_how_many(
    run: Run, spot_project, tmp_path: Path
) -> None:
    drawn = tmp_path / "regions.json"
    drawn.write_text(json.dumps({"m0": {"carbon": [[[0, 0], [99, 0], [99, 259], [0, 259]]]}}))
    arguments = (
        "pretrain-set", "-m", spot_project.micrographs, "-p", spot_project.labels, "--entry",
        "spots", "--diameter-px", 24, "--regions", drawn, "--region-boxes", 9, "-o",
        tmp_path / "set",
    )  # fmt: skip
    code, said, _ = run(*arguments, "--json")
    counts = json.loads(said)["counts"]
    assert code == 0
    assert counts["carbon_spots"] == 9
    assert read_categories(tmp_path / "set").counts == counts
    code, _, told = run(*arguments)
    assert code == 2
    assert "already there" in told
    code, said, _ = run(*arguments, "--overwrite")
    assert code == 0
    assert "9 carbon_spots" in said


def test_from_categories_to_a_model_that_fine_tuning_starts_from(
    run: Run, spot_project, data: Path, tmp_path: Path
) -> None:
    model = tmp_path / "base.safetensors"
    code, said, told = run(
        "pretrain", "--data", data, "-o", model, *QUICK, "--leave-out", "two"
    )
    assert code == 0
    assert "72 boxes of 2 categories from 1 entries" in told
    assert "step 3: accuracy on held-out boxes" in told
    assert "Trained on 70 boxes" in said
    assert Classifier.load(model).card.training["leave_out"] == ["two"]
    code, _, _ = run(
        "finetune", "-m", spot_project.micrographs, "-l", spot_project.labels, "--base", model,
        "--diameter-px", 24, "--steps", 1, "--folds", 0, "--device", "cpu", "-o",
        tmp_path / "tuned.safetensors",
    )  # fmt: skip
    assert code == 0
    code, _, told = run(
        "prune", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model,
        "-o", tmp_path / "pruned",
    )  # fmt: skip
    assert code == 2
    assert "does not know their size" in told


def test_stopped_by_a_signal_the_same_command_goes_on(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("pretrain", "--data", data, *QUICK, "--full", "-o")
    assert run(*command, tmp_path / "whole.safetensors")[0] == 0
    multi_loss = train.multi_loss

    def with_signal(*arguments):
        signal.raise_signal(signal.SIGTERM)
        return multi_loss(*arguments)

    monkeypatch.setattr(train, "multi_loss", with_signal)
    output = tmp_path / "stopped.safetensors"
    code, _, told = run(*command, output)
    assert code == 130
    assert "resumes the training" in told
    assert not output.exists()
    monkeypatch.undo()
    assert run(*command, output)[0] == 0
    first, second = (
        Classifier.load(tmp_path / f"{name}.safetensors").network.state_dict()
        for name in ("whole", "stopped")
    )
    assert all(np.array_equal(first[k].numpy(), second[k].numpy()) for k in first)
    assert not output.with_name("stopped.safetensors.resume").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--leave-out", "three"), "no such entry in .*; its entries are one, two"),
        (("--balance", "entry"), "balance must be one of category, class, row, got 'entry'"),
        (("--steps", 0), "n_steps must be at least 1"),
        (("--base", "nowhere.pth"), "no such file"),
    ],
)
def test_bad_input_ends_with_code_2_and_words(
    run: Run, data: Path, tmp_path: Path, arguments, told: str
) -> None:
    code, _, error = run(
        "pretrain", "--data", data, "-o", tmp_path / "m.safetensors", *arguments
    )
    assert code == 2
    assert re.search(f"Error: .*{told}", error)


def test_a_structure_becomes_a_set_and_says_how_many(run: Run, tmp_path: Path) -> None:
    structure = tmp_path / "bar.mrc"
    data = np.zeros((24, 24, 24), dtype=np.float32)
    data[9:15, 9:15, 2:22] = 1
    with mrcfile.new(structure) as mrc:
        mrc.set_data(data)
        mrc.voxel_size = 4.0
    arguments = (
        "pretrain-set", "--structure", structure, "--micrographs-each", 1, "-o",
        tmp_path / "set",
    )  # fmt: skip
    code, said, _ = run(*arguments, "--json")
    result = json.loads(said)
    assert code == 0
    assert read_categories(tmp_path / "set").counts == result["counts"]
    assert str(tmp_path / "set" / "particle_bar" / "sim_bar.mrcs") in result["files"]
    code, _, told = run(*arguments)
    assert code == 2
    assert "sim_bar.mrcs is there already: pass --overwrite" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--structure", "gone.pdb"), "gone.pdb does not exist"),
        (("--structure", "a.pdb", "--structure", "b/a.cif"), "share a name"),
        (
            ("--structure", "a.pdb", "--entry", "a", "-m", "mics"),
            "--entry, --micrographs describe",
        ),
        (("--structure", "a.pdb", "--workers", 0), "n_workers must be at least 1"),
    ],
)
def test_what_cannot_be_simulated_ends_with_code_2(
    run: Run, tmp_path: Path, arguments, told: str
) -> None:
    code, _, error = run("pretrain-set", *arguments, "-o", tmp_path / "set")
    assert code == 2
    assert told in error
    assert not (tmp_path / "set").exists()


def test_a_set_needs_an_entry_and_something_to_cut(run: Run, tmp_path: Path) -> None:
    code, _, error = run("pretrain-set", "-o", tmp_path / "set")
    assert code == 2
    assert "give --entry, --micrographs, and --picks or --regions" in error
