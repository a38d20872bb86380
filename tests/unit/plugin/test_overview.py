"""What the panel says: labels by class, the micrograph that is shown."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions
from napari_pickeroptimizer.plugin.overview import label_counts, micrograph_shown
from napari_pickeroptimizer.plugin.transforms import show_slice


def test_labels_are_counted_by_class(viewer, project):
    layer = actions.open_picks(viewer, project / "picks.star")
    actions.label_picks(layer, [0, 2], 3)
    assert label_counts(layer) == {0: 2, 1: 0, 2: 0, 3: 2, 4: 0, 5: 0, 6: 0}
    assert label_counts(viewer.add_points(np.zeros((2, 2)))) == {}


def test_the_micrograph_that_is_shown_is_described(viewer, project):
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, project / "picks.star")
    actions.label_picks(layer, [1], 2)
    show_slice(viewer, 2)
    shown = micrograph_shown(viewer, layer)
    assert shown.name == "Micrographs/m2.mrc"
    assert shown.text == "3 of 3: 2 picks, 1 labelled"
    show_slice(viewer, 0)
    assert micrograph_shown(viewer, layer).text == "1 of 3: 1 pick, 0 labelled"


def test_a_missing_image_is_told(viewer):
    layer = actions.open_picks(viewer, Picks.from_arrays("a.mrc", x=[1], y=[2]))
    assert micrograph_shown(viewer, layer).text == "1 of 1: 1 pick, 0 labelled, image missing"


def test_nothing_is_no_micrograph(viewer):
    layer = actions.open_picks(viewer, Picks.from_arrays([], x=[], y=[]))
    assert micrograph_shown(viewer, layer).text == "no micrograph here"
