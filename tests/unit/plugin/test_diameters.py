"""Picks take the diameter that is known: of the run that wrote them, or of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.layer_state import picks_state

IN_ANG = ModelCard((1, 2), ("particle", "ice"), "r", BoxSettings(diameter_ang=36.0))
DIAMETER_PX = 18  # the micrographs have 2 Å


def record_run(folder: Path, card: ModelCard) -> None:
    (folder / "run.json").write_text(json.dumps({"model": json.loads(card.to_json())}))


def diameter(layer: Any) -> tuple[float, bool]:
    state = picks_state(layer)
    return state.diameter_px, state.diameter_is_guess


def test_kept_picks_have_the_diameter_of_their_run(viewer: Any, project: Path) -> None:
    record_run(project, IN_ANG)
    actions.open_micrographs(viewer, project / "Micrographs")
    assert diameter(actions.open_picks(viewer, project / "picks.star")) == (DIAMETER_PX, False)


def test_without_micrographs_pixels_are_those_of_the_model(viewer: Any, project: Path) -> None:
    boxes = BoxSettings(diameter_ang=36.0)
    record_run(project, ModelCard((1, 2), ("particle", "ice"), "r", boxes, pixel_size_ang=4.0))
    assert diameter(actions.open_picks(viewer, project / "picks.star")) == (9, False)


@pytest.mark.parametrize("text", ["", "{}", '{"model": {"boxes": {"x": 1}}}', "[1]"])
def test_a_record_of_something_else_is_no_hindrance(
    viewer: Any, project: Path, text: str
) -> None:
    (project / "run.json").write_text(text)
    assert diameter(actions.open_picks(viewer, project / "picks.star"))[1]


def test_a_diameter_that_was_given_stays(viewer: Any, project: Path) -> None:
    record_run(project, IN_ANG)
    layer = actions.open_picks(viewer, project / "picks.star", diameter_px=30)
    session.session_of(viewer).set_model(Classifier(None, IN_ANG))  # type: ignore[arg-type]
    assert diameter(layer) == (30, False)


def test_a_model_replaces_a_guess_before_and_after_the_picks_are_opened(
    viewer: Any, layer: Any, project: Path
) -> None:
    picks_state(layer).diameter_is_guess = True
    session.session_of(viewer).set_model(Classifier(None, IN_ANG))  # type: ignore[arg-type]
    assert diameter(layer) == (DIAMETER_PX, False)
    viewer.layers.remove(layer)
    assert diameter(actions.open_picks(viewer, project / "picks.star")) == (DIAMETER_PX, False)
