"""Points that the user clicks in a layer of their own are picks on the very pixel that was clicked.

A layer may have any scale, place, rotation and unit; what the micrographs cannot be reconciled
with is refused. The display may be binned, and the stack may be moved.
"""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image, Points

from napari_pickeroptimizer import plugin
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.plugin import session, transforms
from napari_pickeroptimizer.plugin.images.stack import checked_stack, make_stack
from napari_pickeroptimizer.plugin.layer_state import picks_state

SHAPE_PX = (72, 108)
# (slice, y, x) in pixels of the micrograph, off the grid of every binning
CLICKED = np.array([[0, 10.0, 20.0], [2, 3.0, 100.5], [1, 61.25, 7.0]])
TURN = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
SHEARED = np.array([[1, 0, 0, 0], [0, 1.5, 0.2, 4], [0, 0.1, 0.9, -3], [0, 0, 0, 1.0]])


def micrographs(folder, pixel_size_ang, n=3):
    for i in range(n):
        with mrcfile.new(folder / f"m{i}.mrc", overwrite=True) as mrc:
            mrc.set_data(np.full(SHAPE_PX, i, dtype=np.float32))
    return Micrographs.find(folder, pixel_size_ang=pixel_size_ang)


@pytest.fixture
def open_stack(viewer, tmp_path):
    """Return how to open a stack of a pixel size and a binning."""

    def open_it(pixel_size_ang=1.8, binning=1, n=3):
        session.session_of(viewer)
        data, attributes, _ = make_stack(
            micrographs(tmp_path, pixel_size_ang, n),
            low_pass_ang=None,
            max_display_px=-(-max(SHAPE_PX) // binning),
        )
        layer = viewer.add_image(data, **attributes)
        assert checked_stack(layer).binning == binning
        return layer

    return open_it


def world_of(stack, pixels):
    """Return where pixels of the micrographs are shown, as a mouse would meet them."""
    binning = checked_stack(stack).binning
    shift = (binning - 1) / 2
    displayed = (np.asarray(pixels) - [0, shift, shift]) / [1, binning, binning]
    return [stack.data_to_world(place) for place in displayed]


def click(layer, places):
    """Add points as napari's tool does, where the mouse is in the world."""
    for place in places:
        layer.add(layer.world_to_data(place[-layer.ndim :]))


def assert_clicked(layer, pixels=CLICKED):
    table = session.picks_of(layer).table
    assert table["micrograph"].tolist() == [f"m{int(i)}.mrc" for i in pixels[:, 0]]
    np.testing.assert_allclose(table[["y", "x"]], pixels[:, 1:], atol=1e-6)


def as_napari_makes_it(stack):
    """Return the transform of a layer that napari's button makes on a selected one."""
    names = ("scale", "translate", "rotate", "shear", "units")
    return {**{n: getattr(stack, n) for n in names}, "affine": stack.affine.affine_matrix}


LAYERS = {
    "as the button makes it": lambda stack: as_napari_makes_it(stack),
    "by the extent": lambda stack: {"scale": stack.scale, "units": stack.units},
    "without a unit": lambda stack: {"scale": stack.scale},
    "plain": lambda stack: {},
    "in the world's unit": lambda stack: {"units": stack.units},
    "scaled": lambda stack: {"scale": (1, 0.7, 3), "units": stack.units},
    "moved": lambda stack: {"translate": (0, -31, 12.5), "units": stack.units},
    "turned": lambda stack: {"rotate": TURN, "units": stack.units},
    "sheared": lambda stack: {"shear": (0, 0, 0.4), "units": stack.units},
    "affine": lambda stack: {"affine": SHEARED, "scale": (1, 2, 2), "units": stack.units},
}


@pytest.mark.parametrize("binning", [1, 2, 4])
@pytest.mark.parametrize("pixel_size_ang", [None, 1.8])
@pytest.mark.parametrize("made", LAYERS)
def test_the_pick_is_the_pixel_that_was_clicked(
    viewer, open_stack, made, pixel_size_ang, binning
):
    stack = open_stack(pixel_size_ang, binning)
    layer = viewer.add_points(ndim=3, **LAYERS[made](stack))
    click(layer, world_of(stack, CLICKED))
    session.session_of(viewer).choose(picks_layer=layer, stack_layer=stack)
    assert_clicked(layer)
    np.testing.assert_allclose(  # and it is shown there
        [layer.data_to_world(p) for p in layer.data], world_of(stack, CLICKED), atol=1e-6
    )


@pytest.mark.parametrize("made", LAYERS)
def test_points_clicked_after_the_choice_are_on_their_pixel_too(viewer, open_stack, made):
    stack = open_stack(1.8, 2)
    layer = viewer.add_points(ndim=3, **LAYERS[made](stack))
    session.session_of(viewer).choose(picks_layer=layer, stack_layer=stack)
    click(layer, world_of(stack, CLICKED))
    assert_clicked(layer)


@pytest.mark.parametrize("binning", [1, 2, 3.6])
def test_pixels_come_back_from_any_binning(binning):
    stack = Image(np.zeros((3, 30, 40)), **transforms.stack_transform(1.8, binning))
    layer = Points(ndim=3, scale=stack.scale, translate=stack.translate, units=stack.units)
    shift = (binning - 1) / 2
    layer.data = (CLICKED - [0, shift, shift]) / [1, binning, binning]
    back = transforms.on_micrographs(layer, stack, 3, binning)
    np.testing.assert_allclose(back, CLICKED, atol=1e-9)


def test_lengths_of_another_unit_are_converted(viewer, open_stack):
    open_stack(1.8, 2)
    nanometres = np.multiply(CLICKED, [1, 0.18, 0.18])
    layer = viewer.add_points(nanometres, units=("pixel", "nm", "nm"))
    session.adopt_layer(viewer, layer)
    assert_clicked(layer)


@pytest.mark.parametrize(
    ("pixel_size_ang", "units"),
    [(None, ("pixel", "angstrom", "angstrom")), (1.8, "nm"), (1.8, ("pixel", "s", "s"))],
    ids=["a length on pixels", "a length for the micrographs", "a time"],
)
def test_units_that_do_not_fit_are_refused_and_nothing_changes(
    viewer, open_stack, pixel_size_ang, units
):
    open_stack(pixel_size_ang)
    layer = viewer.add_points(CLICKED, units=units, name="odd")
    with pytest.raises(LabelError, match="'odd' is in .*and the micrographs are in"):
        session.adopt_layer(viewer, layer)
    np.testing.assert_array_equal(layer.data, CLICKED)
    assert not layer.metadata


def test_plain_points_that_may_be_of_another_image_are_refused(viewer, open_stack):
    open_stack(1.8, 2)
    viewer.add_image(np.zeros((3, 8, 8)), units=("pixel", "angstrom", "angstrom"))
    layer = viewer.add_points(CLICKED, name="whose")
    with pytest.raises(LabelError, match="'whose' has no scale and no unit"):
        session.adopt_layer(viewer, layer)


def test_points_of_two_axes_on_a_single_micrograph(viewer, open_stack):
    stack = open_stack(1.8, 2, n=1)
    layer = viewer.add_points(ndim=2, scale=stack.scale[1:], units=stack.units[1:])
    pixels = CLICKED * [0, 1, 1]
    click(layer, world_of(stack, pixels))
    session.session_of(viewer).choose(picks_layer=layer, stack_layer=stack)
    click(layer, world_of(stack, pixels[:1] + [0, 5, 5]))
    assert_clicked(layer, np.vstack([pixels, pixels[:1] + [0, 5, 5]]))
    plugin.label_picks(layer, [1], CARBON)
    plugin.go_to_pick(viewer, layer, 2)
    assert session.picks_of(layer).labels.tolist() == [0, CARBON, 0, 0]


def test_points_of_two_axes_on_several_micrographs_are_refused(viewer, open_stack):
    open_stack()
    layer = viewer.add_points(CLICKED[:, 1:], name="flat")
    with pytest.raises(LabelError, match="'flat' have 2 coordinates: expected 3"):
        session.adopt_layer(viewer, layer)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # napari's thumbnail
def test_a_point_without_a_place_is_refused_by_its_number(viewer, open_stack):
    open_stack()
    layer = viewer.add_points(np.array([[0, 1, 2], [0, np.nan, 2]]))
    with pytest.raises(LabelError, match="point 1 of"):
        session.adopt_layer(viewer, layer)


def test_a_point_on_another_micrograph_than_it_says_is_refused(viewer, open_stack):
    open_stack()
    features = {"micrograph": ["m0.mrc", "m1.mrc", "m1.mrc"]}
    layer = viewer.add_points(CLICKED, features=features)
    with pytest.raises(LabelError, match=r"point 1 .* lies on m2.mrc, .* says m1.mrc"):
        session.adopt_layer(viewer, layer)


def test_a_stack_that_was_moved_takes_its_picks_along(viewer, open_stack):
    stack = open_stack(1.8, 2)
    layer = viewer.add_points(ndim=3, **as_napari_makes_it(stack))
    click(layer, world_of(stack, CLICKED))
    session.adopt_layer(viewer, layer)
    stack.translate, stack.rotate = (0, 40, -7), TURN
    assert_clicked(layer)
    np.testing.assert_allclose(
        [layer.data_to_world(p) for p in layer.data], world_of(stack, CLICKED), atol=1e-6
    )
    later = CLICKED + [0, 2, 3]
    click(layer, world_of(stack, later))
    assert_clicked(layer, np.vstack([CLICKED, later]))


CHANGES = {
    "scaled": lambda layer: setattr(layer, "scale", (1, 5, 5)),
    "moved": lambda layer: setattr(layer, "translate", (0, 30, 0)),
    "turned": lambda layer: setattr(layer, "rotate", TURN),
    "affine": lambda layer: setattr(layer, "affine", SHEARED),
    "renamed": lambda layer: setattr(layer, "name", "another"),
}


@pytest.mark.parametrize("duplicated", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_picks_stay_on_their_pixels_whatever_is_done_to_their_layer(
    viewer, open_stack, change, duplicated
):
    stack = open_stack(1.8, 2)
    layer = viewer.add_points(ndim=3, **as_napari_makes_it(stack))
    click(layer, world_of(stack, CLICKED))
    session.adopt_layer(viewer, layer)
    if duplicated:
        data, attributes, _ = layer.as_layer_data_tuple()
        layer = viewer.add_points(data, **{**attributes, "name": "copy"})
    CHANGES[change](layer)
    later = CLICKED + [0, 2, 3]
    click(layer, world_of(stack, later))
    assert_clicked(layer, np.vstack([CLICKED, later]))


@pytest.mark.parametrize(
    ("name", "class_id"),
    [
        ("particles", PARTICLE), ("Particle [1]", PARTICLE), ("junk", CONTAMINANT),
        ("contaminants", CONTAMINANT), ("carbon", CARBON), ("Points", UNLABELLED),
        ("2", UNLABELLED), ("particles to check", UNLABELLED),
    ],
)  # fmt: skip
def test_a_layer_named_after_a_class_holds_that_class(viewer, open_stack, name, class_id):
    open_stack()
    layer = viewer.add_points(CLICKED[:2], name=name)
    session.adopt_layer(viewer, layer)
    click(layer, world_of(viewer.layers[0], CLICKED[2:]))
    assert session.picks_of(layer).labels.tolist() == [class_id] * 3


def test_the_feature_label_comes_before_the_name(viewer, open_stack):
    open_stack()
    features = {"label": ["carbon", "unlabelled", "particle"]}
    layer = viewer.add_points(CLICKED, features=features, name="junk")
    session.adopt_layer(viewer, layer)
    assert session.picks_of(layer).labels.tolist() == [CARBON, CONTAMINANT, PARTICLE]


def test_the_size_of_points_is_a_diameter_only_where_it_was_set(viewer, open_stack):
    stack = open_stack(1.8, 2)
    unset = viewer.add_points(CLICKED, **as_napari_makes_it(stack))
    session.adopt_layer(viewer, unset)
    assert picks_state(unset).diameter_px == transforms.FALLBACK_DIAMETER_PX
    of_30 = viewer.add_points(CLICKED, size=30, **as_napari_makes_it(stack))
    session.adopt_layer(viewer, of_30)
    assert picks_state(of_30).diameter_px == pytest.approx(60)  # displayed pixels of two
    as_the_others = viewer.add_points(CLICKED, **as_napari_makes_it(stack))
    session.adopt_layer(viewer, as_the_others)
    assert picks_state(as_the_others).diameter_px == pytest.approx(60)


def test_a_size_that_the_user_set_to_napari_s_default_is_a_diameter(viewer, open_stack):
    stack = open_stack(1.8, 2)
    layer = viewer.add_points(CLICKED, **as_napari_makes_it(stack))
    layer.current_size = 11  # the slider on its way there and back
    layer.current_size = 10
    session.adopt_layer(viewer, layer)
    assert picks_state(layer).diameter_px == pytest.approx(20)
    assert "size" not in viewer.status


def test_a_size_that_points_have_counts_though_new_ones_would_have_the_default(
    viewer, open_stack
):
    stack = open_stack(1.8, 1)
    layer = viewer.add_points(CLICKED, **as_napari_makes_it(stack))
    layer.size = 30
    assert layer.current_size == 10
    session.adopt_layer(viewer, layer)
    assert picks_state(layer).diameter_px == pytest.approx(30)


def test_selecting_points_sets_no_size(viewer, open_stack):
    stack = open_stack(1.8, 2)
    layer = viewer.add_points(CLICKED, **as_napari_makes_it(stack))
    layer.selected_data = {1}
    layer.selected_data = set()
    session.adopt_layer(viewer, layer)
    assert picks_state(layer).diameter_px == transforms.FALLBACK_DIAMETER_PX


def test_what_is_assumed_of_a_layer_is_told_and_how_to_change_it(viewer, open_stack):
    stack = open_stack(1.8, 2)
    displayed = CLICKED / (1, 2, 2)
    layer = viewer.add_points(displayed, name="junk", **as_napari_makes_it(stack))
    session.adopt_layer(viewer, layer)
    assert viewer.status == (
        "junk: 3 contaminants, by its name. Nobody set its point size, 10, so the "
        "rings are 100 px: set their diameter on the page Label if they should not be."
    )
    sized = viewer.add_points(displayed, size=30, **as_napari_makes_it(stack))
    viewer.status = "before"
    session.adopt_layer(viewer, sized)
    assert viewer.status == "before"


def test_layers_of_one_stack_do_not_offer_each_others_labels(viewer, open_stack):
    open_stack()
    layers = [viewer.add_points(ndim=3, name=name) for name in ("one", "two")]
    for layer in layers:
        session.adopt_layer(viewer, layer)
        click(layer, CLICKED)
        plugin.label_picks(layer, [0], PARTICLE)
    one, two = (picks_state(layer) for layer in layers)
    assert one.journal.path != two.journal.path
    assert two.recovery is None


def test_matching_labels_says_how_many_of_how_many(layer, tmp_path):
    place = tmp_path / "other.star"
    rows = "Micrographs/m0.mrc 50 60 2\nMicrographs/m1.mrc 1 1 1\nelsewhere.mrc 1 1 2\n"
    place.write_text(
        "\ndata_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        f"_rlnCoordinateY #3\n_rlnParticleSelectionType #4\n{rows}"
    )
    with pytest.warns(UserWarning, match="2 of 3 labels match no pick"):
        assert plugin.take_labels(layer, place) == 1


def test_labels_match_by_what_the_names_mean_not_how_they_are_spelled(layer, tmp_path):
    place = tmp_path / "other.star"
    place.write_text(
        "\ndata_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        "_rlnCoordinateY #3\n_rlnParticleSelectionType #4\nm0.mrc 50 60 2\n"
    )
    assert plugin.take_labels(layer, place) == 1
    assert session.picks_of(layer).labels.tolist() == [0, 0, CONTAMINANT, 0]


def test_picks_that_go_to_a_second_file_are_told(layer, tmp_path):
    layer.add([1, 11, 22])
    with pytest.warns(UserWarning, match=r"1 of 5 picks are your own.*saved_added.star"):
        written = plugin.save_picks(layer, tmp_path / "saved.star")
    assert [p.name for p in written] == ["saved.star", "saved_added.star"]


def test_a_second_file_replaces_nothing_that_is_not_of_the_same_save(layer, tmp_path):
    from napari_pickeroptimizer.errors import PickFormatError
    from napari_pickeroptimizer.plugin.writers import save_labels

    layer.add([1, 11, 22])
    plugin.label_picks(layer, [0, 4], PARTICLE)
    mine = tmp_path / "saved_added.star"
    mine.write_text("mine")
    with pytest.raises(PickFormatError, match="saved_added.star exists"):
        plugin.save_picks(layer, tmp_path / "saved.star")
    with pytest.raises(SettingsError, match="saved_added.star exists"):
        save_labels(layer, tmp_path / "saved.star")
    assert mine.read_text() == "mine"
    assert not (tmp_path / "saved.star").exists()
