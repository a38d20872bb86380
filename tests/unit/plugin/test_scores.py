"""Scores stream in micrograph by micrograph, and follow labels and picks that are added."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin.scores import N_DIRECTIONS, Scores, summarise_scores
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.reading import MicrographFailed, MicrographRows

NAMES = ("b.mrc", "a.mrc")


def model_of(*class_ids: int) -> Classifier:
    names = ("particle", "contaminant", "carbon")
    card = ModelCard(
        class_ids,
        tuple(names[c - 1] for c in class_ids),
        "resnet18",
        BoxSettings(diameter_px=9),
    )
    return Classifier(None, card)  # type: ignore[arg-type]


def some_picks(n: int = 40, seed: int = 0) -> Picks:
    rng = np.random.default_rng(seed)
    return Picks.from_arrays(
        np.repeat(NAMES, n // 2), x=rng.uniform(0, 200, n), y=rng.uniform(0, 200, n)
    )


def event(rows: np.ndarray, i: int, seed: int = 0, n_outside: int = 0) -> MicrographScored:
    rng = np.random.default_rng(seed + i)
    p = rng.dirichlet([1, 1, 1], len(rows)).astype(np.float32)
    p[:n_outside] = np.nan
    features = rng.standard_normal((len(rows), 200)).astype(np.float32)
    return MicrographScored(
        MicrographRows(NAMES[i], None, rows), p, n_outside, i + 1, 2, features
    )


def complete(picks: Picks, model: Any = None) -> Scores:
    scores = Scores.begin(picks, model or model_of(1, 2, 3))
    for i in range(2):
        scores.take_micrograph(event(np.arange(20) + 20 * i, i))
    scores.finish(summarise_scores(scores.card, scores.picks_scored(picks)))
    return scores


def test_they_come_micrograph_by_micrograph() -> None:
    scores = Scores.begin(some_picks(), model_of(1, 2, 3))
    assert scores.names == NAMES  # in the order of the picks
    assert np.isnan(scores.p_particle).all()
    rows = scores.take_micrograph(event(np.arange(20), 0, n_outside=2))
    np.testing.assert_array_equal(rows, np.arange(20))
    assert np.isnan(scores.p_particle).sum() == 22
    assert scores.outside == {"b.mrc": 2}
    scores.take_micrograph(
        MicrographFailed(MicrographRows("a.mrc", None, np.arange(20, 40)), "broken", 2, 2)
    )
    assert scores.failures == {"a.mrc": "broken"}
    assert (scores.n_done, scores.n_total, scores.complete) == (2, 2, False)


def test_features_are_kept_in_few_directions_that_are_always_the_same() -> None:
    one, other = complete(some_picks()), complete(some_picks())
    assert one.features is not None
    assert one.features.shape == (40, N_DIRECTIONS)
    assert one.features.dtype == np.float16
    np.testing.assert_array_equal(one.features, other.features)
    true = event(np.arange(20), 0).features
    far, shown = ((f[1:] - f[0]).astype(float) for f in (true, one.features[:20]))
    ratio = np.linalg.norm(shown, axis=1) / np.linalg.norm(far, axis=1)
    assert np.abs(ratio - 1).max() < 0.5  # distances stay about what they were
    without = Scores.begin(some_picks(), model_of(1, 2, 3), keep_features=False)
    without.take_micrograph(event(np.arange(20), 0))
    assert without.features is None


def test_the_best_other_class_is_one_that_the_model_knows() -> None:
    scores = complete(some_picks())
    others = scores.probabilities[:, 1:].argmax(axis=1) + 2
    np.testing.assert_array_equal(scores.other_class(), others)
    alone = Scores.begin(some_picks(), model_of(1))
    assert (alone.other_class(np.arange(3)) == 2).all()


def test_picks_that_are_added_are_unscored() -> None:
    picks = some_picks()
    scores = complete(picks)
    more = concatenate([picks, Picks.from_arrays(["new.mrc", "a.mrc"], x=[1, 2], y=[3, 4])])
    scores.rearrange(more, np.array([*range(40), -1, -1]))
    assert len(scores) == 42
    assert scores.names == (*NAMES, "new.mrc")
    assert scores.codes[-2:].tolist() == [2, 1]
    assert scores.features is not None
    assert len(scores.features) == 42
    assert np.isnan(scores.scored_picks(more).particle_probability[-2:]).all()
