"""Scores of micrographs that nobody looks at are taken without drawing anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions, outputs, session
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.scores import Scores, summarise_scores
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.reading import MicrographRows

NAMES = ("a.mrc", "b.mrc")
P = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)  # of both micrographs


def event(i: int) -> MicrographScored:
    rows = np.array([2 * i, 2 * i + 1])
    return MicrographScored(MicrographRows(NAMES[i], None, rows), P, 0, i + 1, 2)


@pytest.fixture
def layer(viewer: Any) -> Any:
    picks = Picks.from_arrays(np.repeat(NAMES, 2), x=[5.0, 50.0] * 2, y=[9.0] * 4)
    layer = actions.open_picks(viewer, picks, name="picks")
    card = ModelCard(
        (1, 2), ("particle", "contaminant"), "resnet18", BoxSettings(diameter_px=20)
    )
    model = Classifier(None, card)  # type: ignore[arg-type]
    picks_state(layer).begin_scores(Scores.begin(session.picks_of(layer), model))
    viewer.dims.set_point(0, 0)
    return layer


@pytest.fixture
def told(layer: Any) -> list[str]:
    """What the layer tells napari, which redraws the window at each word."""
    types: list[str] = []
    layer.events.connect(lambda event: types.append(event.type))
    return types


def test_a_micrograph_out_of_sight_is_scored_in_silence(
    viewer: Any, layer: Any, told: list[str]
) -> None:
    outputs.take_scores(viewer, layer, event(1))
    assert told == []
    assert layer.features["predicted"].cat.codes.tolist() == [0, 0, 1, 2]
    colours = picks_state(layer).vocabulary.palette_rgba[[0, 0, 1, 2]]
    np.testing.assert_allclose(layer.border_color, colours, atol=1e-6)


def test_the_micrograph_on_the_screen_is_drawn(
    viewer: Any, layer: Any, told: list[str]
) -> None:
    outputs.take_scores(viewer, layer, event(0))
    assert "border_color" in told


def test_thick_slices_show_the_neighbours_too(
    viewer: Any, layer: Any, told: list[str]
) -> None:
    viewer.dims.thickness = (3.0, 0.0, 0.0)
    told.clear()
    outputs.take_scores(viewer, layer, event(1))
    assert "border_color" in told


def test_at_the_end_those_who_list_all_picks_are_told(
    viewer: Any, layer: Any, told: list[str]
) -> None:
    outputs.take_scores(viewer, layer, event(1))
    state = picks_state(layer)
    scored = state.checked_scores.picks_scored(state.picks)
    summary = summarise_scores(state.checked_scores.card, scored)
    outputs.take_scores(viewer, layer, summary)
    assert "features" in told
