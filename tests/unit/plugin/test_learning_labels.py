"""The user's own layers, called after classes, are learned from together with the chosen picks."""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer import plugin
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.cli.files import read_labels
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.fewshot.events import LabelsLeftOut
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.plugin import actions, jobs, session
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.learning_labels import labelled_layer, learning_labels
from napari_pickeroptimizer.plugin.panels.learn.model import LearnModel

SHAPE_PX = (160, 160)
DIAMETER_PX = 20.0
QUICK = FineTuneSettings(
    diameter_px=DIAMETER_PX,
    n_steps=2,
    n_folds=2,
    device="cpu",
    base="none",
    backbone=RESNET18_HALF,
)
# (slice, y, x); no two of them are near each other
PARTICLES = np.array([[i, 40.0, x] for i in range(2) for x in (30.0, 75.5, 120.25)])
JUNK = PARTICLES + [0, 60, 5]
UNLABELLED_PICKS = PARTICLES[:, 1:] + [30, 0]


@pytest.fixture
def stack(viewer, tmp_path):
    folder = tmp_path / "Micrographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        with mrcfile.new(folder / f"m{i}.mrc") as mrc:
            mrc.set_data(rng.normal(size=SHAPE_PX).astype(np.float32))
            mrc.voxel_size = 2.0
    return actions.open_micrographs(viewer, folder)


@pytest.fixture
def own(viewer, stack):
    """Return how to make a layer as napari's button does."""

    def make(points, name, **more):
        data = np.reshape(points, (-1, 3))
        placed = {n: getattr(stack, n) for n in ("scale", "translate", "units")}
        return viewer.add_points(data, ndim=3, name=name, **placed, **more)

    return make


@pytest.fixture
def picks(viewer, stack, tmp_path):
    """Return the layer of a picker's picks: those of the particles, then others."""
    path = tmp_path / "picks.star"
    places = [(int(i), y, x) for i, y, x in PARTICLES]
    places += [(int(i), y + 30, x) for i, y, x in PARTICLES]
    rows = "".join(f"Micrographs/m{i}.mrc {x} {y}\n" for i, y, x in places)
    header = "_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    path.write_text(f"\ndata_particles\n\nloop_\n{header}{rows}")
    return actions.open_picks(viewer, path, diameter_px=DIAMETER_PX)


@pytest.fixture
def learning(viewer, stack):
    """Return what the Learn panel shows, after a look at the layers."""
    model = LearnModel(session.session_of(viewer))

    def look():
        model.look(QUICK.boxes)
        return model

    return look


def learned(viewer, learning, stack):
    """Return the labels that a fine-tuning started in the panel is given."""
    model = learning()
    return jobs.finetune_layer(
        viewer, model.layer, QUICK, stack_layer=stack, label_layers=model.label_layers
    ).model.card.training


def test_two_layers_called_after_classes_teach_together(viewer, stack, own, learning):
    own(PARTICLES, "particles")
    own(JUNK, "junk")
    model = learning()
    assert model.missing() == ""
    assert (
        model.ready_text()
        == "Ready: 6 particles, 6 contaminants, from layers particles, junk."
    )
    training = learned(viewer, learning, stack)
    assert training["labels"] == {"particle": 6, "contaminant": 6}


@pytest.mark.parametrize("chosen", [None, "particles", "junk"])
def test_the_model_is_that_of_two_files(viewer, stack, own, learning, tmp_path, chosen):
    layers = {"junk": own(JUNK, "junk"), "particles": own(PARTICLES, "particles")}
    if chosen is not None:
        session.session_of(viewer).choose(picks_layer=layers[chosen], stack_layer=stack)
    model = learning()
    tuned = jobs.finetune_layer(
        viewer, model.layer, QUICK, stack_layer=stack, label_layers=model.label_layers
    )
    files = {}
    for name, layer in layers.items():
        session.adopt_layer(viewer, layer, stack)
        (files[name],) = map(str, plugin.save_picks(layer, tmp_path / f"{name}.star"))
    labels = read_labels(None, [files["particles"]], [files["junk"]])
    *_, headless = finetune(Micrographs.find(tmp_path / "Micrographs"), labels, QUICK)
    assert tuned.model.card.training["labels"] == headless.model.card.training["labels"]
    ours, theirs = (m.network.state_dict() for m in (tuned.model, headless.model))
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_points_on_a_picker_s_picks_label_these(viewer, stack, own, picks, learning):
    own(PARTICLES + [0, 2.5, -2], "particles")  # 3.2 px: within a fifth of the diameter
    own(JUNK, "junk")
    model = learning()
    assert model.layer is picks
    assert "6 particles, 6 contaminants, from layers particles, junk" in model.ready_text()
    others = [labelled_layer(viewer, x, stack, DEFAULT_VOCABULARY) for x in model.label_layers]
    chosen = labelled_layer(viewer, picks, stack, DEFAULT_VOCABULARY)
    joined = learning_labels(chosen, others, stack, QUICK.boxes)
    particles = joined.labels.select(joined.labels.labels == PARTICLE)
    np.testing.assert_array_equal(particles.coords_yx_px(), PARTICLES[:, 1:])
    assert set(particles.table["micrograph"]) == {"Micrographs/m0.mrc", "Micrographs/m1.mrc"}
    np.testing.assert_array_equal(joined.unlabelled.coords_yx_px(), UNLABELLED_PICKS)


def test_points_off_all_picks_are_labels_of_their_own(viewer, stack, own, picks, learning):
    own(PARTICLES + [0, 4.5, 0], "particles")
    own(JUNK, "junk")
    training = learned(viewer, learning, stack)
    assert training["labels"] == {"particle": 6, "contaminant": 6}


def test_labels_of_the_chosen_picks_are_learned_from_too(viewer, stack, own, picks, learning):
    actions.label_picks(picks, [0, 6, 7], PARTICLE)
    own(PARTICLES[:3], "particles")  # the first of them is labelled already, alike
    own(JUNK, "junk")
    assert "5 particles, 6 contaminants, from layers picks, particles, junk." in (
        learning().ready_text()
    )


def test_a_place_of_two_classes_is_told_and_left_out(viewer, stack, own, picks, learning):
    actions.label_picks(picks, [0, 7], PARTICLE)
    own(np.vstack([PARTICLES[:2] + [0, 1.5, 0], JUNK]), "junk")  # on picks 0 and 1
    own(JUNK[:1] + [0, 0.4, 0], "particles")
    text = learning().ready_text()
    assert text.startswith("Ready: 1 particle, 6 contaminants, from layers")
    assert (
        "2 places are labelled as two classes, first Micrographs/m0.mrc, x = 30.0, y = 40.0 "
        "(particle and contaminant): their 4 labels are left out" in text
    )
    events = list(
        jobs.finetune_events(
            viewer, picks, QUICK, stack_layer=stack, label_layers=learning().label_layers
        )
    )
    assert [e.reason[:8] for e in events if isinstance(e, LabelsLeftOut)] == ["2 places"]
    assert events[-1].model.card.training["labels"] == {"particle": 1, "contaminant": 6}


def test_where_all_labels_clash_the_reason_is_told(stack, own, learning):
    own(PARTICLES, "particles")
    own(PARTICLES, "junk")
    missing = learning().missing()
    assert "6 places are labelled as two classes" in missing
    assert "No pick is labelled" in missing


def test_neither_the_labels_nor_the_undo_of_the_picks_change(
    viewer, stack, own, picks, learning
):
    actions.label_picks(picks, [7], PARTICLE)
    layers = [own(PARTICLES, "particles"), own(JUNK, "junk")]
    before = [(layer.data.copy(), dict(layer.metadata)) for layer in layers]
    learned(viewer, learning, stack)
    assert picks_state(picks).picks.labels.sum() == PARTICLE
    assert actions.undo(picks)
    assert not actions.undo(picks)
    assert not picks_state(picks).picks.labels.any()
    for layer, (data, metadata) in zip(layers, before, strict=True):
        np.testing.assert_array_equal(layer.data, data)
        assert dict(layer.metadata) == metadata  # it is the user's still


def test_a_hidden_layer_is_left_out(stack, own, learning):
    own(PARTICLES, "particles")
    own(JUNK, "junk")
    carbon = own(JUNK + [0, 30, 0], "carbon")
    assert "6 carbon" in learning().ready_text()
    carbon.visible = False
    assert learning().ready_text().endswith("6 contaminants, from layers particles, junk.")


def test_layers_without_a_class_and_outputs_are_not_used(stack, own, picks, learning):
    own(PARTICLES, "Points")
    own(PARTICLES, "notes to myself")
    own([], "junk")
    assert learning().label_layers == []


def test_a_feature_gives_the_class_too(stack, own, learning):
    features = {"label": ["particle"] * 6 + ["carbon"] * 5 + [""]}
    own(np.vstack([PARTICLES, JUNK]), "Points", features=features)
    assert learning().ready_text() == "Ready: 6 particles, 5 carbon, from layer Points."


def test_a_layer_that_cannot_be_used_is_told(viewer, stack, own, learning):
    own(PARTICLES, "particles")
    own(JUNK, "junk")
    viewer.add_points(np.array([[3.0, 4.0]]), name="carbon")
    text = learning().ready_text()
    assert text.startswith("Ready: 6 particles, 6 contaminants, from layers particles, junk. ")
    assert "Layer 'carbon' is left out: the points of 'carbon' have 2 coordinates" in text


def test_points_beside_the_micrographs_teach_nothing_and_are_counted(
    viewer, stack, own, learning
):
    own(PARTICLES, "particles")
    junk = own(np.vstack([JUNK, [[0, -40.0, 20.0], [1, 20.0, 400.0]]]), "junk")
    text = learning().ready_text()
    assert text.startswith("Ready: 6 particles, 6 contaminants, from layers particles, junk.")
    assert "Layer 'junk': 2 points of 8 lie beside the micrograph, and are no labels." in text
    session.session_of(viewer).choose(picks_layer=junk)  # its points stay, as picks
    assert picks_state(junk).picks.labels.tolist() == [2] * 6 + [0] * 2
    assert len(junk.data) == 8
    assert "2 points of 8 lie beside the micrograph, and are no labels" in viewer.status


def test_what_is_told_follows_every_edit_of_the_layers(viewer, stack, own, learning):
    particles, junk = own(PARTICLES, "particles"), own([], "a layer")
    told = []
    session.session_of(viewer).layers_changed.connect(
        lambda: told.append(learning().missing() or learning().ready_text())
    )
    junk.name = "junk"
    assert "Label some false picks too" in told[-1]
    junk.add([0.0, 7.0, 8.0])
    assert "6 particles, 1 contaminant" in told[-1]
    junk.data = np.vstack([junk.data, [0.0, 70.0, 80.0]])
    assert "6 particles, 2 contaminants" in told[-1]
    particles.visible = False
    assert "Label some particles too" in told[-1]


def test_a_script_names_the_layers(viewer, stack, own, picks):
    particles, junk = own(PARTICLES, "particles"), own(JUNK, "junk")
    with pytest.raises(LabelError, match="No pick is labelled"):
        jobs.finetune_layer(viewer, picks, QUICK)
    tuned = jobs.finetune_layer(viewer, picks, QUICK, label_layers=[particles, junk])
    assert tuned.model.card.training["labels"] == {"particle": 6, "contaminant": 6}
    assert tuned.model.card.training["n_unlabelled"] > 0
