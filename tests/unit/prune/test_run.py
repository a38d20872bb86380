"""The pruning job writes the twins and its record; nothing of the input is lost or changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import CheckpointError, OutputError, SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.prune.run import Pruned, prune_picks
from napari_pickeroptimizer.prune.score import score
from napari_pickeroptimizer.prune.settings import Length, PruneSettings
from napari_pickeroptimizer.trust import HeldOutScores


@pytest.fixture
def run(spot_project, dark_is_particle, tmp_path: Path):
    def run_it(
        picks: Picks | None = None, labels: Picks | None = None, **settings: object
    ) -> Pruned:
        micrographs = Micrographs.find(spot_project.micrographs)
        picks = read_picks(spot_project.picks) if picks is None else picks
        events = prune_picks(
            micrographs, picks, dark_is_particle, tmp_path / "out",
            PruneSettings(**settings),  # type: ignore[arg-type]
            labels=labels, inputs={"picks": "picks.star"},
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
    assert {row.split()[6] for row in original} == {"score"}
    assert all(float(row.split()[5]) >= 0.5 for row in twins["kept"])


def test_the_record_tells_inputs_settings_and_counts(run, tmp_path: Path) -> None:
    result = run(threshold=0.6)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record == json.loads(json.dumps(result.record))
    assert record["inputs"] == {"picks": "picks.star"}
    assert record["settings"]["threshold"] == record["threshold"] == 0.6
    assert record["settings"]["min_distance"] == "0 px"
    assert record["counts"]["picks"] == 72
    assert record["counts"]["kept"] == 36
    assert sum(record["counts"]["rejected_by_class"].values()) == 36
    assert record["micrographs"][0] == {
        "micrograph": "Micrographs/m0.mrc", "picks": 24, "kept": 12, "rejected": 12, "unscored": 0,
        "flag": None,
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
    with pytest.raises(OutputError, match="is a file"):
        run()


def test_labels_of_another_file_win_over_the_scores(run, spot_project, tmp_path: Path) -> None:
    picks = read_picks(spot_project.labels)  # 1 dark, 2 bright
    turned = picks.select([0, 1, 30]).with_labels([3, 3, 3])
    result = run(read_picks(spot_project.picks), turned)
    assert result.record["labels"] == {"given": 3, "matched": 3}
    table = result.picks.table
    assert table["predicted"][[0, 1, 30]].tolist() == [3, 3, 3]
    assert result.record["counts"]["rejected_by_reason"]["label"] == 3
    scored = read_picks(tmp_path / "out" / "scored.star")
    assert np.flatnonzero(scored.labels).tolist() == [0, 1, 30]  # and nothing else
    assert scored.table["decided_by"].value_counts().to_dict() == {"score": 69, "label": 3}


def test_picks_pruned_again_are_decided_anew_but_for_their_labels(
    run, spot_project, tmp_path: Path
) -> None:
    labels = read_picks(spot_project.labels).select([0]).with_labels([3])
    run(read_picks(spot_project.picks), labels)
    (tmp_path / "first.star").write_bytes((tmp_path / "out" / "scored.star").read_bytes())
    again = run(read_picks(tmp_path / "first.star"), threshold=0.0, overwrite=True)
    assert again.record["counts"]["kept"] == 71
    assert again.picks.table["decided_by"].tolist() == ["label"] + ["score"] * 71
    assert again.picks.table["predicted"][0] == 3


def test_picks_that_were_not_scored_are_decided_by_their_label(
    run, spot_project, tmp_path: Path
) -> None:
    beyond = Picks.from_arrays("Micrographs/m0.mrc", x=[-50.0, -60, 100], y=[9.0] * 3)
    result = run(beyond.with_labels([1, 0, 0]))
    assert result.picks.table["predicted"].tolist()[:2] == [1, 0]
    assert result.record["counts"]["kept_by_label"] == 1
    assert any("2 picks lie outside" in w for w in result.record["warnings"])


def test_own_labels_of_two_classes_at_one_place_leave_it_to_the_score(run) -> None:
    picks = run().picks
    classes = picks.table["predicted"].to_numpy()
    x, y = picks.coords_yx_px()[:2, ::-1].T
    own = Picks.from_arrays(
        picks.table["micrograph"].iloc[[0, 0, 1]].tolist(),
        x[[0, 0, 1]], y[[0, 0, 1]], label=[1, 2, 3 - classes[1]],
    )  # fmt: skip
    result = run(own, overwrite=True)
    assert result.picks.table["predicted"].tolist()[:2] == [classes[0]] * 2
    assert result.picks.labels.tolist() == [0, 0, 3 - classes[1]]
    assert "1 places are labelled as two classes" in result.record["warnings"][0]


def test_distances_are_in_the_units_asked_for(run, spot_project, tmp_path: Path) -> None:
    picks = read_picks(spot_project.picks)
    twice = concatenate(
        [picks, picks.with_columns(x=picks.table["x"] + 3, source=-1, source_row=0)]
    )
    result = run(twice, min_distance=Length(10, "ang"))  # 5 px
    reasons = result.record["counts"]["rejected_by_reason"]
    assert (reasons["distance"], result.record["counts"]["kept"]) == (36, 36)
    assert result.record["settings"]["min_distance"] == "10 Å"
    # those rejected for their place are of no class
    assert sum(result.record["counts"]["rejected_by_class"].values()) == reasons["score"]
    result = run(picks, edge_distance=Length(2, "diameters"), overwrite=True)
    assert result.record["counts"]["rejected_by_reason"]["edge"] > 10
    near = result.picks.table["decided_by"] == "edge"
    assert (result.picks.table["x"][near] + 0.5 < 48).any()


def test_two_spellings_of_a_micrograph_are_one_entry_of_the_record(run, spot_project) -> None:
    picks = read_picks(spot_project.picks)
    names = ["m0" if i % 2 else name for i, name in enumerate(picks.table["micrograph"][:24])]
    picks = picks.with_columns(micrograph=names + picks.table["micrograph"].tolist()[24:])
    entries = run(picks).record["micrographs"]
    assert [e["picks"] for e in entries] == [24, 24, 24]


def test_a_model_that_was_not_cross_validated_has_no_forecast(run) -> None:
    result = run(threshold=0.6)
    assert result.forecast is result.record["expectation"] is None
    assert any("was not cross-validated" in w for w in result.record["warnings"])


@pytest.mark.parametrize("rule", [{"precision": 0.95}, {"recall": 0.9}, {"threshold": "auto"}])
def test_a_rule_needs_evidence_and_is_refused_before_the_scoring(run, rule) -> None:
    with pytest.raises(
        SettingsError, match=r"cross-validated.*Fine-tune again.*--threshold 0\.5"
    ):
        run(**rule)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"precision": 0.9, "recall": 0.9}, "one of threshold, precision and recall"),
        ({"threshold": 0.5, "recall": 0.9}, "one of threshold, precision and recall"),
        ({"precision": 95.0}, "95 % is 0.95"),
        ({"recall": 0.0}, "above 0"),
        ({"threshold": "best"}, "or auto"),
        ({"threshold": 1.5}, "from 0 to 1"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(settings, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        PruneSettings(**settings)


def test_a_run_that_keeps_nothing_or_all_says_so(run, spot_project) -> None:
    labelled = read_picks(spot_project.labels)
    bright = labelled.select(labelled.labels == 2).with_labels(0)
    assert any("none of the 36" in w for w in run(bright).record["warnings"])
    dark = labelled.select(labelled.labels == 1).with_labels(0)
    assert any("all 36 scored" in w for w in run(dark, overwrite=True).record["warnings"])


def test_the_record_tells_what_the_threshold_is_expected_to_give(
    spot_project, dark_is_particle: Classifier, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    is_particle = np.arange(60) % 2 == 0
    known = HeldOutScores(rng.normal(np.where(is_particle, 4.0, -4.0), 1.5), is_particle)
    card = dataclasses.replace(dark_is_particle.card, held_out_scores=known)
    model = Classifier(dark_is_particle.network, card)
    result = list(
        prune_picks(
            Micrographs.find(spot_project.micrographs),
            read_picks(spot_project.picks).with_labels([2] + [0] * 71),
            model,
            tmp_path / "out",
            PruneSettings(recall=0.9),
        )
    )[-1]
    assert isinstance(result, Pruned)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert result.forecast is not None
    expected = record["expectation"]
    assert expected["threshold"] == record["threshold"]
    assert expected["n_picks"] == 72
    # the expectation is of the scores, what is kept counts the label too
    by_score = int((result.picks.particle_probability >= record["threshold"]).sum())
    assert expected["n_kept"] == by_score
    assert record["counts"]["kept"] + record["counts"]["rejected"] == 72
    assert expected["recall"]["mean"] >= 0.9
    assert not any("was not cross-validated" in w for w in record["warnings"])


def test_where_the_pixel_size_is_unknown_that_of_the_model_is_taken_and_it_is_said(
    spot_project, dark_is_particle, tmp_path: Path
) -> None:
    card = dataclasses.replace(dark_is_particle.card, pixel_size_ang=2.0)
    model = dataclasses.replace(dark_is_particle, card=card)
    sizes = [2.0, None, None]
    found = Micrographs.find(spot_project.micrographs)
    for micrograph, size in zip(found, sizes, strict=True):
        vars(micrograph)["pixel_size_ang"] = size  # as if the header told it
    picks = read_picks(spot_project.picks)
    *_, result = prune_picks(found, picks, model, tmp_path / "out")
    assert isinstance(result, Pruned)
    assert not np.isnan(result.picks.particle_probability).any()
    assert any("of 2 micrographs is unknown" in w for w in result.record["warnings"])
