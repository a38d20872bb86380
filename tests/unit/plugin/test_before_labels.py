"""Scores before the first label: an order for the gallery, and no model of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import initial_network
from napari_pickeroptimizer.plugin import actions, functions, jobs, session
from napari_pickeroptimizer.plugin.before_labels import (
    BY_ORDER,
    are_before_labels,
    bundled_model,
    score_without_labels,
)
from napari_pickeroptimizer.plugin.images.stack import stack_of
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.panels.decide.model import (
    NO_OWN_MODEL,
    DecideModel,
    ThresholdText,
)
from napari_pickeroptimizer.plugin.panels.export.export import ExportSettings, export
from napari_pickeroptimizer.plugin.panels.export.model import ExportModel
from napari_pickeroptimizer.plugin.panels.gallery.model import GalleryModel
from napari_pickeroptimizer.plugin.panels.gallery.order import Sort
from napari_pickeroptimizer.plugin.panels.label.first_scores import FirstScoresModel


def fine_tuned_model() -> Classifier:
    card = ModelCard((1, 2), ("particle", "contaminant"), "resnet18_half", BoxSettings(20))
    return Classifier(initial_network("bundled", None, 2).eval(), card)


@pytest.fixture
def scored(viewer, layer):
    """The layer of four picks, scored before any label."""
    score_without_labels(viewer, layer, device="cpu")
    return layer


def test_picks_are_scored_at_the_size_of_their_rings_and_no_model_is_made(viewer, layer):
    actions.set_diameter(layer, 24)
    scores = score_without_labels(viewer, layer, device="cpu")
    assert picks_state(layer).scores is scores
    assert scores.complete
    assert scores.forecast is None
    assert np.isfinite(scores.p_particle).all()
    assert scores.card.boxes.diameter_px == 24
    assert session.session_of(viewer).model is None


def test_picks_of_another_plugin_are_taken_on(viewer, project: Path):
    (stack,) = (actions.open_micrographs(viewer, project / "Micrographs"),)
    points = viewer.add_points([[0, 20.0, 30.0], [2, 40.0, 50.0]], size=20, name="theirs")
    assert score_without_labels(viewer, points, stack_layer=stack, device="cpu").complete


def test_a_model_of_ones_own_takes_the_place_of_these_scores(viewer, scored):
    first = FirstScoresModel(session.session_of(viewer))
    assert first.is_offered()
    session.session_of(viewer).set_model(fine_tuned_model())
    assert picks_state(scored).scores is None
    assert not first.is_offered()
    assert not are_before_labels(jobs.score_layer(viewer, scored, device="cpu"))


def test_another_scoring_that_fails_leaves_them(viewer, scored):
    before = picks_state(scored).scores

    def stop(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_without_labels(viewer, scored, device="cpu", on_event=stop)
    assert picks_state(scored).scores is before


def test_the_label_page_says_what_is_missing_and_what_the_scores_are_worth(viewer, project):
    first = FirstScoresModel(session.session_of(viewer))
    assert not first.is_offered()
    layer = actions.open_picks(viewer, project / "picks.star", diameter_px=20)
    assert first.is_offered()
    assert first.tip() == first.missing() != ""
    actions.open_micrographs(viewer, project / "Micrographs")
    assert not first.missing()
    assert "the rings' size (20 px)" in first.tip()
    assert first.note() == ""
    score_without_labels(viewer, layer, device="cpu")
    assert first.note().startswith(BY_ORDER)


def test_a_job_of_the_label_page_shows_the_scores_or_leaves_none(viewer, layer):
    first = FirstScoresModel(session.session_of(viewer))
    events = first.begin("cpu", bundled_model(layer))
    first.take(next(events))
    first.put_back()  # as after a cancel
    assert picks_state(layer).scores is None
    for event in first.begin("cpu", bundled_model(layer)):
        first.take(event)
    assert are_before_labels(picks_state(layer).scores)


def test_the_decide_page_has_no_forecast_and_says_why(viewer, scored):
    model = DecideModel(session.session_of(viewer))
    assert model.status() == f"{BY_ORDER} {NO_OWN_MODEL}"
    assert (model.can_start(), model.start_text()) == (False, "Score picks")
    assert model.threshold_for("0.5", 0.95) == 0.5
    for preset in ("balanced (best F1)", "precision at least", "recall at least"):
        with pytest.raises(SettingsError, match="before the first label"):
            model.threshold_for(preset, 0.95)
    text = ThresholdText.of(picks_state(scored))
    assert text.expected == "No precision is expected before the first label."


def test_the_gallery_is_in_order_at_once(viewer, layer):
    gallery = GalleryModel(session.session_of(viewer))
    gallery.follow_target()
    assert gallery.sort is Sort.MICROGRAPH
    scores = score_without_labels(viewer, layer, device="cpu")
    assert gallery.changed_scores()
    assert gallery.arrange().rows.tolist() == np.argsort(-scores.p_particle).tolist()
    assert gallery.order_note() == BY_ORDER
    assert "not calibrated" in gallery.tip(0)
    later = GalleryModel(session.session_of(viewer))  # opened once there are scores
    later.follow_target()
    assert later.sort is Sort.SCORE_DOWN


@pytest.mark.parametrize("own", [False, True])
def test_an_order_that_was_chosen_and_a_model_of_ones_own_leave_the_gallery(
    viewer, layer, own
):
    gallery = GalleryModel(session.session_of(viewer))
    gallery.follow_target()
    if own:
        jobs.score_layer(viewer, layer, model=fine_tuned_model(), device="cpu")
    else:
        gallery.sort = Sort.PICKER_SCORE
        score_without_labels(viewer, layer, device="cpu")
    before = gallery.sort
    gallery.changed_scores()
    assert (gallery.sort, gallery.order_note()) == (before, "")


def test_an_export_writes_no_model_and_names_the_bundled_one(viewer, scored, tmp_path: Path):
    model = ExportModel(session.session_of(viewer))
    assert model.missing() == ""
    assert model.note().startswith(BY_ORDER)
    assert not model.has_own_model
    exported = export(viewer, scored, tmp_path / "out", ExportSettings(report=False))
    assert not list((tmp_path / "out").rglob("*.safetensors"))
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["inputs"]["model"] == "bundled"
    assert any("no calibrated probabilities" in warning for warning in record["warnings"])
    assert "--model bundled" in exported.command
    assert "--diameter-px 20" in exported.command
    assert "finetune" not in exported.command
    compile(exported.snippet, "snippet", "exec")
    assert "model = model_before_labels(diameter_px=20)" in exported.snippet.replace(
        "20.0", "20"
    )


def test_a_script_applies_the_bundled_network_by_its_name(viewer, layer):
    (stack,) = (x for x in viewer.layers if stack_of(x.metadata) is not None)
    kept, rejected = functions.apply_model(stack, layer, "bundled", 0.0, device="cpu")
    assert (len(kept.data), len(rejected.data)) == (4, 0)
    assert session.session_of(viewer).model is None
