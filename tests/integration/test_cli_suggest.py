"""``pickeroptimizer suggest``: a file to label, exit codes, and words on bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.cli.suggestions import pick_records, report_suggestions
from napari_pickeroptimizer.fewshot.features import pretrained_features
from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.io.star import StarDocument

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--base", "none", "--device", "cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file whose opinion of picks is random."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return pretrained_features("none", BoxSettings(diameter_px=24, box_px=32), 0).save(path)


@pytest.fixture
def suggest(run: Run, spot_project, tmp_path: Path) -> Run:
    """Run it on the spots, with further arguments."""

    def run_it(*arguments: object) -> tuple[int, str, str]:
        return run(
            "suggest", "--micrographs", spot_project.micrographs, "--picks", spot_project.picks,
            "--output", tmp_path / "suggest.star", *arguments,
        )  # fmt: skip

    return run_it


def test_the_first_labels_are_suggested_without_a_model(
    suggest: Run, spot_project, tmp_path: Path
) -> None:
    code, said, _ = suggest(*QUICK, "--n", 8, "--diameter-px", 24)
    assert code == 0
    assert "8 of 72 picks compared, by diversity" in said
    assert f"Written to {tmp_path / 'suggest.star'}" in said
    assert "pickeroptimizer finetune" in said
    given, found = read_picks(spot_project.picks), read_picks(tmp_path / "suggest.star")
    assert not found.labels.any()
    of_picks = {tuple(p) for p in given.table[["micrograph", "x", "y"]].to_numpy()}
    assert {tuple(p) for p in found.table[["micrograph", "x", "y"]].to_numpy()} <= of_picks
    text = (tmp_path / "suggest.star").read_text()
    assert StarDocument.read(tmp_path / "suggest.star")
    rank = [line.split()[5] for line in text.splitlines() if line.startswith("Micrographs/")]
    assert rank == [str(i) for i in range(1, 9)]
    assert "_poSuggestionRank #6" in text
    assert "unlike-the-others" in text


def test_zeros_of_its_label_column_are_there_to_be_filled_in(
    suggest: Run, tmp_path: Path
) -> None:
    suggest(*QUICK, "--n", 3, "--diameter-px", 24)
    path = tmp_path / "suggest.star"
    lines = path.read_text().splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("Micrographs/")]
    for i, label in zip(rows, "121", strict=True):
        cells = lines[i].split()
        cells[4] = label
        lines[i] = " ".join(cells)
    path.write_text("\n".join(lines) + "\n")
    assert read_picks(path).labels.tolist() == [1, 2, 1]


def test_half_of_the_next_ones_are_those_that_the_model_is_not_sure_of(
    suggest: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.star"
    text = spot_project.labels.read_text().splitlines(keepends=True)
    labels.write_text("".join(text[:29]))  # those of the first micrograph, and a few
    n_labels = len(read_picks(labels))
    code, said, _ = suggest("--model", model, "--labels", labels, "--n", 5, "--json")
    record = json.loads(said)
    assert code == 0
    assert (record["by"], record["n_compared"]) == ("mixed", 72 - n_labels)
    reasons = [s["reason"] for s in record["suggestions"]]
    assert reasons == ["model-unsure", "unlike-the-others"] * 2 + ["model-unsure"]
    scores = [s["score"] for s in record["suggestions"]]
    assert scores[0] >= scores[2] >= scores[4]
    for label in record["doubtful_labels"]:
        assert (label["p_particle"] > 0.5) == (label["label"] == 2)
    found = read_picks(tmp_path / "suggest.star")
    np.testing.assert_allclose(
        found.particle_probability, [s["p_particle"] for s in record["suggestions"]], atol=1e-4
    )


def test_the_table_says_what_p_particle_is_of_a_label_of_another_class(capsys) -> None:
    place = {"micrograph": "a/m.mrc", "x": 10.0, "y": 20.0}
    record = {
        "suggestions": [{**place, "reason": "model-unsure", "p_particle": 0.51}],
        "doubtful_labels": [{**place, "label": 2, "p_particle": 0.971}],
        "n_compared": 40,
        "by": "mixed",
    }
    report_suggestions(record, Path("suggest.star"))
    said = capsys.readouterr().out
    assert "2 contaminant" in said
    assert "how sure the model is that a pick is a particle, whatever its label" in said


def test_ranks_of_an_earlier_list_in_the_labels_are_not_those_of_this_one(
    spot_project, tmp_path: Path
) -> None:
    labelled = read_picks(spot_project.labels)
    ranks = np.full(len(labelled), np.nan)
    ranks[0] = 1
    labels = tmp_path / "labels.star"
    write_picks(labelled, labels, columns={"poSuggestionRank": ranks})
    rows = pick_records(read_picks(labels), are_suggested=False)
    assert len(rows) == len(labelled)
    assert all("rank" not in row for row in rows)


def test_fewer_picks_than_wanted_are_all_suggested_and_that_is_said(suggest: Run) -> None:
    code, said, warned = suggest(*QUICK, "--n", 100, "--diameter-px", 24)
    assert code == 0
    assert "72 of 100 suggestions" in warned
    assert "... and 42 more" in said


def test_the_format_of_the_picks_is_kept_where_the_name_says_so(
    run: Run, spot_project, tmp_path: Path
) -> None:
    box, out = tmp_path / "m0.box", tmp_path / "out.box"
    table = read_picks(spot_project.picks).table
    on_first = table[table["micrograph"].str.endswith("m0.mrc")]
    lines = [f"{x - 18:g}\t{y - 18:g}\t36\t36" for x, y in on_first[["x", "y"]].to_numpy()]
    box.write_text("\n".join(lines) + "\n")
    code, _, _ = run(
        "suggest", "--micrographs", spot_project.micrographs, "--picks", box, "--output", out,
        "--n", 4, "--diameter-px", 24, *QUICK,
    )  # fmt: skip
    assert code == 0
    kept = out.read_text().splitlines()
    assert len(kept) == 4
    assert set(kept) <= set(lines)


def test_micrographs_that_are_not_there_are_exit_code_1(
    run: Run, spot_project, tmp_path: Path
) -> None:
    code, _, warned = run(
        "suggest", "--micrographs", spot_project.micrographs / "m0.mrc",
        "--picks", spot_project.picks, "--output", tmp_path / "s.star", "--n", 2,
        "--diameter-px", 24, *QUICK,
    )  # fmt: skip
    assert code == 1
    assert warned.count("Nothing was suggested on it.") == 2
    assert len(read_picks(tmp_path / "s.star")) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--n", 0, "--diameter-px", 24), "n must be at least 1"),
        ((), "diameter is missing"),
        (("--diameter-px", 24, "--diameter-angstrom", 48), "not both"),
        (("--diameter-px", 24, "--by", "uncertainty"), "needs a model"),
        (("--diameter-px", 24, "--by", "luck"), "by must be one of"),
        (("--diameter-px", 24, "--base", "missing.safetensors"), "no such file"),
        (("--model", "missing.safetensors"), "no such model file"),
    ],
)
def test_bad_input_is_exit_code_2(
    suggest: Run, tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    code, _, said = suggest(*arguments)
    assert code == 2
    assert words in said
    assert not (tmp_path / "suggest.star").exists()


def test_a_diameter_beside_a_model_and_an_output_that_exists_are_refused(
    suggest: Run, model: Path, tmp_path: Path
) -> None:
    code, _, said = suggest("--model", model, "--diameter-px", 24)
    assert (code, "its own diameter" in said) == (2, True)
    (tmp_path / "suggest.star").write_text("mine")
    code, _, said = suggest("--model", model)
    assert (code, "exists" in said) == (2, True)
    assert suggest("--model", model, "--overwrite")[0] == 0


def test_no_picks_are_exit_code_2(run: Run, spot_project, tmp_path: Path) -> None:
    empty = tmp_path / "none.star"
    empty.write_text("\n".join(spot_project.picks.read_text().splitlines()[:8]) + "\n")
    code, _, said = run(
        "suggest", "--micrographs", spot_project.micrographs, "--picks", empty, "--output",
        tmp_path / "s.star", "--diameter-px", 24, *QUICK,
    )  # fmt: skip
    assert code == 2
    assert "no picks" in said
