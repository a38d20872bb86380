"""Picks land on the slice of their micrograph."""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest

pytest.importorskip("dask.array")

from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.stack import StackView, make_stack, stack_of
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.matching import match


def stack(folder, names) -> StackView:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with mrcfile.new(folder / name, overwrite=True) as mrc:
            mrc.set_data(np.zeros((8, 8), dtype=np.float32))
    view = stack_of(make_stack(Micrographs.find(folder))[1]["metadata"])
    assert view is not None
    return view


def test_slices_follow_the_stack_not_the_picks(tmp_path):
    state = LayerState.of_picks(
        Picks.from_arrays(["Job/c.mrc", "Job/a.mrc"], x=[1, 2], y=[3, 4])
    )
    fit = match(state, stack(tmp_path, ["a.mrc", "b.mrc", "c.mrc"]))
    assert [fit.slice_of[n] for n in state.slice_of] == [2, 0]
    assert (fit.n_found, fit.text) == (2, "")


def test_new_picks_are_named_as_the_picks_file_names_their_micrograph(tmp_path):
    state = LayerState.of_picks(Picks.from_arrays("Job/b.mrc", x=[1], y=[3]))
    fit = match(state, stack(tmp_path, ["a.mrc", "b.mrc"]))
    assert fit.slice_names == ("a.mrc", "Job/b.mrc")


def test_picks_of_other_micrographs_come_behind_the_stack_and_are_told(tmp_path):
    state = LayerState.of_picks(Picks.from_arrays(["x.mrc", "a.mrc"], x=[1, 2], y=[3, 4]))
    fit = match(state, stack(tmp_path, ["a.mrc", "b.mrc"]))
    assert [fit.slice_of[n] for n in state.slice_of] == [2, 0]
    assert "1 of 2 micrographs" in fit.text


def test_a_name_that_fits_two_micrographs_is_listed_never_guessed(tmp_path):
    state = LayerState.of_picks(Picks.from_arrays(["a.mrc", "c.mrc"], x=[1, 2], y=[3, 4]))
    names = ["one/a.mrc", "two/a.mrc", "one/c.mrc"]
    fit = match(state, stack(tmp_path, names))
    assert fit.n_found == 1
    assert [fit.slice_of[n] for n in state.slice_of] == [3, 1]
    assert "fits 2 micrographs" in fit.missing["a.mrc"]


def test_missing_micrographs_are_listed_with_reasons(tmp_path, viewer):
    from napari_pickeroptimizer.plugin import actions
    from napari_pickeroptimizer.plugin.matching import missing_micrographs

    picks = Picks.from_arrays(["a.mrc", "b.mrc", "x.mrc"], x=[1, 2, 3], y=[4, 5, 6])
    layer = actions.open_picks(viewer, picks)
    assert list(missing_micrographs(viewer, layer)) == ["a.mrc", "b.mrc", "x.mrc"]
    stack(tmp_path, ["a.mrc", "b.mrc"])
    (tmp_path / "b.mrc").write_bytes(b"short")
    with pytest.warns(UserWarning, match=r"black slice|not in the opened ones"):
        stack_layer = actions.open_micrographs(viewer, tmp_path)
    missing = missing_micrographs(viewer, layer)
    assert list(missing) == ["b.mrc", "x.mrc"]
    assert "b.mrc" in missing["b.mrc"]
    assert "not among the opened" in missing["x.mrc"]
    viewer.layers.remove(stack_layer)
    assert len(missing_micrographs(viewer, layer)) == 3


def test_a_layer_of_another_kind_misses_nothing(viewer):
    from napari_pickeroptimizer.plugin.matching import missing_micrographs

    assert missing_micrographs(viewer, viewer.add_points(np.zeros((2, 2)))) == {}
