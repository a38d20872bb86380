"""Jobs on layers: what they need, what they leave behind, and how long they take."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.errors import (
    CheckpointError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions, background, jobs, outputs, session
from napari_pickeroptimizer.plugin.background import Remaining, in_words
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.panels.decide.model import summary_text
from napari_pickeroptimizer.plugin.readiness import (
    LEAST_LABELS,
    enough_to_learn,
    missing_to_finetune,
    missing_to_score,
)
from napari_pickeroptimizer.plugin.scores import ScoreSummary
from napari_pickeroptimizer.trust import forecast

STACK = object()  # whether there is one is all that is asked
ICE = DEFAULT_VOCABULARY.renamed(2, "ice")


def some_model() -> Classifier:
    card = ModelCard((1, 2), ("particle", "contaminant"), RESNET18_HALF, BoxSettings(32))
    return Classifier(TwoBranchNet(build_backbone(RESNET18_HALF), 2).eval(), card)


def test_a_pretrained_model_does_not_become_the_sessions(viewer, tmp_path: Path) -> None:
    card = ModelCard(
        (1, 2), ("particle_a", "carbon_a"), RESNET18_HALF, BoxSettings(32),
        training={"kind": "pretraining"},
    )  # fmt: skip
    model = Classifier(TwoBranchNet(build_backbone(RESNET18_HALF), 2), card)
    path = model.save(tmp_path / "base.safetensors")
    with pytest.raises(CheckpointError, match="It is a base to start from"):
        jobs.load_model(viewer, path)
    assert session.session_of(viewer).model is None


def test_scoring_is_refused_at_once_and_in_words(viewer, project: Path) -> None:
    layer = actions.open_picks(viewer, project / "picks.star")
    with pytest.raises(SettingsError, match="there is no model"):
        jobs.score_layer(viewer, layer)
    card = ModelCard((2, 3), ("contaminant", "carbon"), RESNET18_HALF, BoxSettings(32))
    blind = Classifier(TwoBranchNet(build_backbone(RESNET18_HALF), 2), card)
    with pytest.raises(SettingsError, match="has no class 1"):
        jobs.score_layer(viewer, layer, model=blind)
    with pytest.raises(MicrographNotFoundError, match="are not open"):
        jobs.score_layer(viewer, layer, model=some_model())
    assert picks_state(layer).scores is None


def test_scoring_by_script_leaves_everything_up_to_date(viewer, layer) -> None:
    model = some_model()
    events: list[object] = []
    scores = jobs.score_layer(
        viewer, layer, model=model, threshold=0.0, device="cpu", on_event=events.append
    )
    assert scores.complete
    assert isinstance(events[-1], ScoreSummary)
    assert session.session_of(viewer).model is model
    assert len(viewer.layers["picks kept"].data) == 4
    pruned = outputs.set_threshold(viewer, layer, 1.0)
    assert len(pruned.layers["kept"].data) == 0
    assert "Kept 0 of 4 picks (0 %)" in summary_text(pruned)


def test_a_scoring_that_fails_leaves_the_scores_of_before(viewer, layer) -> None:
    before = jobs.score_layer(viewer, layer, model=some_model(), device="cpu")

    def stop(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.score_layer(viewer, layer, device="cpu", on_event=stop)
    assert picks_state(layer).scores is before


def test_the_micrograph_that_is_seen_has_its_turn_first(viewer, layer) -> None:
    viewer.dims.set_point(0, 1)
    assert jobs.micrographs_first(viewer, layer) == ("Micrographs/m1.mrc",)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 0, 0], "No pick is labelled. Click picks"),
        ([2, 0, 0], "Label some particles too (key K): so far 1 ice."),
        ([1, 0, 0], "Label some false picks too (keys J, C): so far 1 particle."),
        ([1, 2, 0], ""),
    ],
)
def test_fine_tuning_needs_particles_and_false_picks(labels, words):
    picks = Picks.from_arrays("a.mrc", x=[1, 2, 3], y=[1, 2, 3], label=labels)
    missing = missing_to_finetune(picks, STACK, ICE)
    assert missing.startswith(words) if words else not missing


def test_fine_tuning_needs_layers():
    picks = Picks.from_arrays("a.mrc", x=[1], y=[1])
    assert "Open micrographs" in missing_to_finetune(picks, None)
    assert "Open picks" in missing_to_finetune(None, STACK)
    assert "J ice" in missing_to_finetune(picks, STACK, ICE)


def test_labels_are_enough_to_begin_where_they_are_for_a_forecast():
    assert LEAST_LABELS == forecast.LEAST_LABELS
    half = LEAST_LABELS // 2
    enough = [PARTICLE] * LEAST_LABELS + [CONTAMINANT] * half + [CARBON] * half
    for labels, is_enough in ((enough, True), (enough[1:], False), (enough[:-1], False)):
        places = range(len(labels))
        picks = Picks.from_arrays("a.mrc", x=places, y=places, label=labels)
        assert enough_to_learn(picks) is is_enough


def test_scoring_needs_micrographs_picks_and_a_model(viewer, project, some_model):
    state = session.session_of(viewer)
    assert "open micrographs first" in missing_to_score(state)
    actions.open_micrographs(viewer, project / "Micrographs")
    assert missing_to_score(state) == "Open picks first."
    actions.open_picks(viewer, project / "picks.star")
    assert "Fine-tune a model" in missing_to_score(state)
    state.set_model(some_model)
    assert missing_to_score(state) == ""


def test_a_steady_job_is_told_right() -> None:
    remaining = Remaining()
    assert remaining.seconds(0.0, 0.0) is None
    assert remaining.seconds(0.01, 0.5) is None  # too early to tell
    assert remaining.seconds(0.2, 10.0) == pytest.approx(40)


def test_what_went_slowly_long_ago_does_not_count() -> None:
    remaining = Remaining()
    for i in range(100):  # a hundred seconds for the first tenth, one a second for the rest
        remaining.seconds(0.001 * i, float(i))
    for i in range(40):
        left = remaining.seconds(0.1 + 0.01 * i, 100.0 + i)
    assert left == pytest.approx(51, rel=0.05)


def test_a_job_that_stands_still_is_not_told() -> None:
    remaining = Remaining()
    remaining.seconds(0.5, 0.0)
    assert remaining.seconds(0.5, 15.0) is None


def test_words() -> None:
    assert in_words(None) == ""
    assert in_words(0.2) == "about 1 s left"
    assert in_words(89) == "about 90 s left"
    assert in_words(95) == "about 2 min left"


def test_what_jobs_need_is_imported_in_steps() -> None:
    first, *_, last = background.load_events()
    assert (first.progress, last.progress) == (0, 1)
    assert background.is_loaded()
