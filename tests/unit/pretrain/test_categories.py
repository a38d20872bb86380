"""Folders are categories, files are entries; an entry can be left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import BoxSetError, LabelError
from napari_pickeroptimizer.pretrain.categories import read_categories
from napari_pickeroptimizer.pretrain.write import write_windows


def test_folders_are_categories_and_their_prefix_is_the_class(disc_set: Path) -> None:
    categories = read_categories(disc_set)
    assert categories.classes == {
        "carbon_noise": "carbon",
        "contaminant_bright": "contaminant",
        "particle_dark": "particle",
    }
    assert categories.class_ids == (3, 2, 1)
    assert categories.entries == ("first", "second-1", "second-2")
    assert set(categories.counts.values()) == {60}
    assert len(categories) == 180
    assert categories.side == 82


def test_any_other_prefix_is_a_category_without_class(tmp_path: Path) -> None:
    for name in ("ice", "particle", "particles_a"):
        write_windows(tmp_path / name / "a.mrcs", np.zeros((1, 82, 82)))
    assert read_categories(tmp_path).classes == {
        "ice": None,
        "particle": "particle",
        "particles_a": None,
    }


def test_rows_are_drawn_in_the_asked_order_across_files(tmp_path: Path) -> None:
    for i, name in enumerate(("a/x.mrcs", "a/y.mrcs", "b/x.mrcs")):
        values = np.arange(3)[:, None, None] + 10.0 * i - 5
        write_windows(tmp_path / name, np.broadcast_to(values, (3, 82, 82)))
    categories = read_categories(tmp_path)
    rows = np.array([8, 0, 4, 4])
    windows = categories.draw(rows)
    assert windows.pixels.shape == (4, 1, 82, 82)
    assert windows.pixels[:, 0, 0, 0].tolist() == [17, -5, 6, 6]
    assert categories.targets[rows].tolist() == [1, 0, 0, 0]


def test_an_entry_is_left_out_by_its_stem_or_by_what_precedes_a_dash(disc_set: Path) -> None:
    one = read_categories(disc_set, ["second-1"])
    assert (one.entries, one.left_out) == (("first", "second-2"), ("second-1",))
    both = read_categories(disc_set, ["second"])
    assert (both.entries, both.left_out) == (("first",), ("second-1", "second-2"))


def test_an_unknown_entry_is_an_error_that_lists_them(disc_set: Path) -> None:
    with pytest.raises(BoxSetError, match="--leave-out sec: .* first, second-1, second-2"):
        read_categories(disc_set, ["sec"])


def test_a_category_that_is_left_out_as_a_whole_is_gone(
    disc_set: Path, tmp_path: Path
) -> None:
    shutil.copytree(disc_set, tmp_path / "set")
    write_windows(tmp_path / "set" / "carbon_other" / "other.mrcs", np.zeros((2, 82, 82)))
    assert "carbon_other" in read_categories(tmp_path / "set").names
    assert "carbon_other" not in read_categories(tmp_path / "set", ["other"]).names


def test_one_category_is_nothing_to_learn_from(tmp_path: Path) -> None:
    write_windows(tmp_path / "particle_a" / "a.mrcs", np.zeros((1, 82, 82)))
    with pytest.raises(LabelError, match=r"1 categories of boxes \(particle_a\)"):
        read_categories(tmp_path)
    write_windows(tmp_path / "carbon_b" / "b.mrcs", np.zeros((1, 82, 82)))
    with pytest.raises(LabelError, match="1 categories of boxes once b is left out"):
        read_categories(tmp_path, ["b"])


def test_a_folder_that_is_missing_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(BoxSetError, match="nowhere is not a folder"):
        read_categories(tmp_path / "nowhere")
    with pytest.raises(BoxSetError, match="holds no categories"):
        read_categories(tmp_path)
    (tmp_path / "particle_a").mkdir()
    (tmp_path / "particle_a" / "notes.txt").write_text("nothing")
    with pytest.raises(BoxSetError, match="particle_a holds no stack of boxes"):
        read_categories(tmp_path)


def test_nan_in_a_stack_of_ours_is_told_when_it_is_drawn(tmp_path: Path) -> None:
    for name in "ab":
        write_windows(tmp_path / name / "x.mrcs", np.zeros((3, 82, 82)))
    data = bytearray((tmp_path / "b" / "x.mrcs").read_bytes())
    data[-2:] = np.float16("nan").tobytes()
    (tmp_path / "b" / "x.mrcs").write_bytes(data)
    categories = read_categories(tmp_path)
    categories.draw(np.array([0, 4]))
    with pytest.raises(
        BoxSetError, match=r"x\.mrcs: window 3 holds values that are no numbers"
    ):
        categories.draw(np.array([0, 5]))
