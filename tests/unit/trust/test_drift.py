"""Other data are told by a figure, data of the same kind raise no alarm; on simulated boxes."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.box_size import BoxSettings, window_side
from napari_pickeroptimizer.boxes import cut_windows, render, working_image
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import initial_network
from napari_pickeroptimizer.simulate import SimulationSettings, simulate_micrograph
from napari_pickeroptimizer.trust.drift import check_drift, reference_of
from napari_pickeroptimizer.trust.reference import (
    GREY_NAMES,
    MicrographFigures,
    Reference,
    grey_figures,
    measure_reference,
)

N_MICROGRAPHS = 5
BOXES = BoxSettings(diameter_ang=160.0)
USUAL: dict[str, Any] = {
    "n_particles": 30, "shape_px": (480, 500), "pixel_size_ang": 3.6, "diameter_ang": 160.0,
    "carbon_chance": 0.5,
}  # fmt: skip


@cache
def classifier() -> Classifier:
    """The bundled network: its features are there before any fine-tuning."""
    card = ModelCard((1, 2), ("particle", "contaminant"), "resnet18_half", BOXES, 3.6)
    return Classifier(initial_network("bundled", None, 2).eval(), card)


def seen(seed: int, *, invert: bool = False, told_ang: float | None = None, **changes: Any):
    """Boxes, features, P(particle) and micrograph number of picks; P by a good model."""
    settings = SimulationSettings(**{**USUAL, **changes})
    pixel_size = told_ang or settings.pixel_size_ang
    boxes, p_particle, number = [], [], []
    for i in range(N_MICROGRAPHS):
        found = simulate_micrograph(settings, np.random.default_rng((seed, i)))
        image = working_image(-found.image if invert else found.image, BOXES, pixel_size)
        coords = found.picks[["y", "x"]].to_numpy()
        boxes.append(render(cut_windows(image, coords, window_side(BOXES)), BOXES.box_px))
        p_particle.append(np.where(found.picks["class"] == 1, 0.9, 0.1))
        number.append(np.full(len(coords), i))
    cut = torch.cat(boxes)
    _, features = classifier().predict_with_features(cut, n_views=1)
    return cut, features, np.concatenate(p_particle), np.concatenate(number)


@cache
def reference(seed: int) -> Reference:
    boxes, *figures = seen(seed)
    measured = measure_reference(boxes.numpy(), *figures)
    assert measured is not None
    return measured


def drift(seed: int, here: Any, pixel_size_ang: float = 3.6):
    card = dataclasses.replace(
        classifier().card, training={"reference": reference(seed).to_dict()}
    )
    boxes, features, p, number = here
    grey = grey_figures(boxes.numpy())
    figures = {
        str(i): MicrographFigures.of(grey[number == i], features[number == i], p[number == i])
        for i in np.unique(number)
    }
    return check_drift(card, figures, [pixel_size_ang])


@pytest.mark.parametrize("seed", range(6))
def test_more_data_of_the_same_kind_raise_no_alarm(seed: int) -> None:
    found = drift(seed % 3, seen(100 + seed))
    assert found.warnings == ()
    assert found.record["features"]["distance"] < found.record["features"]["limit"]


OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "inverted contrast": ({"invert": True}, "look different"),
    "a wrong pixel size": ({"told_ang": 1.8}, "look different"),
    "much less defocus": ({"defocus_um": (0.3, 0.5)}, "look different"),
    "no dose to speak of": ({"dose_e_per_ang2": 2.0}, "look different"),
    "another particle": ({"shape": "ring", "diameter_ang": 320.0}, "look different"),
    "a picker of rubbish": ({"false_share": 0.9, "recall": 0.1}, "but took 62 %"),
}


@pytest.mark.parametrize("what", OTHER)
@pytest.mark.parametrize("seed", range(2))
def test_other_data_are_told_with_the_figure_that_tells(what: str, seed: int) -> None:
    changes, words = OTHER[what]
    found = drift(seed, seen(200 + seed, **changes))
    assert any(words in w for w in found.warnings), found
    assert found.warnings[-1].endswith("check the result carefully.")


def test_the_grey_figure_that_differs_most_is_named() -> None:
    boxes, features, p, number = seen(300)
    told = drift(0, (boxes + 3.0, features, p, number)).warnings
    named = re.search(
        r"largest difference being in (.+) \((\S+) here, (\S+) at fine-tuning\)", told[0]
    )
    assert named is not None, told
    assert named[1].startswith("grey level at radius")  # those are what was raised, by 3
    assert float(named[2]) - float(named[3]) == pytest.approx(3, abs=0.5)


def test_another_pixel_size_is_told_and_a_rounded_one_is_not() -> None:
    here = seen(400)
    assert drift(0, here, pixel_size_ang=3.61).warnings == ()
    (said,) = drift(0, here, pixel_size_ang=1.8).warnings
    assert "the model was fine-tuned at 3.6 Å per pixel, these micrographs have 1.8" in said


def test_one_odd_micrograph_of_many_is_no_drift() -> None:
    boxes, features, p, number = seen(500)
    boxes = boxes + 3.0 * torch.from_numpy(number == 2)[:, None, None, None]
    found = drift(0, (boxes, features, p, number))
    assert found.warnings == ()
    assert found.record["grey_levels"]["micrographs_beyond"] >= 1


def test_many_micrographs_of_a_pick_each_are_judged_together() -> None:
    boxes, features, p, number = seen(600, invert=True)
    found = drift(0, (boxes, features, p, np.arange(len(number))))
    assert any("look different" in w for w in found.warnings)


def test_without_a_reference_nothing_is_compared_but_the_pixel_size() -> None:
    card = classifier().card
    assert check_drift(card, {}, [3.6]).warnings == ()
    assert check_drift(card, {}, [7.2]).warnings != ()
    assert check_drift(card, {}, [None]).record == {}
    damaged = dataclasses.replace(card, training={"reference": {"share": "?"}})
    assert reference_of(damaged) is None


def test_a_reference_is_what_was_stored() -> None:
    again = Reference.from_dict(reference(0).to_dict())
    assert again.share == pytest.approx(reference(0).share, abs=1e-4)
    np.testing.assert_allclose(again.grey.mean, reference(0).grey.mean, rtol=1e-4)
    broken = {**reference(0).to_dict(), "grey": {"mean": [1, 2], "spread": [1], "limit": 1}}
    with pytest.raises(ValueError, match=r"\(2,\) means"):
        Reference.from_dict(broken)


def test_too_few_picks_are_no_reference() -> None:
    boxes = np.zeros((4, 1, 48, 48), np.float32)
    few = np.zeros((4, 3)), np.zeros(4), np.zeros(4, int)
    assert measure_reference(boxes, *few) is None


def test_grey_figures_of_boxes_whose_answer_is_known() -> None:
    columns = np.arange(48)
    stripes = np.broadcast_to((columns % 2) * 2.0 - 1.0, (48, 48))
    level = np.full((48, 48), 5.0)
    figures = grey_figures(np.stack([stripes + 1, level])[:, None])
    assert figures[:, 0].tolist() == [1.0, 5.0]
    assert figures[0, 1] == pytest.approx(0.0, abs=1e-6)  # log of a spread of 1
    assert figures[0, 2] == pytest.approx(0.0, abs=1e-5)
    assert figures[1, list(GREY_NAMES).index("grey level at radius 1 of 6")] == pytest.approx(
        5
    )
    assert grey_figures(np.zeros((0, 1, 48, 48))).shape == (0, len(GREY_NAMES))
