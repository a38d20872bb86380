"""What a dragged threshold counts is what `decide` decides."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decide import Frame, decide
from napari_pickeroptimizer.prune.decision import Decision

THRESHOLDS = (0.0, 0.1, 0.35, 0.7, 0.999, 1.0)
NAMES = ("a.mrc", "b.mrc", "c.mrc")


def some_picks(n: int = 300, seed: int = 0) -> Picks:
    """Scored picks on three micrographs: some unscored, some labelled, some both."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.5, 0.4, 0.3], n).astype(np.float32)
    p[rng.choice(n, 30, replace=False)] = np.nan
    labels = np.zeros(n, dtype=np.int8)
    labels[rng.choice(n, 40, replace=False)] = rng.integers(1, 4, 40)
    names = np.array(NAMES)[rng.integers(3, size=n)]
    picks = Picks.from_arrays(names, x=rng.uniform(0, 500, n), y=rng.uniform(0, 500, n))
    columns = {f"probability_{c}": p[:, i].astype(np.float64) for i, c in enumerate((1, 2, 3))}
    return picks.with_labels(labels).with_columns(**columns)


def decision_of(picks: Picks, **more: object) -> Decision:
    codes = np.array([NAMES.index(name) for name in picks.table["micrograph"]])
    others = picks.table[["probability_2", "probability_3"]].to_numpy()
    other = (np.nan_to_num(others).argmax(axis=1) + 2).astype(np.int8)
    return Decision(picks.particle_probability, other, picks.labels, codes, NAMES, **more)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_outcome_is_that_of_decide(threshold: float) -> None:
    picks = some_picks()
    decision = decision_of(picks)
    expected = decide(picks, threshold).table["predicted"].to_numpy()
    np.testing.assert_array_equal(decision.predicted(threshold), expected)
    counts = decision.counts(threshold)
    assert (counts.kept, counts.unscored) == ((expected == 1).sum(), (expected == 0).sum())
    assert counts.rejected_by_class == {c: (expected == c).sum() for c in (2, 3)}
    assert counts.kept + counts.rejected + counts.unscored == counts.n_picks == len(picks)
    labels = picks.labels
    assert (counts.kept_by_label, counts.rejected_by_label) == (
        (labels == 1).sum(),
        (labels > 1).sum(),
    )
    by = decision.by_micrograph(threshold)
    for i, name in enumerate(NAMES):
        here = (picks.table["micrograph"] == name).to_numpy()
        assert by.n_picks[i] == here.sum()
        assert by.n_kept[i] == (expected[here] == 1).sum()
        assert by.n_rejected[i] == (expected[here] > 1).sum()
        assert by.mean_score[i] == pytest.approx(
            np.nanmean(picks.particle_probability[here]), rel=1e-9
        )


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_distances_cost_the_same_picks_at_every_threshold(threshold: float) -> None:
    # which is why they are found once, at a threshold of 0
    picks = some_picks()
    frames = [
        Frame(rows, (500, 500), min_distance_px=25, edge_distance_px=10)
        for rows in picks.rows_by_micrograph().values()
    ]
    at_zero = decide(picks, 0.0, frames).table["decided_by"].to_numpy()
    blocked = np.isin(at_zero, ["distance", "edge"])
    assert blocked.any()
    decision = decision_of(picks, blocked=blocked)
    expected = decide(picks, threshold, frames).table
    np.testing.assert_array_equal(decision.predicted(threshold), expected["predicted"])
    counts = decision.counts(threshold)
    assert counts.rejected_by_place == expected["decided_by"].isin(["distance", "edge"]).sum()
    assert counts.kept == (expected["predicted"] == 1).sum()


def test_a_score_in_single_precision_is_compared_as_the_core_does() -> None:
    p = np.array([0.7, 0.3], dtype=np.float32)  # a little below 0.7, a little above 0.3
    decision = Decision(
        p, np.full(2, 2, np.int8), np.zeros(2, np.int8), np.zeros(2, int), ["a"]
    )
    assert decision.predicted(0.7).tolist() == [2, 2]
    assert decision.counts(0.7).kept == 0
    assert decision.predicted(0.3).tolist() == [1, 1]


def test_a_label_wins_and_its_undoing_gives_the_score_back_its_say() -> None:
    picks = some_picks()
    decision = decision_of(picks)
    before = decision.counts(0.5)
    row = np.flatnonzero((picks.particle_probability > 0.9) & (picks.labels == 0))[:1]
    decision.set_labels(row, np.array([3], dtype=np.int8))
    assert decision.counts(0.5).kept == before.kept - 1
    assert decision.predicted(0.5, row).tolist() == [3]
    assert decision.scored_class(0.5, row).tolist() == [1]
    decision.set_labels(row, np.array([0], dtype=np.int8))
    assert decision.counts(0.5) == before


def test_a_labelled_pick_counts_even_where_it_was_not_scored() -> None:
    decision = Decision(
        np.array([np.nan, np.nan]),
        np.full(2, 2, np.int8),
        np.array([1, 0], dtype=np.int8),
        np.array([0, 0]),
        ["a"],
    )
    counts = decision.counts(0.5)
    assert (counts.kept, counts.unscored) == (1, 1)
    by = decision.by_micrograph(0.5)
    assert by.share_kept.tolist() == [1.0]
    assert np.isnan(by.mean_score[0])


def test_the_histogram_holds_all_scores_and_the_labels_by_class() -> None:
    picks = some_picks()
    found = decision_of(picks).histogram(20)
    assert found.counts.sum() == np.isfinite(picks.particle_probability).sum()
    p = picks.particle_probability[np.isfinite(picks.particle_probability)]
    np.testing.assert_array_equal(found.counts, np.histogram(p, found.edges)[0])
    scored = np.isfinite(picks.particle_probability)
    assert {c: len(s) for c, s in found.label_scores.items()} == {
        c: (scored & (picks.labels == c)).sum() for c in (1, 2, 3)
    }


def test_nothing_scored_yet_is_no_error() -> None:
    decision = Decision(
        np.full(3, np.nan),
        np.full(3, 2, np.int8),
        np.zeros(3, np.int8),
        np.array([0, 0, 1]),
        ["a", "b"],
    )
    assert decision.counts(0.5).unscored == 3
    assert np.isnan(decision.by_micrograph(0.5).share_kept).all()
    assert decision.by_micrograph(0.5).check().warnings == ()
    assert decision.histogram().counts.sum() == 0
    assert decision.expectation(0.5) is None
