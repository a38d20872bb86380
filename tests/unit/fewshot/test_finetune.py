"""Fine-tuning yields its course, ends with a model, and refuses labels it cannot learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.errors import (
    BoxOutsideError,
    LabelError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.fewshot.events import (
    BoxesRead,
    FineTuned,
    FineTuneEvent,
    FoldDone,
    LabelsLeftOut,
    MicrographSkipped,
    ModelTrained,
    StepDone,
)
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.trust import Calibration

QUICK = FineTuneSettings(
    diameter_px=24, box_px=32, base="none", n_steps=12, batch_size=16, n_folds=2, device="cpu"
)


def changed(**values: object) -> FineTuneSettings:
    from dataclasses import replace

    return replace(QUICK, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def events(spot_project) -> list[FineTuneEvent]:
    micrographs = Micrographs.find(spot_project.micrographs)
    return list(
        finetune(
            micrographs, read_picks(spot_project.labels), QUICK, read_picks(spot_project.picks)
        )
    )


def test_each_micrograph_is_read_once_then_come_all_trainings_then_the_model(
    events: list[FineTuneEvent],
) -> None:
    assert [type(e) for e in events[:3]] == [BoxesRead] * 3
    assert type(events[-1]) is FineTuned
    # side by side, so in any order among each other
    trainings = events[3:-1]
    for fold in (1, 2, None):
        steps = [e.step for e in trainings if isinstance(e, StepDone) and e.fold == fold]
        assert steps == list(range(1, 13))
    assert sorted(e.fold for e in trainings if isinstance(e, FoldDone)) == [1, 2]
    assert [type(e) for e in trainings].count(ModelTrained) == 1
    assert len(trainings) == 3 * 12 + 2 + 1


def test_progress_rises_to_one(events: list[FineTuneEvent]) -> None:
    progress = [e.progress for e in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_steps_tell_the_loss_of_both_branches(events: list[FineTuneEvent]) -> None:
    steps = [e for e in events if isinstance(e, StepDone) and e.fold is None]
    assert all(len(e.losses) == 2 for e in steps)
    assert sum(steps[-1].losses) < sum(steps[0].losses)


def test_what_is_easy_is_learned_and_proved_on_unseen_micrographs(
    events: list[FineTuneEvent],
) -> None:
    result = events[-1]
    assert isinstance(result, FineTuned)
    assert result.validation is not None
    assert result.validation.folds.grouped_by_micrograph
    assert result.validation.accuracy > 0.9
    assert len(result.validation.targets) == 72


def test_a_saved_model_promises_what_it_did_before(
    events: list[FineTuneEvent], tmp_path: Path
) -> None:
    model = events[-1].model
    again = Classifier.load(model.save(tmp_path / "model.safetensors"))
    assert again.card.calibration == model.card.calibration
    assert np.array_equal(again.card.held_out_scores.logits, model.card.held_out_scores.logits)


def test_the_card_tells_which_labels_it_was_taught(
    events: list[FineTuneEvent], spot_project
) -> None:
    from napari_pickeroptimizer.fewshot.label_digest import labels_digest

    digest = labels_digest(read_picks(spot_project.labels))
    assert events[-1].model.card.training["labels_digest"] == digest


def test_the_card_tells_what_the_model_is(events: list[FineTuneEvent]) -> None:
    result = events[-1]
    assert isinstance(result, FineTuned)
    card = result.model.card
    assert card.class_ids == (1, 2)
    assert card.class_names == ("particle", "contaminant")
    assert card.pixel_size_ang == 2.0
    assert card.boxes.diameter_ang == 48.0  # so that it fits another pixel size
    assert card.training["labels"] == {"particle": 36, "contaminant": 36}
    assert card.training["n_unlabelled"] == 72
    assert torch.__version__.startswith(card.versions["torch"])  # without its "+cpu"


def test_the_same_seed_gives_the_same_model_and_another_does_not(spot_project) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    labels = read_picks(spot_project.labels)

    def weights(seed: int) -> torch.Tensor:
        settings = changed(seed=seed, n_folds=0, n_steps=2)
        result = list(finetune(micrographs, labels, settings))[-1]
        assert isinstance(result, FineTuned)
        return result.model.network.linear.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_training_leaves_the_global_random_state_alone(spot_project) -> None:
    before = torch.random.get_rng_state()
    micrographs = Micrographs.find(spot_project.micrographs)
    settings = changed(n_folds=0, n_steps=1)
    list(finetune(micrographs, read_picks(spot_project.labels), settings))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_shares_of_the_classes_among_the_picks_are_in_the_card(
    events: list[FineTuneEvent],
) -> None:
    result = events[-1]
    assert isinstance(result, FineTuned)
    training = result.model.card.training
    shares = training["shares_of_picks"]
    assert list(shares) == ["particle", "contaminant"]
    assert sum(shares.values()) == pytest.approx(1, abs=2e-3)


def test_without_folds_the_shares_move_the_calibration_and_nothing_else(
    spot_project,
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    labels = read_picks(spot_project.labels)
    bright = labels.select(labels.labels == 2).with_labels(np.zeros(36))
    picks = concatenate([bright, bright])  # no pick of them is a particle

    def trained(prior: str) -> Classifier:
        settings = changed(prior=prior, n_folds=0)
        result = list(finetune(micrographs, labels, settings, picks))[-1]
        assert isinstance(result, FineTuned)
        return result.model

    moved, plain = trained("picks"), trained("even")
    assert plain.card.calibration == Calibration()
    assert plain.card.training["shares_of_picks"] is None
    assert moved.card.calibration.slope == 1
    assert moved.card.calibration.intercept < -0.4
    assert moved.card.training["shares_of_picks"]["contaminant"] > 0.6
    for name, weights in plain.network.state_dict().items():
        torch.testing.assert_close(moved.network.state_dict()[name], weights)


def test_cross_validated_labels_calibrate_and_are_kept_as_evidence(
    events: list[FineTuneEvent],
) -> None:
    result = events[-1]
    assert isinstance(result, FineTuned)
    card = result.model.card
    assert card.held_out_scores is not None
    assert (card.held_out_scores.n_particles, card.held_out_scores.n_others) == (36, 36)
    assert card.calibration != Calibration()


def test_other_classes_are_weighed_by_how_often_they_seem_to_occur(spot_project) -> None:
    labels = read_picks(spot_project.labels)
    two = labels.labels.copy()
    two[np.flatnonzero(two == 2)[::2]] = 3
    micrographs = Micrographs.find(spot_project.micrographs)
    settings = changed(n_folds=0)
    result = list(
        finetune(
            micrographs, labels.with_labels(two), settings, read_picks(spot_project.picks)
        )
    )[-1]
    assert isinstance(result, FineTuned)
    shares = result.model.card.training["shares_of_picks"]
    assert list(shares) == ["particle", "contaminant", "carbon"]
    assert sum(shares.values()) == pytest.approx(1, abs=2e-3)


def test_few_unlabelled_picks_tell_nothing_of_the_shares(spot_project) -> None:
    picks = read_picks(spot_project.picks)
    result = list(
        finetune(
            Micrographs.find(spot_project.micrographs),
            read_picks(spot_project.labels),
            changed(n_folds=0, n_steps=1),
            picks.select(np.arange(len(picks)) < 49),
        )
    )[-1]
    assert isinstance(result, FineTuned)
    assert result.model.card.training["n_unlabelled"] == 49
    assert result.model.card.training["shares_of_picks"] is None


def test_closing_the_generator_cancels(spot_project) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    running = finetune(micrographs, read_picks(spot_project.labels), QUICK)
    for event in running:
        if isinstance(event, StepDone):
            break
    running.close()
    assert list(running) == []


def test_classes_are_those_of_the_labels(spot_project) -> None:
    labels = read_picks(spot_project.labels)
    ids = np.where(labels.labels == 1, 1, np.where(np.arange(len(labels)) % 4 == 1, 3, 6))
    micrographs = Micrographs.find(spot_project.micrographs)
    settings = changed(n_folds=0, n_steps=1)
    result = list(finetune(micrographs, labels.with_labels(ids), settings))[-1]
    assert isinstance(result, FineTuned)
    assert result.model.card.class_ids == (1, 3, 6)


def test_unlabelled_rows_of_the_labels_are_used_as_unlabelled(spot_project) -> None:
    labels = read_picks(spot_project.labels)
    some = np.where(np.arange(len(labels)) < 24, labels.labels, 0)
    micrographs = Micrographs.find(spot_project.micrographs)
    settings = changed(n_folds=0, n_steps=1)
    result = list(finetune(micrographs, labels.with_labels(some), settings))[-1]
    assert isinstance(result, FineTuned)
    assert result.model.card.training["labels"] == {"particle": 12, "contaminant": 12}
    assert result.model.card.training["n_unlabelled"] == 48


def test_an_unreadable_micrograph_is_told_and_the_others_serve(
    spot_project, tmp_path: Path
) -> None:
    for path in spot_project.micrographs.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[:5000] if path.name == "m1.mrc" else data)
    settings = changed(n_folds=0, n_steps=1)
    events = list(
        finetune(Micrographs.find(tmp_path), read_picks(spot_project.labels), settings)
    )
    skipped = [e for e in events if isinstance(e, MicrographSkipped)]
    assert [e.micrograph for e in skipped] == ["m1.mrc"]
    assert "truncated" in skipped[0].reason
    result = events[-1]
    assert isinstance(result, FineTuned)
    assert result.model.card.training["labels"] == {"particle": 24, "contaminant": 24}


def test_no_labels_are_refused(spot_project) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    with pytest.raises(LabelError, match="no pick is labelled: give labels as a column"):
        list(finetune(micrographs, read_picks(spot_project.picks), QUICK))


def test_one_class_only_is_refused(spot_project) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    with pytest.raises(LabelError, match=r"all 72 labels are of one class \(2, contaminant\)"):
        list(finetune(micrographs, read_picks(spot_project.picks, label=2), QUICK))


def test_labels_of_unknown_micrographs_are_refused(spot_project) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    labels = Picks.from_arrays("elsewhere.mrc", x=[50, 60], y=[50, 60], label=[1, 2])
    with pytest.raises(MicrographNotFoundError, match="'elsewhere.mrc' is not among the 3"):
        list(finetune(micrographs, labels, QUICK))


def test_a_label_outside_its_micrograph_is_refused(spot_project) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    labels = Picks.from_arrays("m0.mrc", x=[50, 500], y=[50, 60], label=[1, 2])
    with pytest.raises(BoxOutsideError, match=r"labels on m0.mrc: 1 of 2 .* x=500, y=60"):
        list(finetune(micrographs, labels, QUICK))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_steps": 0}, {"batch_size": 0}, {"n_folds": -1}, {"learning_rate": 0.0},
        {"label_smoothing": 1.0}, {"branch_weights": (0.0, 0.0)}, {"backbone": "lenet"},
        {"diameter_px": None}, {"n_unlabelled": -1},
        {"prior": "uneven"},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        changed(**wrong)


def test_labels_that_the_others_contradict_teach_nothing_and_it_is_said(spot_project) -> None:
    labels = read_picks(spot_project.labels)
    classes = labels.labels.copy()
    classes[[0, 30]] = 3 - classes[[0, 30]]
    wrong = labels.with_labels(classes)
    quick = changed(base="bundled", n_steps=2, n_folds=0)

    def left_out(settings: FineTuneSettings, picks: Picks = wrong) -> tuple[list[str], int]:
        *events, last = finetune(Micrographs.find(spot_project.micrographs), picks, settings)
        assert isinstance(last, FineTuned)
        told = [e.reason for e in events if isinstance(e, LabelsLeftOut)]
        return told, last.model.card.training["n_labels_left_out"]

    told, n = left_out(quick)
    assert n == 2
    assert told[0].startswith("2 of 72 labels contradict the others")
    assert left_out(
        changed(base="bundled", n_steps=2, n_folds=0, leave_out_doubtful=False)
    ) == (
        [],
        0,
    )
    chosen = wrong.with_columns(suggestion=np.ones(len(wrong), dtype=np.int32))
    assert left_out(quick, chosen) == ([], 0)  # suggested for being unlike the others
    assert left_out(quick, labels) == ([], 0)


def test_many_labels_have_more_steps_up_to_a_limit(
    spot_project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_pickeroptimizer.fewshot.settings.MANY_LABELS", 36)
    *_, last_step, tuned = finetune(
        Micrographs.find(spot_project.micrographs),
        read_picks(spot_project.labels),  # 72
        changed(n_folds=0),
    )
    assert isinstance(last_step, StepDone)
    assert last_step.n_steps == last_step.step == 2 * QUICK.n_steps
    assert isinstance(tuned, FineTuned)
    # what was asked for, so that it gives the same model again; and what it came to
    assert tuned.model.card.training["settings"]["n_steps"] == QUICK.n_steps
    assert tuned.model.card.training["n_steps"] == 2 * QUICK.n_steps
    assert QUICK.n_steps_of(100_000) == 3 * QUICK.n_steps
