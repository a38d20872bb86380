"""A Points layer that the user makes in a real napari: clicked, chosen, labelled, saved."""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"
PIXEL_SIZE_ANG = 1.8
CLICKED = np.array([[0, 1000.0, 2000.0], [1, 30.5, 1.0], [1, 610.25, 3070.0]])


@pytest.fixture
def stack(viewer, tmp_path, request):
    """Return micrographs that napari shows binned by two, opened as by File > Open."""
    folder = tmp_path / "Micrographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        with mrcfile.new(folder / f"m{i}.mrc") as mrc:
            mrc.set_data(rng.normal(i, size=(1024, 3072)).astype(np.float32))
            mrc.voxel_size = PIXEL_SIZE_ANG
    (layer,) = viewer.open(str(folder), plugin=PLUGIN)
    assert layer.metadata["pickeroptimizer"].binning > 1
    return layer


@pytest.fixture
def own(viewer, stack):
    """Return the layer that napari's button for new points makes, clicked by its tool."""
    names = ("scale", "translate", "units", "axis_labels")
    layer = viewer.add_points(ndim=3, **{n: getattr(stack, n) for n in names})
    click(layer, CLICKED)
    return layer


def click(layer, pixels):
    for index, y, x in pixels:
        world = (index, y * PIXEL_SIZE_ANG, x * PIXEL_SIZE_ANG)  # the stack was not moved
        layer.add(layer.world_to_data(world))


def assert_saved(path, pixels=CLICKED):
    from napari_pickeroptimizer import read_picks

    table = read_picks(path).table
    assert table["micrograph"].tolist() == [f"m{int(i)}.mrc" for i in pixels[:, 0]]
    np.testing.assert_allclose(table[["y", "x"]], pixels[:, 1:], atol=1e-3)


@pytest.mark.parametrize("name", ["Points", "junk"])
def test_file_save_writes_the_pixels_that_were_clicked(own, tmp_path, name):
    from napari_pickeroptimizer import read_picks

    own.name = name
    before = own.data.copy()
    output = tmp_path / "clicked.star"
    assert own.save(str(output), plugin=PLUGIN) == [str(output)]
    assert_saved(output)
    label = CONTAMINANT if name == "junk" else 0
    assert read_picks(output).labels.tolist() == [label] * 3
    np.testing.assert_array_equal(own.data, before)  # saving changes nothing


def test_file_save_of_points_in_another_frame_than_the_micrographs_is_refused(
    viewer, stack, tmp_path
):
    from napari_pickeroptimizer.errors import PickerOptimizerError

    layer = viewer.add_points(CLICKED, units=("pixel", "s", "s"), name="odd")
    with pytest.raises(PickerOptimizerError, match="'odd' is in"):
        layer.save(str(tmp_path / "odd.star"), plugin=PLUGIN)
    assert not (tmp_path / "odd.star").exists()


def test_a_chosen_layer_is_labelled_by_key_clicked_further_and_saved(
    viewer, stack, own, qtbot, tmp_path
):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    from napari_pickeroptimizer import plugin, read_picks

    plugin.session_of(viewer).choose(picks_layer=own, stack_layer=stack)
    viewer.layers.selection.active = own
    canvas = next(
        w for w in QApplication.allWidgets() if type(w).__name__.startswith("CanvasBackend")
    )
    own.mode = "select"
    viewer.dims.set_current_step(0, 1)
    for row, key in ((1, Qt.Key.Key_K), (2, Qt.Key.Key_C)):
        own.selected_data = {row}
        qtbot.keyClick(canvas, key)
    later = np.array([[1, 500.0, 700.0]])
    click(own, later)
    output = tmp_path / "chosen.star"
    assert own.save(str(output), plugin=PLUGIN) == [str(output)]
    assert_saved(output, np.vstack([CLICKED, later]))
    assert read_picks(output).labels.tolist() == [0, PARTICLE, CARBON, 0]


def test_two_functions_learn_from_and_prune_an_own_layer(viewer, stack, untrained_model):
    from napari_pickeroptimizer import plugin

    names = ("scale", "translate", "units")
    layer = viewer.add_points(ndim=3, **{n: getattr(stack, n) for n in names})
    inside = np.array([[0, 500.0, 600.0], [1, 300.0, 800.0]])
    click(layer, inside)
    kept, rejected = plugin.apply_model(stack, layer, untrained_model, device="cpu")
    table = plugin.picks_of(layer).table
    np.testing.assert_allclose(table[["y", "x"]], inside[:, 1:], atol=1e-6)
    shown = np.vstack([kept.data, rejected.data])
    np.testing.assert_allclose(shown[np.argsort(shown[:, 0])], inside, atol=1e-6)
    np.testing.assert_allclose(kept.scale, layer.scale)


def test_the_learn_page_tells_of_own_layers_as_they_are_clicked_hidden_and_renamed(
    viewer, stack
):
    _, page = viewer.window.add_plugin_dock_widget(PLUGIN, "Learn")
    names = ("scale", "translate", "units", "axis_labels")
    placed = {n: getattr(stack, n) for n in names}
    particles = viewer.add_points(ndim=3, name="particles", **placed)
    click(particles, CLICKED)
    assert "Label some false picks too" in page.status.text()
    assert not page.start.isEnabled()
    junk = viewer.add_points(ndim=3, name="Points", **placed)
    click(junk, CLICKED[:2] + [0, 20, 30])
    junk.name = "junk"
    page.diameter.number.value = 100
    expected = "Ready: 3 particles, 2 contaminants, from layers particles, junk."
    assert page.status.text() == expected
    assert page.start.isEnabled()
    junk.visible = False
    assert "Label some false picks too" in page.status.text()
