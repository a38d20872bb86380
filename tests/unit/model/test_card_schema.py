"""Of a model's card nothing is taken that has not the type and the range it must have."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fuzzing import bounded, edited, edits_with
from hypothesis import given
from hypothesis import strategies as st

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.trust import Calibration, HeldOutScores
from napari_pickeroptimizer.trust.reference import GREY_NAMES, FeatureStatistics, Reference

Place = tuple[str | int, ...]
GREY, FEATURES = (
    FeatureStatistics(np.full(n, 0.5), np.ones(n), 0.5) for n in (len(GREY_NAMES), 2)
)
CARD = ModelCard(
    class_ids=(1, 2, 3),
    class_names=("particle", "contaminant", "carbon"),
    backbone="resnet18_half",
    boxes=BoxSettings(diameter_px=108.0, diameter_ang=191.16),
    pixel_size_ang=1.77,
    training={
        "labels": {"particle": 20, "contaminant": 20, "carbon": 20},
        "n_unlabelled": 512,
        "shares_of_picks": {"particle": 0.5, "contaminant": 0.3, "carbon": 0.2},
        "settings": {
            "diameter_px": 108.0, "box_factor": 1.5, "box_px": 48, "n_folds": 3,
            "augmentation": {"shift": 0.03}, "branch_weights": [1.0, 1.0],
            "class_names": {"4": "edge"},
        },
        "validation": {
            "n_folds": 3, "n_repeats": 1, "grouped_by_micrograph": True, "accuracy": 0.9,
            "macro_f1": 0.9,
        },
        "reference": Reference(60, 2, GREY, FEATURES, 0.6, 0.3).to_dict(),
        "labels_digest": "0123",
    },
    versions={"torch": "2"},
    calibration=Calibration(0.8, 0.2),
    held_out_scores=HeldOutScores(np.array([1.0, -1.0]), np.array([True, False])),
)  # fmt: skip
VALUES: dict[str, Any] = json.loads(CARD.to_json())


def places(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value in a card, inner ones too, and where it is."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*at, key), item
        if isinstance(item, dict | list):
            yield from places(item, (*at, key))


EVERYWHERE = dict(places(VALUES))


def with_value(at: Place, value: Any) -> str:
    """The card's text with another value at a place."""
    values = copy.deepcopy(VALUES)
    inner = values
    for key in at[:-1]:
        inner = inner[key]  # type: ignore[index]
    inner[at[-1]] = value  # type: ignore[index]
    return json.dumps(values)


def name(at: Place) -> str:
    return ".".join(map(str, at))


def refused(text: str, words: str = "the model's card is damaged") -> None:
    with pytest.raises(CheckpointError, match=words):
        ModelCard.from_json(text)


def test_the_card_that_is_spoilt_here_is_good() -> None:
    assert ModelCard.from_json(CARD.to_json()).to_json() == CARD.to_json()


@pytest.mark.parametrize("at", EVERYWHERE, ids=name)
def test_a_value_of_another_type_is_refused(at: Place) -> None:
    for odd in ("text", True, [[]], {"": []}):
        if type(odd) is not type(EVERYWHERE[at]):
            refused(with_value(at, odd))


NUMBERS = [at for at, value in EVERYWHERE.items() if type(value) in (int, float)]


@pytest.mark.parametrize("at", NUMBERS, ids=name)
def test_a_number_that_is_none_or_beyond_all_bounds_is_refused(at: Place) -> None:
    for odd in (float("nan"), float("inf"), -float("inf"), 10**30, 10**4000):
        refused(with_value(at, odd))


SIGNED = ("intercept", "logits", "mean")


@pytest.mark.parametrize("at", [at for at in NUMBERS if not set(SIGNED) & set(at)], ids=name)
def test_counts_shares_and_lengths_are_not_negative(at: Place) -> None:
    refused(with_value(at, -1))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("boxes", "box_px"), 0),
        (("boxes", "box_px"), 48.5),
        (("boxes", "box_px"), 100_000),
        (("boxes", "box_factor"), 0),
        (("boxes", "box_factor"), 1e9),
        (("boxes", "diameter_px"), 0),
        (("boxes", "diameter_px"), 1e9),
        (("boxes", "diameter_ang"), 1e9),
        (("boxes",), {"diameter_px": None, "diameter_ang": None, "box_px": 48}),
        (("pixel_size_ang",), 0),
        (("pixel_size_ang",), 1e9),
        (("backbone",), "resnet19"),
        (("calibration", "slope"), 0),
        (("calibration", "slope"), 1e9),
        (("calibration", "intercept"), 1e9),
        (("held_out_scores", "logits", 0), 1e9),
        (("held_out_scores", "logits"), [1.0]),
        (("held_out_scores", "suggested"), [True]),
        (("held_out_scores", "micrograph"), [0]),
        (("held_out_scores", "micrograph"), [0, -1]),
        (("held_out_scores", "is_particle"), [True, True]),
        (("training", "reference", "grey"), FEATURES.to_dict()),
        (("training", "reference", "features", "mean"), [1.0]),
        (("training", "reference", "grey", "spread", 0), 0),
        (("training", "validation", "accuracy"), 1.5),
        (("training", "settings", "branch_weights"), [1.0]),
        (("class_names",), ["particle", "contaminant"]),
        (("class_names",), ["particle", "carbon", "carbon"]),
        (("class_names", 0), "two\nlines"),
        (("class_names", 0), "half a character \ud800"),
        (("format_version",), 0),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(at: Place, value: Any) -> None:
    refused(with_value(at, value))


@pytest.mark.parametrize(
    "ids",
    [[1, 1, 2], [0, 1, 2], [1, 2, 7], [1, 2], [1, 2, 3, 4], [], ["1", "2", "3"], [1, 2, 3.5]],
    ids=str,
)  # fmt: skip
def test_class_ids_are_different_numbers_from_1_to_6_with_a_name_each(ids: list[Any]) -> None:
    refused(with_value(("class_ids",), ids))


def test_categories_of_a_pretraining_are_numbered_and_may_be_many() -> None:
    n = 9
    values = {**VALUES, "training": {"kind": "pretraining"}, "class_ids": [*range(1, n + 1)]}
    values["class_names"] = [f"category {i}" for i in range(n)]
    assert ModelCard.from_json(json.dumps(values)).is_pretrained
    refused(json.dumps({**values, "class_ids": [*range(2, n + 2)]}))


@pytest.mark.parametrize("key", ["class_ids", "class_names", "backbone", "boxes"])
def test_what_is_missing_is_named(key: str) -> None:
    refused(json.dumps({k: v for k, v in VALUES.items() if k != key}), f"{key} is missing")


def test_what_is_unknown_or_there_twice_is_named() -> None:
    refused(json.dumps({**VALUES, "colour": 1}), "'colour' is unknown")
    refused(
        '{"format_version": 5, ' + CARD.to_json().lstrip("{"),
        "'format_version' is there twice",
    )


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" + "[]," * 20_000_000, "1" * 10_000],
    ids=["deep lists", "deep objects", "very many lists", "very many digits"],
)  # fmt: skip
def test_a_bomb_is_refused(text: str) -> None:
    refused(text)


MARKS = [b"{", b"}", b'"', b"[", b"]", b",", b"\0", b"\xff", b"\\u0000", b"1e999", b"-1", b"NaN",
         b"9" * 30, b"null"]  # fmt: skip
odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([2**63, 10**400, "1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@bounded
@given(st.sampled_from([at for at, _ in places(VALUES)]), odd_values)
def test_a_card_with_an_odd_value_is_a_card_or_refused(at: Place, value: Any) -> None:
    try:
        card = ModelCard.from_json(with_value(at, value))
    except CheckpointError:
        return
    assert ModelCard.from_json(card.to_json()).to_json() == card.to_json()


@bounded
@given(st.lists(edits_with(MARKS), min_size=1, max_size=3))
def test_the_text_of_a_card_is_a_card_or_refused(changes) -> None:
    text = edited(CARD.to_json().encode(), changes).decode(errors="replace")
    try:
        card = ModelCard.from_json(text)
    except CheckpointError:
        return
    assert ModelCard.from_json(card.to_json()).to_json() == card.to_json()
