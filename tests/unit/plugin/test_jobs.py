"""What the panels call refuses what cannot work, at once and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.errors import (
    CheckpointError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.model.backbone import RESNET18_HALF, build_backbone
from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.plugin import actions, jobs, outputs, session
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.panels.decide.model import summary_text
from napari_pickeroptimizer.plugin.scores import ScoreSummary


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


def test_scoring_by_script_leaves_everything_up_to_date(viewer, project: Path) -> None:
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, project / "picks.star")
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
    assert "Kept 0 of 4 picks (0%)" in summary_text(pruned)


def test_a_scoring_that_fails_leaves_the_scores_of_before(viewer, project: Path) -> None:
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, project / "picks.star")
    before = jobs.score_layer(viewer, layer, model=some_model(), device="cpu")

    def stop(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.score_layer(viewer, layer, device="cpu", on_event=stop)
    assert picks_state(layer).scores is before


def test_the_micrograph_that_is_seen_has_its_turn_first(viewer, project: Path) -> None:
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, project / "picks.star")
    viewer.dims.set_point(0, 1)
    assert jobs.micrographs_first(viewer, layer) == ("Micrographs/m1.mrc",)
