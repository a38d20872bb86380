"""Areas and points of other layers give labels to picks, on their own micrograph, in one step."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer import plugin
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.learning_labels import only_learned_from
from napari_pickeroptimizer.plugin.matching import micrograph_layers
from napari_pickeroptimizer.plugin.other_layers import other_layers, proposed_class
from napari_pickeroptimizer.plugin.session import picks_of

# Picks (slice, y, x): (2, 20.25, 10.5), (2, 40, 30), (0, 60, 50), (1, 34, 12).
AROUND_FIRST = [(15, 5), (15, 16), (26, 16), (26, 5)]
ALL = [(0, 0), (0, 96), (80, 96), (80, 0)]


def on_slice(index, corners):
    return np.array([(index, y, x) for y, x in corners], dtype=float)


def draw(viewer, *shapes, **options):
    """Draw shapes as napari's button makes them: in the place of the micrographs."""
    (stack,) = micrograph_layers(viewer)
    data, kinds = zip(*shapes, strict=True)
    return viewer.add_shapes(
        list(data),
        shape_type=list(kinds),
        ndim=3,
        scale=stack.scale,
        translate=stack.translate,
        units=stack.units,
        **options,
    )


def labels(layer):
    return picks_of(layer).labels.tolist()


def test_a_polygon_labels_the_picks_inside_it_on_its_micrograph_alone(viewer, layer):
    carbon = draw(viewer, (on_slice(2, AROUND_FIRST), "polygon"))
    assert plugin.take_from(viewer, layer, carbon, CARBON) == "1 pick labelled carbon."
    assert labels(layer) == [CARBON, 0, 0, 0]
    everywhere = draw(viewer, (on_slice(2, ALL), "polygon"))
    said = plugin.take_from(viewer, layer, everywhere, CARBON)
    assert said == "1 pick labelled carbon; 1 inside had that label."
    assert labels(layer) == [CARBON, CARBON, 0, 0]


def test_many_labels_of_an_area_are_one_step_of_undo(viewer, layer):
    areas = draw(viewer, (on_slice(2, ALL), "rectangle"), (on_slice(0, ALL), "polygon"))
    plugin.take_from(viewer, layer, areas, CONTAMINANT)
    assert labels(layer) == [CONTAMINANT, CONTAMINANT, CONTAMINANT, 0]
    assert plugin.undo(layer)
    assert labels(layer) == [0] * 4


def test_the_corners_of_an_ellipses_box_are_outside_it(viewer, layer):
    # the first pick is near the corner of the box, the second in its middle
    box = [(19, 9), (19, 51), (61, 51), (61, 9)]
    areas = draw(viewer, (on_slice(2, box), "ellipse"))
    plugin.take_from(viewer, layer, areas, CARBON)
    assert labels(layer) == [0, CARBON, 0, 0]
    areas = draw(viewer, (on_slice(2, box), "rectangle"))
    plugin.take_from(viewer, layer, areas, CARBON)
    assert labels(layer) == [CARBON, CARBON, 0, 0]


def test_paths_enclose_nothing_and_are_told(viewer, layer):
    mixed = draw(viewer, (on_slice(2, ALL), "polygon"), (on_slice(0, ALL), "path"))
    said = plugin.take_from(viewer, layer, mixed, CARBON)
    assert said == "2 picks labelled carbon. Left out: 1 path, which enclose nothing."
    only = draw(viewer, (on_slice(0, ALL), "path"), name="outline")
    with pytest.raises(LabelError, match="'outline' holds only 1 path.*draw a polygon"):
        plugin.take_from(viewer, layer, only, CARBON)


@pytest.mark.parametrize(
    ("corners", "why"),
    [
        (on_slice(2, [(0, 0), (0, 4), (4, 4)]), "no pick lies in the areas"),
        (np.array([[0, 0, 0], [1, 0, 90], [1, 70, 90.0]]), "several micrographs"),
    ],
    ids=["beside the picks", "through the stack"],
)
def test_areas_that_label_nothing_are_refused(viewer, layer, corners, why):
    areas = draw(viewer, (corners, "polygon"))
    with pytest.raises(LabelError, match=why):
        plugin.take_from(viewer, layer, areas, CARBON)
    assert labels(layer) == [0] * 4


def test_a_flat_area_on_a_stack_of_several_is_refused(viewer, layer):
    flat = viewer.add_shapes([np.array(ALL, dtype=float)], shape_type="polygon")
    with pytest.raises(LabelError, match="2 coordinates"):
        plugin.take_from(viewer, layer, flat, CARBON)


def test_points_label_the_picks_that_they_lie_on_and_others_are_added(viewer, layer):
    own = viewer.add_points([[2, 21.0, 10.0], [1, 60.0, 70.0]], scale=layer.scale)
    said = plugin.take_from(viewer, layer, own, PARTICLE)
    assert said == "1 pick labelled particle and 1 pick added as particle."
    assert labels(layer) == [PARTICLE, 0, 0, 0, PARTICLE]
    new = picks_of(layer).table.iloc[4]
    assert (new["micrograph"], new["y"], new["x"]) == ("Micrographs/m1.mrc", 60, 70)
    assert plugin.undo(layer)
    assert labels(layer) == [0] * 4
    assert len(layer.data) == 4


def test_points_beside_the_micrographs_are_left_out_and_counted(viewer, layer):
    beside = [[0, -30.0, 40.0], [1, 60.0, 9000.0]]
    own = viewer.add_points([[2, 21.0, 10.0], *beside], scale=layer.scale, name="mine")
    said = plugin.take_from(viewer, layer, own, PARTICLE)
    assert said == "1 pick labelled particle. Left out: 2 points beside the micrographs."
    assert labels(layer) == [PARTICLE, 0, 0, 0]
    own.data = beside
    with pytest.raises(LabelError, match="all 2 points of 'mine' lie beside the micrographs"):
        plugin.take_from(viewer, layer, own, PARTICLE)


def test_areas_without_a_pick_are_counted(viewer, layer):
    beside = on_slice(2, [(-90, -90), (-90, -10), (-10, -10)])
    areas = draw(viewer, (on_slice(2, AROUND_FIRST), "polygon"), (beside, "polygon"))
    said = plugin.take_from(viewer, layer, areas, CARBON)
    assert said == "1 pick labelled carbon. No pick lies in 1 of the areas."


def test_points_are_added_to_a_pickers_list_without_a_label(viewer, layer):
    plugin.label_picks(layer, [0], CARBON)
    own = viewer.add_points([[2, 21.0, 10.0], [1, 60.0, 70.0]], scale=layer.scale)
    said = plugin.take_from(viewer, layer, own, UNLABELLED)
    assert said == "1 pick added; 1 were there already."
    assert labels(layer) == [CARBON, 0, 0, 0, 0]


def test_the_class_is_that_of_the_layers_name_else_the_likeliest(viewer, layer):
    shapes, junk = draw(viewer, (on_slice(2, ALL), "polygon")), viewer.add_points(name="junk")
    points = viewer.add_points(ndim=3)
    assert other_layers(viewer, layer) == [points, junk, shapes]
    wanted = [PARTICLE, CONTAMINANT, CARBON]
    assert [proposed_class(x, DEFAULT_VOCABULARY) for x in (points, junk, shapes)] == wanted


def test_labels_of_own_layers_that_decide_on_nothing_are_told_until_they_are_taken(
    viewer, layer
):
    own = viewer.add_points([[2, 21.0, 10.0]], scale=layer.scale, name="particles")
    told = only_learned_from(viewer, layer, DEFAULT_VOCABULARY)
    assert told.startswith("Labels in 'particles' are learned from, but do not decide")
    plugin.take_from(viewer, layer, own, PARTICLE)
    viewer.layers.remove(own)
    assert only_learned_from(viewer, layer, DEFAULT_VOCABULARY) == ""
