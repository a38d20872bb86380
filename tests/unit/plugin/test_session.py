"""A session on a viewer: whichever way layers come, picks are right, labelled, never lost."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.painting import LABEL_WIDTH
from napari_pickeroptimizer.plugin.transforms import show_slice

SLICES = [2, 2, 0, 1]


@pytest.mark.parametrize("picks_first", [False, True])
def test_picks_are_on_their_micrographs_slice_in_either_order(viewer, project, picks_first):
    if picks_first:
        layer = actions.open_picks(viewer, project / "picks.star")
        stack = actions.open_micrographs(viewer, project / "Micrographs")
    else:
        stack = actions.open_micrographs(viewer, project / "Micrographs")
        layer = actions.open_picks(viewer, project / "picks.star")
    assert layer.data[:, 0].tolist() == SLICES
    assert layer.units == stack.units
    np.testing.assert_allclose(layer.scale, [1, 2, 2])
    assert viewer.layers.index(layer) > viewer.layers.index(stack)


def test_picks_of_other_micrographs_are_told(viewer, project, tmp_path):
    actions.open_micrographs(viewer, project / "Micrographs")
    with pytest.warns(UserWarning, match="none of the micrographs"):
        actions.open_picks(viewer, _star(tmp_path, "elsewhere.mrc"))


def test_a_key_labels_the_selected_picks(viewer, layer):
    show_slice(viewer, SLICES[0])
    layer.selected_data = {0, 1}
    _press(layer, "C")
    assert session.picks_of(layer).labels.tolist() == [CARBON, CARBON, UNLABELLED, UNLABELLED]
    assert layer.features["label"].tolist()[:2] == ["carbon", "carbon"]
    assert layer.border_width[0] == LABEL_WIDTH
    _press(layer, "U")
    assert not session.picks_of(layer).labels.any()


@pytest.mark.parametrize("key", ["1", "Delete", "Backspace", "J"])
def test_the_keys_that_delete_in_napari_reject_here(viewer, layer, key):
    show_slice(viewer, SLICES[1])
    layer.selected_data = {1}
    _press(layer, key)
    assert len(layer.data) == 4
    assert session.picks_of(layer).labels.tolist() == [0, CONTAMINANT, 0, 0]


def test_points_removed_by_a_button_come_back_rejected(layer):
    before = layer.data.copy()
    layer.selected_data = {0, 3}
    layer.remove_selected()
    np.testing.assert_array_equal(layer.data, before)
    assert session.picks_of(layer).labels.tolist() == [CONTAMINANT, 0, 0, CONTAMINANT]


def test_a_point_of_ones_own_is_moved_deleted_and_undone_as_in_any_layer(layer):
    layer.add([1, 11, 22])
    layer.selected_data = {4}
    moved = layer.data.copy()
    moved[[0, 4], 1:] += 5
    layer.data = moved
    assert layer.data[4].tolist() == [1, 16, 27]
    assert layer.data[0].tolist() != moved[0].tolist()  # the picker's pick is where it was
    layer.selected_data = {0, 4}
    layer.remove_selected()
    assert len(layer.data) == len(session.picks_of(layer)) == 4
    assert session.picks_of(layer).labels.tolist() == [CONTAMINANT, 0, 0, 0]
    for n, y in ((5, 16), (5, 11), (4, None)):  # deleted, moved, added
        assert actions.undo(layer)
        assert len(layer.data) == n
        assert y is None or layer.data[4, 1] == y
    assert not session.picks_of(layer).labels.any()


def test_all_points_removed_come_back(layer):
    layer.data = np.zeros((0, 3))
    assert len(layer.data) == 4


def test_a_dragged_point_goes_back_to_where_the_picker_put_it(layer):
    before = layer.data.copy()
    layer.data = np.add(before, [0, 5, 5])
    np.testing.assert_array_equal(layer.data, before)


def test_an_added_point_is_a_new_pick(layer):
    layer.add([1, 11, 22])
    table = session.picks_of(layer).table
    assert table.iloc[4][["micrograph", "x", "y"]].tolist() == ["Micrographs/m1.mrc", 22, 11]
    assert layer.features["pick_id"].tolist() == [0, 1, 2, 3, 4]


def test_a_label_typed_into_the_feature_table_counts(layer):
    features = layer.features.copy()
    features.loc[3, "label"] = "carbon"
    layer.features = features
    assert session.picks_of(layer).labels[3] == CARBON
    assert layer.border_width[3] == LABEL_WIDTH


def test_an_unknown_label_typed_there_is_refused_and_taken_back(layer):
    features = layer.features.astype({"label": object})
    features.loc[3, "label"] = "rubbish"
    with pytest.warns(UserWarning, match="no class"):
        layer.features = features
    assert layer.features["label"][3] == "unlabelled"


def test_labels_changed_is_told_once_a_key(viewer, layer):
    told = []
    session.session_of(viewer).labels_changed.connect(
        lambda layer, rows: told.append((layer, rows.tolist()))
    )
    show_slice(viewer, SLICES[0])
    layer.selected_data = {0}
    _press(layer, "K")
    assert told == [(layer, [0])]


def test_a_duplicated_layer_is_labelled_by_itself(viewer, layer):
    data, attributes, _ = layer.as_layer_data_tuple()
    copy = viewer.add_points(data, **{**attributes, "name": "copy"})
    actions.label_picks(copy, [0], PARTICLE)
    assert session.picks_of(copy).labels[0] == PARTICLE
    assert session.picks_of(layer).labels[0] == UNLABELLED


def test_foreign_points_are_taken_on(viewer, project):
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = viewer.add_points(np.array([[1, 5, 6]]), size=9)
    session.adopt_layer(viewer, layer)
    assert session.picks_of(layer).table["micrograph"].tolist() == ["m1.mrc"]
    assert picks_state(layer).diameter_px == 9


def test_labels_of_another_file_are_taken(layer, tmp_path):
    assert actions.take_labels(layer, _star(tmp_path, "Micrographs/m0.mrc", 50, 60, 2)) == 1
    assert session.picks_of(layer).labels.tolist() == [0, 0, CONTAMINANT, 0]


def test_saving_keeps_the_text_of_the_file(layer, tmp_path):
    output = tmp_path / "saved.star"
    actions.save_picks(layer, output)
    assert output.read_text() == (tmp_path / "picks.star").read_text()


def _press(layer, key: str) -> None:
    """Call what is bound to a key on the layer instance."""
    bound = {str(k): callback for k, callback in layer.keymap.items()}
    bound[key](layer)


def _star(folder, micrograph: str, x: float = 1, y: float = 1, label: int = 1):
    path = folder / "other.star"
    path.write_text(
        "\ndata_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        f"_rlnCoordinateY #3\n_rlnParticleSelectionType #4\n{micrograph} {x} {y} {label}\n"
    )
    return path
