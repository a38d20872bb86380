"""Picks in a layer with scores from nowhere: five on each of three micrographs."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import (
    actions,
    outputs,
    session,
)
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.scores import Scores, summarise_scores
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
)

N = 5  # picks a micrograph
NAMES = ("a.mrc", "b.mrc", "c.mrc")
P = np.array([0.1, 0.3, 0.5, 0.7, 0.9] * 3, dtype=np.float32)


def some_model() -> Classifier:
    card = ModelCard(
        (1, 2, 3),
        ("particle", "contaminant", "carbon"),
        "resnet18",
        BoxSettings(diameter_px=20),
    )
    return Classifier(None, card)  # type: ignore[arg-type]


def some_picks() -> Picks:
    return Picks.from_arrays(
        np.repeat(NAMES, N), x=np.tile(np.arange(N) * 50.0, 3), y=[9.0] * 15
    )


def open_with_model(viewer: Any) -> Any:
    """Return the layer of the picks, in a viewer that has the model."""
    session.session_of(viewer).set_model(some_model())
    return actions.open_picks(viewer, some_picks(), name="picks")


def events_of(p: np.ndarray, failed: str = "") -> list[Any]:
    probabilities = np.column_stack([p, (1 - p) * 0.7, (1 - p) * 0.3]).astype(np.float32)
    features = np.random.default_rng(0).standard_normal((15, 100)).astype(np.float32)
    events: list[Any] = []
    for i, name in enumerate(NAMES):
        rows = np.arange(i * N, (i + 1) * N)
        if name == failed:
            events.append(
                MicrographFailed(MicrographRows(name, None, rows), "it is broken", i + 1, 3)
            )
            continue
        here = probabilities[rows], 0, i + 1, 3, features[rows]
        events.append(MicrographScored(MicrographRows(name, None, rows), *here))
    return events


def score(
    viewer: Any, layer: Any, p: np.ndarray = P, failed: str = ""
) -> outputs.LayerOutputs:
    """Do what a job does, with scores from nowhere."""
    model = session.session_of(viewer).model
    assert model is not None
    scores = Scores.begin(session.picks_of(layer), model)
    state = picks_state(layer)
    state.begin_scores(scores)
    for event in events_of(p, failed):
        outputs.take_scores(viewer, layer, event)
    summary = summarise_scores(model.card, scores.picks_scored(state.picks))
    outputs.take_scores(viewer, layer, summary)
    return outputs.refresh(viewer, layer)


def predicted(layer: Any) -> list[int]:
    """What the layer shows."""
    return layer.features["predicted"].cat.codes.tolist()


def n_points(layers: dict[str, Any]) -> dict[str, int]:
    return {role: len(layer.data) for role, layer in layers.items()}
