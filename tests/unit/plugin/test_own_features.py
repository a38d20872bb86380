"""What users tell of their own points in further features is kept and written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import starfile

pytest.importorskip("napari")

from napari_pickeroptimizer import plugin
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.plugin import actions, session, writers
from napari_pickeroptimizer.plugin.layer_state import picks_state

POINTS = np.array([[0, 10.0, 20.0], [1, 30.0, 40.0], [2, 50.0, 60.0]])
FEATURES = {
    "quality": [0.25, 1e-9, np.nan],
    "rank": [3, 1, 2],
    "is_good": [True, False, True],
    "seen by": ["A. Person", "", "someone # else"],
    "kind": pd.Categorical(["a", "b", "a"]),
}
WRITTEN = {
    "quality": [0.25, 1e-9, np.nan],
    "rank": [3, 1, 2],
    "is_good": [1, 0, 1],
    "seen_by": ["A. Person", "", "someone # else"],
    "kind": ["a", "b", "a"],
}


@pytest.fixture
def own(viewer, project):
    """Return a layer that the user made, with features of its own."""
    stack = actions.open_micrographs(viewer, project / "Micrographs")
    placed = {n: getattr(stack, n) for n in ("scale", "translate", "units")}
    return viewer.add_points(POINTS, features=FEATURES, name="mine", **placed)


def assert_written(path, rows=slice(None)):
    table = starfile.read(path)
    for name, values in WRITTEN.items():
        expected = np.asarray(values)[rows].tolist()
        found = table[name].tolist()
        if name == "quality":
            np.testing.assert_array_equal(found, expected)
        else:
            assert ["" if v != v else v for v in found] == expected, name


@pytest.mark.parametrize("chosen", [False, True])
def test_each_feature_is_a_column_of_the_star(viewer, own, tmp_path, monkeypatch, chosen):
    monkeypatch.setattr(writers, "asking_viewer", lambda: viewer)  # there is no window
    if chosen:
        session.adopt_layer(viewer, own)
    data, attributes, _ = own.as_layer_data_tuple()
    (path,) = writers.write_points(str(tmp_path / "saved.star"), data, attributes)
    assert_written(path)


def test_they_stay_with_their_points_through_labels_undo_and_selection(viewer, own, tmp_path):
    session.adopt_layer(viewer, own)
    actions.label_picks(own, [1], PARTICLE)
    actions.undo(own)
    actions.label_picks(own, [2], PARTICLE)
    picks = plugin.picks_of(own)
    kept = picks.select(np.array([2, 0]))
    (path,) = writers.write_part(kept, tmp_path / "kept.star")
    assert_written(path, [2, 0])


def test_they_are_shown_and_can_be_edited(viewer, own):
    session.adopt_layer(viewer, own)
    assert set(WRITTEN) <= set(own.features)
    own.features.loc[1, "seen_by"] = "me"
    own.features["later"] = [1.5, 2.5, 3.5]
    own.events.features()
    plugin.label_picks(own, [0], PARTICLE)  # draws the layer anew
    own.refresh()
    table = picks_state(own).picks.table
    assert table["feature_seen_by"].tolist() == ["A. Person", "me", "someone # else"]
    assert table["feature_later"].tolist() == [1.5, 2.5, 3.5]


def test_a_point_that_is_added_has_its_own(viewer, own, tmp_path):
    session.adopt_layer(viewer, own)
    own.feature_defaults = own.feature_defaults.assign(rank=7, seen_by="later")
    own.add([0.0, 5.0, 6.0])
    table = plugin.picks_of(own).table
    assert table["feature_rank"].tolist() == [3, 1, 2, 7]
    assert table["feature_seen_by"].tolist()[-1] == "later"
    written = plugin.save_picks(own, tmp_path / "saved.star")
    assert len(starfile.read(written[0])) == 4


@pytest.mark.parametrize("name", ["probability", "_hidden", "#1", "rlnCoordinateX", " "])
def test_a_feature_that_cannot_be_kept_is_told(viewer, own, tmp_path, name):
    own.features = {name: [1, 2, 3], "rank": [3, 1, 2]}
    session.adopt_layer(viewer, own)
    assert f"Not kept: the features {name!r}, whose names" in viewer.status
    (path,) = plugin.save_picks(own, tmp_path / "saved.star")
    assert starfile.read(path)["rank"].tolist() == [3, 1, 2]


def test_picks_of_a_file_have_the_columns_of_the_file_only(layer, tmp_path):
    layer.features = layer.features.assign(mine=[1, 2, 3, 4])
    (path,) = plugin.save_picks(layer, tmp_path / "saved.star")
    assert list(starfile.read(path)) == list(starfile.read(tmp_path / "picks.star"))
