"""The pruning job writes the twins and its record; nothing of the input is lost or changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import CheckpointError, SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.run import Pruned, PruneSettings, prune_picks
from napari_pickeroptimizer.prune.score import score


@pytest.fixture
def run(spot_project, dark_is_particle, tmp_path: Path):
    def run_it(picks: Picks | None = None, **settings: object) -> Pruned:
        micrographs = Micrographs.find(spot_project.micrographs)
        picks = read_picks(spot_project.picks) if picks is None else picks
        events = prune_picks(
            micrographs, picks, dark_is_particle, tmp_path / "out",
            PruneSettings(**settings), inputs={"picks": "picks.star"},  # type: ignore[arg-type]
        )  # fmt: skip
        result = list(events)[-1]
        assert isinstance(result, Pruned)
        return result

    return run_it


def rows_of(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("Micrographs/")]


def test_the_twins_hold_every_row_as_it_was_and_what_was_found(
    run, spot_project, tmp_path: Path
) -> None:
    run()
    source = rows_of(spot_project.picks)
    twins = {name: rows_of(tmp_path / "out" / f"{name}.star") for name in ("kept", "rejected")}
    original = {row: " ".join(row.split()[:4]) for row in twins["kept"] + twins["rejected"]}
    assert sorted(original.values()) == sorted(source)
    assert [original[r] for r in rows_of(tmp_path / "out" / "scored.star")] == source
    assert {row.split()[4] for row in twins["kept"]} == {"1"}
    assert {row.split()[4] for row in twins["rejected"]} <= {"2", "3"}
    assert all(float(row.split()[5]) >= 0.5 for row in twins["kept"])


def test_the_record_tells_inputs_settings_and_counts(run, tmp_path: Path) -> None:
    result = run(threshold=0.6)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record == json.loads(json.dumps(result.record))
    assert record["inputs"] == {"picks": "picks.star"}
    assert record["settings"]["threshold"] == 0.6
    assert record["counts"]["picks"] == 72
    assert record["counts"]["kept"] == 36
    assert sum(record["counts"]["rejected_by_class"].values()) == 36
    assert record["micrographs"][0] == {
        "micrograph": "Micrographs/m0.mrc", "picks": 24, "kept": 12, "rejected": 12, "unscored": 0,
    }  # fmt: skip
    assert record["files"] == ["scored.star", "kept.star", "rejected.star"]
    assert record["versions"]["napari-pickeroptimizer"]


def test_the_pickers_score_stays_unless_asked_otherwise(
    run, spot_project, tmp_path: Path
) -> None:
    before = read_picks(spot_project.picks).table["picker_score"]
    run()
    assert read_picks(tmp_path / "out" / "scored.star").table["picker_score"].equals(before)
    run(write_fom=True, overwrite=True)
    again = read_picks(tmp_path / "out" / "scored.star")
    assert again.table["picker_score"].tolist() == again.particle_probability.tolist()


def test_picks_that_could_not_be_scored_have_their_own_file(
    run, spot_project, tmp_path: Path
) -> None:
    text = spot_project.picks.read_text()
    source = tmp_path / "picks.star"
    source.write_text(text.replace("Micrographs/m1.mrc", "Micrographs/gone.mrc"))
    result = run(read_picks(source))
    assert result.record["counts"]["unscored"] == 24
    assert "gone.mrc" in result.record["unreadable"]["Micrographs/gone.mrc"]
    unscored = rows_of(tmp_path / "out" / "unscored.star")
    assert unscored == [r for r in rows_of(source) if "gone" in r]


def test_box_files_come_back_as_box_files(run, spot_project, tmp_path: Path) -> None:
    picks = read_picks(spot_project.picks)
    (tmp_path / "boxes").mkdir()
    for name, rows in picks.rows_by_micrograph().items():
        table = picks.table.loc[rows]
        lines = [
            f"{x - 12:.0f}\t{y - 12:.0f}\t24\t24" for x, y in table[["x", "y"]].to_numpy()
        ]
        path = tmp_path / "boxes" / f"{Path(name).stem}.box"
        path.write_text("\n".join(lines) + "\n")
    run(read_picks(tmp_path / "boxes"))
    out = tmp_path / "out"
    for i in range(3):
        twins = [
            (out / name / f"m{i}.box").read_text().splitlines()
            for name in ("kept", "rejected")
        ]
        assert len(twins[0]) == len(twins[1]) == 12
        source = (tmp_path / "boxes" / f"m{i}.box").read_text().splitlines()
        assert sorted(twins[0] + twins[1]) == sorted(source)
    scored = read_picks(out / "scored.star")  # probabilities have no room in .box
    assert len(scored) == 72
    assert (scored.particle_probability > 0.5).sum() == 36


def test_an_earlier_run_is_not_overwritten_by_accident(run, tmp_path: Path) -> None:
    run()
    before = (tmp_path / "out" / "kept.star").read_bytes()
    with pytest.raises(SettingsError, match="already holds a run .* --overwrite"):
        run(threshold=0.9)
    assert (tmp_path / "out" / "kept.star").read_bytes() == before


def test_overwriting_leaves_nothing_of_the_earlier_run_and_touches_nothing_else(
    run, tmp_path: Path
) -> None:
    run()
    out = tmp_path / "out"
    (out / "notes.txt").write_text("mine")
    record = json.loads((out / "run.json").read_text())
    (out / "unscored.star").write_text("of the earlier run")
    (tmp_path / "precious.star").write_text("outside the folder")
    record["files"] += ["unscored.star", "../precious.star"]
    (out / "run.json").write_text(json.dumps(record))
    run(overwrite=True)
    assert not (out / "unscored.star").exists()
    assert (out / "notes.txt").read_text() == "mine"
    assert (tmp_path / "precious.star").exists()


def test_a_model_without_particles_is_refused(
    spot_project, dark_is_particle: Classifier, tmp_path: Path
) -> None:
    card = dataclasses.replace(
        dark_is_particle.card, class_ids=(2, 3), class_names=("contaminant", "carbon")
    )
    model = Classifier(dark_is_particle.network, card)
    micrographs = Micrographs.find(spot_project.micrographs)
    with pytest.raises(SettingsError, match="no class 1.*trained on contaminant, carbon"):
        next(prune_picks(micrographs, read_picks(spot_project.picks), model, tmp_path / "out"))


def test_a_pretrained_model_is_refused_as_a_base_for_finetune(
    spot_project, dark_is_particle: Classifier, tmp_path: Path
) -> None:
    # its first category would pass for class 1, particle
    card = dataclasses.replace(dark_is_particle.card, training={"kind": "pretraining"})
    model = Classifier(dark_is_particle.network, card)
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    for refuse in (
        prune_picks(micrographs, picks, model, tmp_path / "out"),
        score(micrographs, picks, model),
    ):
        with pytest.raises(CheckpointError, match="3 categories.*finetune --base FILE"):
            next(refuse)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused(run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SettingsError, match="is a file: give a folder"):
        run()
