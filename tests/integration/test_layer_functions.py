"""`fine_tune` and `apply_model` on layers give what the command line gives on files."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Points

from napari_pickeroptimizer import plugin, read_picks
from napari_pickeroptimizer.errors import (
    LabelError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.model.checkpoint import Classifier

# napari deprecates things of its own, release by release
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def layers(spot_project):
    """A viewer without a window, the micrographs and the labelled picks in it."""
    viewer = ViewerModel()
    micrographs = plugin.open_micrographs(viewer, spot_project.micrographs)
    picks = plugin.open_picks(viewer, spot_project.picks)
    plugin.take_labels(picks, spot_project.labels)
    return viewer, micrographs, picks


def rows(table):
    return sorted(zip(table["micrograph"], table["x"], table["y"], strict=True))


def test_apply_model_keeps_the_picks_that_prune_keeps(
    layers, spot_project, model, run, tmp_path
):
    viewer, micrographs, picks = layers
    plugin.label_picks(picks, np.arange(len(picks.data)), 0)  # `prune` has no labels either
    kept, rejected = plugin.apply_model(micrographs, picks, model, 0.6, device="cpu")
    assert run(
        "prune", "--micrographs", spot_project.micrographs, "--picks", spot_project.picks,
        "--model", model, "--threshold", 0.6, "--device", "cpu", "--output", tmp_path / "out",
    )[0] == 0  # fmt: skip
    for layer, name in ((kept, "kept"), (rejected, "rejected")):
        written = read_picks(tmp_path / "out" / f"{name}.star")
        assert len(written)
        assert rows(plugin.picks_of(layer).table) == rows(written.table)
        assert layer in viewer.layers
    assert kept.visible
    assert not picks.visible


def test_fine_tune_returns_the_model_which_apply_model_then_uses(layers, tmp_path):
    viewer, micrographs, picks = layers
    model = plugin.fine_tune(
        micrographs, picks, diameter_px=24, n_steps=10, n_folds=2, device="cpu"
    )
    assert isinstance(model, Classifier)
    assert plugin.session_of(viewer).model is model
    assert model.card.training["validation"]["accuracy"] > 0.8  # discs are easy
    kept, rejected = plugin.apply_model(micrographs, picks, device="cpu")
    assert len(kept.data) + len(rejected.data) == len(picks.data)
    again = plugin.apply_model(micrographs, picks, threshold=1.0, device="cpu")
    assert again == (kept, rejected)  # the same layers, brought up to date
    labels = plugin.picks_of(picks).labels
    assert len(kept.data) == (labels == 1).sum()  # labels take precedence


def test_points_of_any_origin_are_taken_with_their_labels(layers, spot_project, model):
    viewer, micrographs, ours = layers
    labels = plugin.picks_of(ours).labels
    names = np.array(["unlabelled", "particle", "contaminant", "carbon"])[labels]
    points = Points(np.asarray(ours.data), features={"label": names}, size=24, name="mine")
    viewer.add_layer(points)
    trained = plugin.fine_tune(
        micrographs, points, 48.0, n_steps=2, n_folds=0, device="cpu"
    )  # 2 Å a pixel
    assert trained.card.boxes.diameter_ang == 48.0
    kept, _ = plugin.apply_model(micrographs, points, model, device="cpu")
    expected, _ = plugin.apply_model(micrographs, ours, model, device="cpu")
    np.testing.assert_array_equal(kept.data, expected.data)


def test_what_is_missing_is_said_in_words(layers, model):
    viewer, micrographs, picks = layers
    plain = viewer.add_image(np.zeros((3, 8, 8)), name="plain")
    with pytest.raises(MicrographNotFoundError, match="'plain' is no such stack"):
        plugin.apply_model(plain, picks, model)
    with pytest.raises(SettingsError, match="there is no model"):
        plugin.apply_model(micrographs, picks)
    with pytest.raises(SettingsError, match="diameter"):
        plugin.fine_tune(micrographs, picks)
    with pytest.raises(SettingsError, match="'alone' is in no viewer"):
        plugin.apply_model(micrographs, Points(np.zeros((1, 3)), name="alone"), model)
    plugin.label_picks(picks, np.arange(len(picks.data)), 0)
    with pytest.raises(LabelError, match="No pick is labelled"):
        plugin.fine_tune(micrographs, picks, diameter_px=24)
