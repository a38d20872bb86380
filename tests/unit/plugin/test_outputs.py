"""Scores colour the picks and make two more layers; the picks themselves stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari")

from scored_layers import (
    NAMES,
    N,
    P,
    events_of,
    n_points,
    open_with_model,
    predicted,
    score,
    some_model,
    some_picks,
)

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.plugin import (
    actions,
    jobs,
    output_layers,
    outputs,
    session,
    writers,
)
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.scores import Scores, summarise_scores
from napari_pickeroptimizer.plugin.writers import write_points
from napari_pickeroptimizer.prune.events import MicrographScored, PicksScored
from napari_pickeroptimizer.prune.settings import Length, PlaceRules
from napari_pickeroptimizer.reading import (
    group_by_micrograph,
)


@pytest.fixture
def layer(viewer: Any) -> Any:
    return open_with_model(viewer)


def test_saving_a_scored_layer_writes_nothing_that_is_only_shown(
    viewer: Any, tmp_path: Path
) -> None:
    header = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    rows = [f"{name} {50 * i}.0 9.0\n" for name in NAMES for i in range(N)]
    source = tmp_path / "picks.star"
    source.write_text(header + "".join(rows))
    session.session_of(viewer).set_model(some_model())
    layer = actions.open_picks(viewer, source)
    score(viewer, layer)
    assert "predicted" in layer.features  # it is shown
    (path,) = actions.save_picks(layer, tmp_path / "saved.star")
    assert path.read_text() == source.read_text()
    data, attributes, _ = layer.as_layer_data_tuple()
    (written,) = write_points(str(tmp_path / "written.star"), data, attributes)
    assert Path(written).read_text() == source.read_text()


def test_kept_and_rejected_are_layers_and_the_source_stays(viewer: Any, layer: Any) -> None:
    points = layer.data.copy()
    pruned = score(viewer, layer)
    assert n_points(pruned.layers) == {"kept": 9, "rejected": 6}
    assert [x.name for x in viewer.layers] == ["picks", "picks rejected", "picks kept"]
    assert not any(x.visible for x in pruned.layers.values())
    assert layer.visible
    assert viewer.layers.selection.active is layer  # the keys are still its own
    np.testing.assert_array_equal(layer.data, points)
    assert pruned.counts == {1: 9, 2: 6}
    kept = session.picks_of(pruned.layers["kept"])
    assert set(kept.table["decided_by"]) == {"score"}


def test_scores_colour_the_picks_as_they_stream_in(viewer: Any, layer: Any) -> None:
    scores = Scores.begin(session.picks_of(layer), some_model())
    picks_state(layer).begin_scores(scores)
    first, *_ = events_of(P)
    before = layer.border_color.copy()
    outputs.take_scores(viewer, layer, first)
    assert predicted(layer) == [2, 2, 1, 1, 1] + [0] * 10
    assert (layer.border_color[:N] != before[:N]).any(axis=1).all()
    np.testing.assert_array_equal(layer.border_color[N:], before[N:])
    assert (scores.n_done, scores.n_total, scores.complete) == (1, 3, False)
    np.testing.assert_allclose(layer.features["probability"][:N], P[:N])


def test_a_threshold_moves_picks_from_layer_to_layer(viewer: Any, layer: Any) -> None:
    layers = score(viewer, layer).layers
    pruned = outputs.set_threshold(viewer, layer, 0.8)
    assert n_points(pruned.layers) == {"kept": 3, "rejected": 12}
    assert pruned.layers["kept"] is layers["kept"]
    assert predicted(layer) == [2, 2, 2, 2, 1] * 3
    with pytest.raises(SettingsError, match="from 0 to 1"):
        outputs.set_threshold(viewer, layer, 1.2)


def test_a_drag_recolours_what_is_seen_and_the_rest_at_rest(viewer: Any, layer: Any) -> None:
    layers = score(viewer, layer).layers
    waiting: list[Any] = []
    state = session.session_of(viewer)
    state.refresh_later = waiting.append
    viewer.dims.set_point(0, 0)
    picks_state(layer).set_threshold(0.8)
    assert predicted(layer) == [2, 2, 2, 2, 1] + [2, 2, 1, 1, 1] * 2
    assert waiting == [layer]
    assert len(layers["kept"].data) == 9
    viewer.dims.set_point(0, 1)  # another micrograph comes into view
    assert predicted(layer) == [2, 2, 2, 2, 1] * 2 + [2, 2, 1, 1, 1]
    assert picks_state(layer).needs_refresh
    outputs.refresh(viewer, layer)
    assert predicted(layer) == [2, 2, 2, 2, 1] * 3
    assert len(layers["kept"].data) == 3
    assert not picks_state(layer).needs_refresh


def test_labels_win_also_those_given_later_and_undoing_one_gives_the_score_its_say(
    viewer: Any, layer: Any
) -> None:
    actions.label_picks(layer, [0], PARTICLE)
    layers = score(viewer, layer).layers
    assert len(layers["kept"].data) == 10
    actions.label_picks(layer, [4], CONTAMINANT)
    assert n_points(layers) == {"kept": 9, "rejected": 6}
    actions.undo(layer)
    assert n_points(layers) == {"kept": 10, "rejected": 5}
    counts = picks_state(layer).decision.counts(0.5)
    assert (counts.kept, counts.kept_by_label) == (10, 1)


def test_a_label_given_on_an_output_is_the_sources(viewer: Any, layer: Any) -> None:
    layers = score(viewer, layer).layers
    actions.label_picks(layers["kept"], [0], CONTAMINANT)  # pick 2 of the source
    assert session.picks_of(layer).labels[2] == CONTAMINANT
    assert n_points(layers) == {"kept": 8, "rejected": 7}


def test_deleted_outputs_are_made_again_and_renamed_ones_are_found(
    viewer: Any, layer: Any
) -> None:
    layers = score(viewer, layer).layers
    viewer.layers.remove(layers["kept"])
    layers["rejected"].name = "rubbish"
    layer.name = "mine"
    again = outputs.set_threshold(viewer, layer, 0.8).layers
    assert again["rejected"] is layers["rejected"]
    assert again["kept"].name == "mine kept"
    assert len(viewer.layers) == 3


def test_picks_that_could_not_be_scored_are_a_layer_of_their_own(
    viewer: Any, layer: Any
) -> None:
    pruned = score(viewer, layer, failed="b.mrc")
    assert n_points(pruned.layers) == {"kept": 6, "rejected": 4, "unscored": 5}
    assert pruned.failures == {"b.mrc": "it is broken"}


def test_a_new_model_forgets_the_scores_of_the_one_before(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    before = layer.border_color.copy()
    session.session_of(viewer).set_model(some_model())
    assert picks_state(layer).scores is None
    assert set(layer.features["predicted"]) == {"not scored"}
    assert (layer.border_color != before).any()
    with pytest.raises(SettingsError, match="not scored yet"):
        outputs.set_threshold(viewer, layer, 0.5)


def test_a_cancelled_scoring_leaves_the_scores_of_before(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    outputs.set_threshold(viewer, layer, 0.6)
    scores = Scores.begin(session.picks_of(layer), session.session_of(viewer).model)
    before = picks_state(layer).begin_scores(scores)
    assert picks_state(layer).threshold == 0.6
    outputs.take_scores(viewer, layer, events_of(1 - P)[0])
    actions.label_picks(layer, [4], CONTAMINANT)
    jobs.restore_scores(viewer, layer, before)
    assert outputs.scores_of(viewer, layer) is before
    assert predicted(layer) == [2, 2, 2, 1, 1] * 3
    assert (
        len(output_layers.outputs_of(viewer, layer)["kept"].data) == 5
    )  # one is labelled away
    picks_state(layer).begin_scores(scores)
    jobs.restore_scores(viewer, layer, None)
    assert set(layer.features["predicted"]) == {"not scored"}


def test_columns_that_the_file_had_are_there_again_once_scores_are_forgotten(
    viewer: Any,
) -> None:
    session.session_of(viewer).set_model(some_model())
    own = np.linspace(0, 1, 15)
    layer = actions.open_picks(viewer, some_picks().with_columns(probability_1=own))
    score(viewer, layer)
    picks_state(layer).forget_scores()
    picks = session.picks_of(layer)
    np.testing.assert_array_equal(picks.particle_probability, own)
    assert "predicted" not in picks.table


def test_distances_reject_and_follow_labels(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    rules = PlaceRules(min_distance=Length(60, "px"))  # neighbours are 50 px apart
    pruned = outputs.set_place_rules(viewer, layer, rules)
    by = pruned.picks.table["decided_by"].tolist()
    assert by == ["score", "score", "score", "distance", "score"] * 3
    assert len(pruned.layers["kept"].data) == 6  # 0.9 and 0.5 stay, 0.7 goes
    assert predicted(layer) == [2, 2, 1, 2, 1] * 3
    actions.label_picks(layer, [4], CONTAMINANT)  # 0.7 is now the best of the first micrograph
    assert predicted(layer)[:N] == [2, 2, 2, 1, 1]
    assert len(output_layers.outputs_of(viewer, layer)["kept"].data) == 5
    outputs.set_place_rules(viewer, layer, PlaceRules())
    assert len(output_layers.outputs_of(viewer, layer)["kept"].data) == 8


def test_a_pick_that_is_added_after_scoring_is_unscored_until_it_is_labelled(
    viewer: Any, layer: Any
) -> None:
    score(viewer, layer)
    layer.add([1.0, 30.0, 30.0])
    assert len(outputs.scores_of(viewer, layer)) == 16
    layers = output_layers.outputs_of(viewer, layer)
    assert n_points(layers) == {"kept": 9, "rejected": 6, "unscored": 1}
    actions.label_picks(layer, [15], PARTICLE)
    assert n_points(layers)["kept"] == 10
    assert pd.isna(session.picks_of(layer).particle_probability[15])


def test_what_is_shown_is_one_of_three_and_gets_the_keys(viewer: Any, layer: Any) -> None:
    layers = score(viewer, layer).layers
    for shown in ("kept", "rejected", "all"):
        outputs.choose_shown(viewer, layer, shown)
        seen = {"all": layer, **layers}
        assert [role for role, x in seen.items() if x.visible] == [shown]
        assert viewer.layers.selection.active is seen[shown]
        assert outputs.shown_of(viewer, layer) == shown


def test_a_model_without_particles_is_refused() -> None:
    card = ModelCard((2, 3), ("contaminant", "carbon"), "resnet18", BoxSettings(diameter_px=9))
    with pytest.raises(SettingsError, match="has no class 1"):
        Scores.begin(some_picks(), Classifier(None, card))  # type: ignore[arg-type]


def test_a_scored_event_is_what_the_core_would_have_given(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    scores = outputs.scores_of(viewer, layer)
    event = scores.picks_scored(some_picks())
    assert isinstance(event, PicksScored)
    assert event.picks.class_ids == (1, 2, 3)
    np.testing.assert_array_equal(event.picks.particle_probability, P.astype(np.float64))


def test_forgotten_scores_are_gone_from_the_feature_table(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    picks_state(layer).forget_scores()
    assert set(layer.features["predicted"]) == {"not scored"}
    assert layer.features["probability"].isna().all()


def test_saving_scored_picks_writes_no_column_of_the_display(
    viewer: Any, project: Any, tmp_path: Any
) -> None:
    layer = actions.open_picks(viewer, project / "picks.star")
    text = (project / "picks.star").read_text()
    scores = Scores.begin(session.picks_of(layer), some_model())
    state = picks_state(layer)
    state.begin_scores(scores)
    for group in group_by_micrograph(Micrographs.named(scores.names), state.picks):
        p = np.full((len(group.rows), 3), [0.8, 0.1, 0.1], dtype=np.float32)
        outputs.take_scores(viewer, layer, MicrographScored(group, p, 0, 1, 3))
    summary = summarise_scores(scores.card, scores.picks_scored(state.picks))
    outputs.take_scores(viewer, layer, summary)
    assert predicted(layer) == [1] * 4  # the feature table shows them
    assert layer.features["probability"].notna().all()
    (saved,) = actions.save_picks(layer, tmp_path / "saved.star")
    assert saved.read_text() == text
    data, attributes, _ = layer.as_layer_data_tuple()
    writers.write_points(str(tmp_path / "again.star"), data, attributes)
    assert (tmp_path / "again.star").read_text() == text


@pytest.mark.parametrize("threshold", [0.7, 0.3, float(np.float32(0.7))])
def test_a_score_of_nearly_the_threshold_is_on_one_side_everywhere(
    viewer: Any, layer: Any, threshold: float
) -> None:
    t = np.float32(threshold)
    below, above = np.nextafter(t, np.float32(0)), np.nextafter(t, np.float32(1))
    p = np.resize(np.array([t, below, above], dtype=np.float32), 15)
    score(viewer, layer, p)
    made = outputs.set_threshold(viewer, layer, threshold)
    is_kept = p.astype(np.float64) >= threshold
    state = picks_state(layer)
    counts = state.decision.by_micrograph(threshold).n_kept
    colours = state.vocabulary.palette_rgba[np.where(is_kept, PARTICLE, CONTAMINANT)]
    np.testing.assert_allclose(layer.border_color, colours, atol=1e-6)
    assert predicted(layer) == np.where(is_kept, PARTICLE, CONTAMINANT).tolist()
    np.testing.assert_array_equal(
        picks_state(made.layers["kept"]).rows, np.flatnonzero(is_kept)
    )
    np.testing.assert_array_equal(
        picks_state(made.layers["rejected"]).rows, np.flatnonzero(~is_kept)
    )
    np.testing.assert_array_equal(counts, is_kept.reshape(3, N).sum(axis=1))
    np.testing.assert_array_equal(made.picks.table["predicted"] == PARTICLE, is_kept)


def test_a_cancelled_scoring_gives_the_distances_back_too(viewer: Any, layer: Any) -> None:
    score(viewer, layer)
    outputs.set_place_rules(viewer, layer, PlaceRules(min_distance=Length(60, "px")))
    shown = predicted(layer)
    scores = Scores.begin(session.picks_of(layer), session.session_of(viewer).model)
    before = picks_state(layer).begin_scores(scores)
    outputs.take_scores(viewer, layer, events_of(1 - P)[0])
    jobs.restore_scores(viewer, layer, before)
    assert predicted(layer) == shown


def test_that_picks_are_in_another_frame_is_a_warning_in_napari(
    viewer: Any, layer: Any
) -> None:
    doubt = OtherFrameFits("with x and y swapped", "swap x and y", -2.0, 0.0, 30.0, 500, 6)
    with pytest.warns(UserWarning, match="over 500 picks on 6 micrographs"):
        outputs.take_scores(viewer, layer, doubt)
