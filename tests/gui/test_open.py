"""Dropping files of any kind on a real viewer."""

from __future__ import annotations

import shutil

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.plugin.matching import missing_micrographs

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture(autouse=True)
def _own_journal(tmp_path, monkeypatch):
    monkeypatch.setenv("PICKEROPTIMIZER_STATE", str(tmp_path / "state"))


def write_mrc(path, value=0.0, pixel_size_ang=2.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.full((40, 48), value, dtype=np.float32))
        mrc.voxel_size = pixel_size_ang
    return str(path)


def slices(layer):
    return layer.data[:, 0].astype(int).tolist()


def test_a_star_opened_alone_brings_its_micrographs(viewer, project, picks_star):
    viewer.open(str(picks_star), plugin=PLUGIN)
    stack, points = viewer.layers
    assert (stack.name, points.name) == ("Micrographs", "picks")
    names = stack.metadata["pickeroptimizer"].micrographs.names
    table = points.metadata["pickeroptimizer"].picks.table
    assert [names[z] for z in slices(points)] == table["micrograph"].tolist()
    assert points.units == stack.units
    assert missing_micrographs(viewer, points) == {}
    assert viewer.layers.index(points) > viewer.layers.index(stack)


def test_the_next_picks_use_the_open_micrographs(viewer, project, picks_star):
    viewer.open(str(picks_star), plugin=PLUGIN)
    viewer.open(str(project / "labels.star"), plugin=PLUGIN)
    kinds = [type(layer).__name__ for layer in viewer.layers]
    assert kinds == ["Image", "Points", "Points"]


def test_picks_and_some_of_their_micrographs(viewer, project, picks_star, tmp_path):
    here = tmp_path / "copy"
    shutil.copytree(project / "Micrographs", here / "Micrographs")
    gone = sorted((here / "Micrographs").glob("*.mrc"))[1]
    gone.unlink()
    star = here / "picks.star"
    shutil.copy(picks_star, star)
    with pytest.warns(UserWarning, match="1 of 3 micrographs of these picks are not in"):
        viewer.open(str(star), plugin=PLUGIN)
    stack, points = viewer.layers
    assert len(stack.data) == 2
    missing = missing_micrographs(viewer, points)
    assert [name.rpartition("/")[2] for name in missing] == [gone.name]
    assert "no such file" in next(iter(missing.values()))
    assert set(slices(points)) == {0, 1, 2}  # those without an image come behind


def test_picks_without_any_micrograph_are_told_and_can_be_helped(viewer, picks_star, tmp_path):
    star = tmp_path / "deep" / "down" / "picks.star"
    star.parent.mkdir(parents=True)
    shutil.copy(picks_star, star)
    with pytest.warns(UserWarning, match="were not found"):
        (points,) = viewer.open(str(star), plugin=PLUGIN)
    assert len(missing_micrographs(viewer, points)) == 3
    viewer.open(str(picks_star.parents[2] / "Micrographs"), plugin=PLUGIN)
    assert missing_micrographs(viewer, points) == {}
    assert points.units == viewer.layers["Micrographs"].units


def test_dropped_micrographs_of_a_folder_are_one_stack(viewer, tmp_path):
    files = [write_mrc(tmp_path / "mics" / f"m{i}.mrc", i) for i in range(12)]
    viewer.open(files, plugin=PLUGIN)
    (stack,) = viewer.layers
    assert stack.name == "mics"
    assert stack.data.shape == (12, 40, 48)
    assert viewer.dims.nsteps[0] == 12
    assert [float(np.asarray(stack.data[i]).mean()) for i in (0, 5, 11)] == [0, 5, 11]
    viewer.open(files[:3], plugin=PLUGIN)  # once more: nothing is added twice
    assert len(viewer.layers) == 1
    assert len(stack.data) == 12


def test_micrographs_that_are_dropped_after_picks_get_them(viewer, tmp_path):
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.plugin import actions

    files = [write_mrc(tmp_path / "mics" / f"m{i}.mrc", i) for i in range(3)]
    picks = Picks.from_arrays(["m2.mrc", "m0.mrc", "m1.mrc"], x=[1, 2, 3], y=[4, 5, 6])
    points = actions.open_picks(viewer, picks)
    with pytest.warns(UserWarning, match="not in the opened ones"):
        viewer.open(files, plugin=PLUGIN)
    assert slices(points) == [2, 0, 1]
    assert missing_micrographs(viewer, points) == {}


def test_picks_stay_selected_when_their_folder_is_opened_after_them(
    viewer, project, picks_star, qtbot, tmp_path
):
    star = tmp_path / "elsewhere" / "picks.star"
    star.parent.mkdir()
    shutil.copy(picks_star, star)
    with pytest.warns(UserWarning, match="were not found"):
        viewer.open(str(star), plugin=PLUGIN)
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    selection = viewer.layers.selection
    qtbot.waitUntil(lambda: selection.active.name == "picks", timeout=5000)
    selection.active = viewer.layers["Micrographs"]  # by the user, later
    qtbot.wait(50)
    assert selection.active.name == "Micrographs"


def test_files_of_other_folders_or_pixel_sizes_are_stacks_of_their_own(viewer, tmp_path):
    files = [
        write_mrc(tmp_path / "one" / "a.mrc"),
        write_mrc(tmp_path / "two" / "a.mrc"),
        write_mrc(tmp_path / "two" / "b.mrc", pixel_size_ang=3.0),
    ]
    viewer.open(files, plugin=PLUGIN)
    assert len(viewer.layers) == 3


def test_a_list_as_a_stack_is_one_layer(viewer, tmp_path):
    files = [write_mrc(tmp_path / f"m{i}.mrc", i) for i in range(3)]
    viewer.open(files, stack=True, plugin=PLUGIN)
    assert [layer.data.shape[0] for layer in viewer.layers] == [3]


def test_a_folder_of_boxes_and_of_both(viewer, tmp_path):
    for i in range(2):
        write_mrc(tmp_path / "mics" / f"m{i}.mrc", i)
        (tmp_path / "boxes").mkdir(exist_ok=True)
        (tmp_path / "boxes" / f"m{i}.box").write_text("10 20 8 8\n")
    viewer.open(str(tmp_path / "boxes"), plugin=PLUGIN)
    assert [layer.name for layer in viewer.layers] == ["mics", "boxes"]
    viewer.layers.clear()
    for file in (tmp_path / "boxes").glob("*.box"):
        shutil.copy(file, tmp_path / "mics")
    viewer.open(str(tmp_path / "mics"), plugin=PLUGIN)
    assert [layer.name for layer in viewer.layers] == ["mics", "mics boxes"]
    assert slices(viewer.layers[1]) == [0, 1]


def test_a_glob_is_read_by_those_who_may_pass_one(tmp_path):
    from napari_pickeroptimizer.plugin.readers import (
        get_micrographs_reader,
        get_picks_reader,
    )

    for i in range(3):
        write_mrc(tmp_path / f"m{i}.mrc", i)
        (tmp_path / f"m{i}.box").write_text("10 20 8 8\n")
    (stack,) = get_micrographs_reader(str(tmp_path / "*.mrc"))(str(tmp_path / "*.mrc"))
    assert stack[0].shape[0] == 3
    layers = get_picks_reader(str(tmp_path / "*.box"))(str(tmp_path / "*.box"))
    assert [kind for _, _, kind in layers] == ["image", "points"]
    assert get_micrographs_reader(str(tmp_path / "*.nothing")) is None


def test_a_damaged_star_is_refused_in_words(viewer, tmp_path):
    star = tmp_path / "bad.star"
    star.write_text(
        "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        "a.mrc one 2\n"
    )
    with pytest.raises(Exception, match=r"bad\.star"):
        viewer.open(str(star), plugin=PLUGIN)
    assert not len(viewer.layers)


def test_ragged_micrographs_share_a_canvas(viewer, tmp_path):
    write_mrc(tmp_path / "a.mrc", 1)
    with mrcfile.new(tmp_path / "b.mrc") as mrc:
        mrc.set_data(np.full((60, 20), 2, dtype=np.float32))
        mrc.voxel_size = 2.0
    viewer.open(str(tmp_path), plugin=PLUGIN)
    (stack,) = viewer.layers
    assert stack.data.shape == (2, 60, 48)
    viewer.dims.set_current_step(0, 1)
    assert viewer.layers[0].get_value((1, 10, 10), world=False) == 2
