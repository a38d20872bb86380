"""Layers to files: lossless, whole, and never over what was read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer import read_picks
from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.plugin import actions
from napari_pickeroptimizer.plugin.writers import write_layers, write_points

IMAGE = (np.zeros((2, 4, 4)), {"name": "micrographs"}, "image")


@pytest.fixture
def layer(layer):
    layer.name = "my picks"
    return layer


def data_of(layer):
    return layer.as_layer_data_tuple()


def test_the_input_comes_back_with_its_columns_and_the_labels(layer, tmp_path):
    actions.label_picks(layer, [0, 2], [1, 3])
    data, attributes, _ = data_of(layer)
    (path,) = write_points(str(tmp_path / "out.star"), data, attributes)
    text = (tmp_path / "out.star").read_text()
    assert "_rlnSomethingOfTheirs" in text
    assert "10.50  20.25  first" in text
    assert read_picks(path).labels.tolist() == [1, 0, 3, 0]


def test_what_was_read_is_never_written_over(layer, project):
    before = (project / "picks.star").read_text()
    data, attributes, _ = data_of(layer)
    with pytest.raises(PickFormatError, match="one of the files"):
        write_points(str(project / "picks.star"), data, attributes)
    assert (project / "picks.star").read_text() == before


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".box", "10\t20\t8\t8\n30\t40\t8\t8\n"),
        (".csv", "x,y,theirs\n14.0,24.0,a\n34.0,44.0,b\n"),
    ],
)
def test_other_formats_come_back_as_they_were_or_as_star(viewer, tmp_path, suffix, text):
    source = tmp_path / f"m0{suffix}"
    source.write_text(text)
    layer = actions.open_picks(viewer, source)
    data, attributes, _ = data_of(layer)
    (path,) = write_points(str(tmp_path / f"out{suffix}"), data, attributes)
    first = next(line for line in text.splitlines() if line[0].isdigit())
    assert first in (tmp_path / f"out{suffix}").read_text()
    assert np.array_equal(read_picks(path).coords_yx_px(), read_picks(source).coords_yx_px())
    (path,) = write_points(str(tmp_path / "out.star"), data, attributes)
    assert np.array_equal(read_picks(path).coords_yx_px(), read_picks(source).coords_yx_px())
    other = ".csv" if suffix == ".box" else ".box"
    with pytest.raises(PickFormatError, match="give a name ending in"):
        write_points(str(tmp_path / f"out2{other}"), data, attributes)
    assert not (tmp_path / f"out2{other}").exists()


def test_a_tree_of_files_becomes_one_star(viewer, tmp_path):
    (tmp_path / "boxes").mkdir()
    for i in range(2):
        (tmp_path / "boxes" / f"m{i}.box").write_text(f"{i}\t20\t8\t8\n")
    layer = actions.open_picks(viewer, tmp_path / "boxes")
    data, attributes, _ = data_of(layer)
    (path,) = write_points(str(tmp_path / "all.star"), data, attributes)
    assert read_picks(path).table["x"].tolist() == [4.0, 5.0]


def test_all_layers_at_once_the_picks_are_written_and_the_rest_is_named(layer, tmp_path):
    shapes = (np.zeros((4, 2)), {"name": "drawing"}, "shapes")
    labels = (np.zeros((4, 4), int), {"name": "mask"}, "labels")
    with pytest.warns(UserWarning, match="micrographs, drawing, mask not written"):
        (path,) = write_layers(
            str(tmp_path / "all.star"), [IMAGE, shapes, labels, data_of(layer)]
        )
    assert path == str(tmp_path / "all.star")
    assert len(read_picks(path)) == 4


def test_several_layers_are_several_files_also_of_one_name(layer, tmp_path):
    one, two = data_of(layer), data_of(layer)
    other = (two[0], {**two[1], "name": "a/b kept"}, "points")
    written = write_layers(str(tmp_path / "all.star"), [one, two, other])
    names = ["all_my_picks.star", "all_my_picks_2.star", "all_a_b_kept.star"]
    assert written == [str(tmp_path / name) for name in names]


def test_points_of_nobody_do_not_keep_the_picks_from_being_saved(layer, tmp_path):
    foreign = (np.zeros((2, 2)), {"name": "clicks", "features": pd.DataFrame()}, "points")
    with pytest.warns(UserWarning, match="clicks .*does not tell the micrographs"):
        (path,) = write_layers(str(tmp_path / "all.star"), [foreign, data_of(layer)])
    assert len(read_picks(path)) == 4
    with pytest.raises(PickFormatError, match="no picks to write"):
        write_layers(str(tmp_path / "none.star"), [foreign, IMAGE])
    assert not (tmp_path / "none.star").exists()


def test_points_that_tell_their_micrograph_are_picks(tmp_path):
    features = pd.DataFrame({"micrograph": ["a.mrc", "b.mrc"]})
    points = np.array([[0, 2.0, 1.0], [1, 4.0, 3.0]])
    (path,) = write_points(str(tmp_path / "p.star"), points, {"features": features})
    picks = read_picks(path)
    assert picks.table["micrograph"].tolist() == ["a.mrc", "b.mrc"]
    assert picks.coords_yx_px().tolist() == [[2.0, 1.0], [4.0, 3.0]]


def test_a_file_that_cannot_be_written_leaves_the_old_one(layer, tmp_path, monkeypatch):
    from napari_pickeroptimizer.io import atomic

    target = tmp_path / "out.star"
    target.write_text("old")

    def full(*_arguments, **_named):
        raise OSError("no space left on device")

    data, attributes, _ = data_of(layer)
    monkeypatch.setattr(atomic.Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_points(str(target), data, attributes)
    assert target.read_text() == "old"
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".out")] == []
