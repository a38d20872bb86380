"""Large layers of kept and rejected picks are made in a thread, and are the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("napari")

from scored_layers import n_points, open_with_model, predicted, score

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.plugin import (
    output_layers,
    outputs,
    session,
)
from napari_pickeroptimizer.plugin.layer_state import picks_state


@pytest.fixture
def layer(viewer: Any) -> Any:
    return open_with_model(viewer)


def test_large_outputs_wait_until_they_are_made(
    viewer: Any, layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "LARGE", 10)
    layers = score(viewer, layer).layers
    state = picks_state(layer)
    session.session_of(viewer).refresh_later = lambda layer: None
    state.set_threshold(0.8)
    assert outputs.refresh_colors(viewer, layer) == {"kept", "rejected", "unscored"}
    assert predicted(layer) == [2, 2, 2, 2, 1] * 3
    assert len(layers["kept"].data) == 9
    plan = output_layers.plan(viewer, layer, ["kept"])
    picks, (made,) = in_a_thread(plan.compute)
    assert (picks.table["predicted"] == PARTICLE).sum() == 3
    assert len(layers["kept"].data) == 9  # the thread changed nothing
    assert made.show(viewer, layer) is layers["kept"]
    assert n_points(layers) == {"kept": 3, "rejected": 6}
    outputs.choose_shown(viewer, layer, "rejected")  # is asked for: all are made
    assert n_points(layers) == {"kept": 3, "rejected": 12}


def test_outputs_made_in_a_thread_are_those_made_at_once(viewer: Any, layer: Any) -> None:
    at_once = score(viewer, layer).layers
    state = picks_state(layer)
    state.set_labels([0, 4, 14], [1, 3, 2])
    session.session_of(viewer).refresh_later = lambda layer: None
    state.set_threshold(0.6)
    plan = output_layers.plan(viewer, layer)
    _, made = in_a_thread(plan.compute)
    for one in made:
        one.show(viewer, layer)
    shown = {role: looks_of(x) for role, x in at_once.items()}
    viewer.layers.remove(at_once["kept"])
    viewer.layers.remove(at_once["rejected"])
    anew = outputs.refresh(viewer, layer).layers
    assert {role: looks_of(x) for role, x in anew.items()} == shown


def test_a_change_meanwhile_makes_outputs_out_of_date(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    session.session_of(viewer).refresh_later = lambda layer: None
    plan = output_layers.plan(viewer, layer)
    assert plan.is_current
    picks_state(layer).set_labels([0], 1)
    assert not plan.is_current
    outputs.refresh(viewer, layer)
    plan = output_layers.plan(viewer, layer)
    picks_state(layer).set_vocabulary(picks_state(layer).vocabulary.with_names({2: "ice"}))
    assert not plan.is_current


def in_a_thread(compute: Any) -> Any:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(compute).result()


def looks_of(layer: Any) -> tuple[Any, ...]:
    return (
        layer.data.tolist(),
        layer.border_color.tolist(),
        layer.border_width.tolist(),
        [str(symbol) for symbol in layer.symbol],
        layer.features.astype(str).to_numpy().tolist(),
        list(layer.features),
        layer.size.tolist(),
    )
