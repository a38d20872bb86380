"""The command line from labels to an evaluation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.model.checkpoint import Classifier

# as the fixture `model` is trained: the same command is to give the same model
QUICK = ("--diameter-px", "24", "--steps", "10", "--folds", "2", "--device", "cpu")

Run = Callable[..., tuple[int, str, str]]


def test_from_labels_to_kept_picks_and_their_quality(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, _ = run(
        "prune", "--micrographs", spot_project.micrographs, "--picks", spot_project.picks,
        "--model", model, "--output", out,
    )  # fmt: skip
    assert code == 0
    assert f"Written to {out}" in said
    code, said, _ = run(
        "evaluate", "--picks", out / "scored.star", "--truth", spot_project.labels,
        "--radius-px", 5, "--json",
    )  # fmt: skip
    result = json.loads(said)
    assert code == 0
    assert (result["before"]["precision"], result["before"]["recall"]) == (0.5, 1.0)
    assert result["after"]["precision"] > 0.9
    assert result["after"]["recall"] > 0.9
    assert result["roc_auc"] > 0.98


def test_the_same_command_gives_the_same_numbers(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.safetensors"
    run(
        "finetune", "--micrographs", spot_project.micrographs, "--labels", spot_project.labels,
        "--picks", spot_project.picks, *QUICK, "--output", again,
    )  # fmt: skip
    first, second = (Classifier.load(p).network.state_dict() for p in (model, again))
    assert all(np.array_equal(first[k].numpy(), second[k].numpy()) for k in first)


def test_classes_are_called_as_the_user_calls_them(
    run: Run, spot_project, tmp_path: Path
) -> None:
    text = spot_project.labels.read_text()
    labels, model = tmp_path / "labels.star", tmp_path / "model.safetensors"
    labels.write_text(text.replace(" 2\n", " 4\n"))
    quick = ["--diameter-px", 24, "--steps", 4, "--folds", 0, "--device", "cpu"]
    code, said, _ = run(
        "finetune", "--micrographs", spot_project.micrographs, "--labels", labels, *quick,
        "--class-name", "4=bright spot", "--class-name", "1=dark spot", "--output", model,
    )  # fmt: skip
    assert code == 0
    assert "36 dark spot, 36 bright spot" in said
    card = Classifier.load(model).card
    assert card.names == {1: "dark spot", 4: "bright spot"}
    assert card.training["settings"]["class_names"] == {"1": "dark spot", "4": "bright spot"}
    code, said, _ = run(
        "prune", "--micrographs", spot_project.micrographs, "--picks", spot_project.picks,
        "--model", model, "--threshold", 1, "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0
    assert "72 bright spot" in said
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["counts"]["rejected_by_class"] == {"bright spot": 72}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "rejected as bright spot" in page
    assert "class 4" not in page
    scored = read_picks(tmp_path / "out" / "scored.star")
    assert scored.table["predicted"].unique().tolist() == [4]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["edge"], "expected ID=NAME"),
        (["four=edge"], "expected ID=NAME"),
        (["4=edge", "4=ice"], "names class 4 twice"),
        (["9=edge"], "classes are 1 to 6"),
    ],
)
def test_names_of_classes_that_make_no_sense_are_refused(
    run: Run, spot_project, tmp_path: Path, given: list[str], words: str
) -> None:
    code, _, said = run(
        "finetune", "--micrographs", spot_project.micrographs, "--labels", spot_project.labels,
        "--diameter-px", 24, "--output", tmp_path / "m.safetensors",
        *(part for name in given for part in ("--class-name", name)),
    )  # fmt: skip
    assert code == 2
    assert words in " ".join(said.split())


def test_two_folders_of_box_files_are_labels_too(
    run: Run, spot_project, tmp_path: Path
) -> None:
    labels = read_picks(spot_project.labels)
    for name, class_id in (("good", 1), ("bad", 2)):
        (tmp_path / name).mkdir()
        table = labels.table[labels.labels == class_id]
        for micrograph, rows in table.groupby("micrograph"):
            lines = [f"{x - 18:g}\t{y - 18:g}\t36\t36" for x, y in rows[["x", "y"]].to_numpy()]
            (tmp_path / name / f"{Path(micrograph).stem}.box").write_text(
                "\n".join(lines) + "\n"
            )
    code, said, _ = run(
        "finetune", "-m", spot_project.micrographs, "--positive", tmp_path / "good",
        "--negative", tmp_path / "bad", *QUICK[:2], "--steps", 1, "--folds", 0,
        "-o", tmp_path / "m.safetensors", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(said)["training"]["labels"] == {"particle": 36, "contaminant": 36}


def test_a_tree_of_coordinate_files_comes_back_as_a_tree(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(spot_project.micrographs, project / "Micrographs")
    folder = project / "AutoPick" / "job002"
    (folder / "Micrographs").mkdir(parents=True)
    listing = ["", "data_coordinate_files", "", "loop_", "_rlnMicrographName #1",
               "_rlnMicrographCoordinates #2"]  # fmt: skip
    for name, rows in read_picks(spot_project.picks).table.groupby("micrograph"):
        place = Path("Micrographs") / f"{Path(name).stem}_autopick.star"
        head = ["", "data_", "", "loop_", "_rlnCoordinateX #1", "_rlnCoordinateY #2"]
        lines = [f"{x} {y}" for x, y in rows[["x", "y"]].to_numpy()]
        (folder / place).write_text("\n".join([*head, *lines, ""]) + "\n")
        listing.append(f"{name} AutoPick/job002/{place}")
    (folder / "autopick.star").write_text("\n".join([*listing, ""]) + "\n")
    out = project / "External" / "job003"
    code, _, _ = run(
        "prune", "-m", project / "Micrographs", "-p", folder / "autopick.star",
        "--model", model, "-o", out,
    )  # fmt: skip
    assert code == 0
    kept = (out / "kept" / "autopick.star").read_text()
    assert "Micrographs/m0.mrc External/job003/kept/Micrographs/m0_autopick.star" in " ".join(
        kept.split()
    )
    n = [
        len(read_picks(out / name / "autopick.star"))
        for name in ("scored", "kept", "rejected")
    ]
    assert n[0] == n[1] + n[2] == 72


def test_an_unreadable_micrograph_ends_with_code_1_and_loses_nothing(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    mics = tmp_path / "mics"
    shutil.copytree(spot_project.micrographs, mics)
    data = (mics / "m1.mrc").read_bytes()
    (mics / "m1.mrc").write_bytes(data[:4000])
    code, said, warned = run(
        "prune", "-m", mics, "-p", spot_project.picks, "--model", model, "-o", tmp_path / "out"
    )
    assert code == 1
    assert "Unscored        24" in said
    assert "truncated" in warned
    assert len(read_picks(tmp_path / "out" / "unscored.star")) == 24
    assert len(read_picks(tmp_path / "out" / "scored.star")) == 48


def test_micrographs_of_another_pixel_size_are_scaled_to_the_model(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "mics").mkdir()
    for path in spot_project.micrographs.iterdir():
        image = mrcfile.read(path).repeat(2, axis=0).repeat(2, axis=1)  # half the pixel size
        with mrcfile.new(tmp_path / "mics" / path.name) as mrc:
            mrc.set_data(image)
            mrc.voxel_size = 1.0
    table = read_picks(spot_project.picks).table
    lines = ["x,y,micrograph", *(f"{2 * r.x + 0.5},{2 * r.y + 0.5},{r.micrograph}"
                                 for r in table.itertuples())]  # fmt: skip
    (tmp_path / "picks.csv").write_text("\n".join(lines) + "\n")
    run("prune", "-m", tmp_path / "mics", "-p", tmp_path / "picks.csv", "--model", model,
        "-o", tmp_path / "fine")  # fmt: skip
    run("prune", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model,
        "-o", tmp_path / "coarse")  # fmt: skip
    fine = json.loads((tmp_path / "fine" / "run.json").read_text())["counts"]
    coarse = json.loads((tmp_path / "coarse" / "run.json").read_text())["counts"]
    assert fine["kept"] == pytest.approx(coarse["kept"], abs=2)


def test_labels_and_distances_decide_beside_the_score(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    labels = read_picks(spot_project.labels)
    first = labels.table[labels.labels == 1].iloc[0]
    rows = f"{first.micrograph},{first.x},{first.y},carbon\nm0.mrc,1,1,particle\n"
    (tmp_path / "mine.csv").write_text("micrograph,x,y,label\n" + rows)
    out = tmp_path / "out"
    code, said, warned = run(
        "prune", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model,
        "-o", out, "--labels", tmp_path / "mine.csv", "--edge-distance", "2d",
        "--min-distance", "10A", "--no-report",
    )  # fmt: skip
    assert code == 0
    assert "1 of 2 labels match no pick (1 of them particles)" in warned
    assert "too near to the edge" in said
    assert not (out / "report.html").exists()
    scored = read_picks(out / "scored.star")
    assert scored.labels.sum() == 3  # one label, carbon
    record = json.loads((out / "run.json").read_text())
    assert record["settings"]["edge_distance"] == "2 diameters"
    assert record["counts"]["rejected_by_reason"]["label"] == 1
    assert "report.html" not in record["files"]


def test_pruned_picks_pruned_again_are_not_their_own_labels(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    run("prune", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model,
        "-o", tmp_path / "first", "--no-report")  # fmt: skip
    code, said, warned = run(
        "prune", "-m", spot_project.micrographs, "-p", tmp_path / "first" / "scored.star",
        "--model", model, "-o", tmp_path / "second", "-t", 0, "--no-report",
    )  # fmt: skip
    assert code == 0
    assert "Kept            72 of 72" in said
    assert "have a class already" not in warned
    _, _, warned = run(
        "prune", "-m", spot_project.micrographs, "-p", spot_project.labels, "--model", model,
        "-o", tmp_path / "third", "--no-report",
    )  # fmt: skip
    assert "72 picks have a class already, which is ignored" in warned


def test_a_report_belongs_to_the_files_of_the_run(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    prune = ["prune", "-m", spot_project.micrographs, "-p", spot_project.picks,
             "--model", model, "-o", out]  # fmt: skip
    code, said, _ = run(*prune)
    assert code == 0
    assert f"Report: {out / 'report.html'}" in said
    assert "report.html" in json.loads((out / "run.json").read_text())["files"]
    run(*prune, "--overwrite", "--no-report")
    assert not (out / "report.html").exists()


def test_a_wish_sets_the_threshold_and_its_promise_is_printed(
    run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    code, said, _ = run(
        "prune", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", model,
        "-o", tmp_path / "out", "--recall", 0.9, "--no-report",
    )  # fmt: skip
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert code == 0
    assert f"At {record['threshold']:.2f} the scores alone keep" in said
    assert "expected precision" in said
    assert record["settings"]["recall"] == 0.9
    assert record["expectation"]["recall"]["mean"] >= 0.9


def test_a_truth_of_binned_micrographs_is_noticed(
    run: Run, spot_project, tmp_path: Path
) -> None:
    labels = read_picks(spot_project.labels)
    particles = labels.table[labels.labels == 1]
    lines = [f"{r.micrograph},{r.x / 2},{r.y / 2}" for r in particles.itertuples()]
    (tmp_path / "truth.csv").write_text("\n".join(["micrograph,x,y", *lines]) + "\n")
    code, _, warned = run(
        "evaluate", "--picks", spot_project.labels, "--truth", tmp_path / "truth.csv",
        "--radius-px", 5,
    )  # fmt: skip
    assert code == 0
    assert "with the truth scaled by 2" in warned


def test_help_names_every_command(run: Run) -> None:
    code, said, _ = run("--help")
    assert code == 0
    assert all(c in said for c in ("demo", "finetune", "prune", "evaluate", "simulate"))
