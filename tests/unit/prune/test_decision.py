"""What a dragged threshold counts is what `decide` decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decide import decide
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.output import write_outputs
from napari_pickeroptimizer.prune.place_rules import Frame

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


def decide_one_by_one(
    picks: Picks, threshold: float, frames: Sequence[Frame] = ()
) -> pd.DataFrame:
    """The rules in plain Python, slow and without any of the code under test."""
    table = picks.table.reset_index(drop=True)
    predicted, by = [0] * len(table), ["none"] * len(table)
    stays = []  # places of the picks that are kept, of the best downwards
    frame_of = {int(row): frame for frame in frames for row in frame.rows}
    order = sorted(range(len(table)), key=lambda i: -np.nan_to_num(table.probability_1[i]))
    for i in sorted(order, key=lambda i: table.label[i] != 1):
        pick, frame = table.loc[i], frame_of.get(i)
        if pick.label:
            predicted[i], by[i] = pick.label, "label"
        elif not np.isnan(pick.probability_1):
            predicted[i], by[i] = (
                (3 if pick.probability_3 > pick.probability_2 else 2),
                "score",
            )
            if pick.probability_1 >= threshold:
                by[i] = place_rule(pick, frame, stays) if frame else "score"
                predicted[i] = 1 if by[i] == "score" else predicted[i]
        if predicted[i] == 1:
            stays.append(pick)
    return pd.DataFrame({"predicted": predicted, "decided_by": by})


def place_rule(pick: pd.Series, frame: Frame, stays: list[pd.Series]) -> str:
    if frame.shape_px is not None:
        ny, nx = frame.shape_px
        edges = (pick.x + 0.5, nx - pick.x - 0.5, pick.y + 0.5, ny - pick.y - 0.5)
        if min(edges) < frame.edge_distance_px:
            return "edge"
    for other in stays:
        far = np.hypot(pick.x - other.x, pick.y - other.y)
        if other.micrograph == pick.micrograph and far < frame.min_distance_px:
            return "distance"
    return "score"


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_outcome_is_that_of_decide(threshold: float) -> None:
    picks = some_picks()
    decision = decision_of(picks)
    expected = decide_one_by_one(picks, threshold)["predicted"].to_numpy()
    np.testing.assert_array_equal(decision.predicted(threshold), expected)
    np.testing.assert_array_equal(decide(picks, threshold).table["predicted"], expected)
    counts = decision.counts(threshold)
    assert (counts.kept, counts.unscored) == ((expected == 1).sum(), (expected == 0).sum())
    assert counts.rejected_by_class == {c: (expected == c).sum() for c in (2, 3)}
    assert sum(counts.rejected_by_reason.values()) == counts.rejected
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
    decision = decision_of(picks)
    decision.set_places(picks.coords_yx_px(), frames)
    assert decision.blocked_by.any()
    expected = decide_one_by_one(picks, threshold, frames)
    np.testing.assert_array_equal(decision.predicted(threshold), expected["predicted"])
    np.testing.assert_array_equal(decision.reason(threshold), expected["decided_by"])
    counts = decision.counts(threshold)
    assert counts.rejected_by_place == expected["decided_by"].isin(["distance", "edge"]).sum()
    assert counts.kept == (expected["predicted"] == 1).sum()
    assert counts.rejected_by_reason == {
        reason: n
        for reason in ("score", "label", "distance", "edge")
        if (n := ((expected["predicted"] > 1) & (expected["decided_by"] == reason)).sum())
    }


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
    found = decision_of(picks).histogram()
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


# --------------------------------------------------- scores at the very edge of a threshold


def edge_scores() -> np.ndarray:
    """Float32 scores on, just below and just above thresholds, and other odd numbers."""
    on = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1 / 3], dtype=np.float32)
    tiny = np.array([0, 1, 1e-45, 1e-38, np.finfo(np.float32).tiny], dtype=np.float32)
    beside = [np.nextafter(v, np.float32(to)) for v in (*on, *tiny[:2]) for to in (0, 1)]
    return np.concatenate([on, tiny, np.array(beside, np.float32), [np.float32("nan")]])


def edge_thresholds() -> list[float]:
    """Thresholds as they are typed, as float32 holds them, and the doubles beside both."""
    typed = [0.0, 0.1, 0.3, 1 / 3, 0.5, 0.7, 0.9, 1.0]
    both = [*typed, *(float(np.float32(t)) for t in typed)]
    beside = [float(np.nextafter(t, to)) for t in both for to in (0.0, 1.0)]
    return sorted({*both, *beside, 1e-45, 5e-324})


@pytest.mark.parametrize("threshold", edge_thresholds())
def test_a_score_at_the_threshold_is_on_one_side_everywhere(
    threshold: float, tmp_path: Path
) -> None:
    p = edge_scores()
    n = len(p)
    names = np.where(np.arange(n) % 2, "a.mrc", "b.mrc")
    probabilities = np.column_stack([p, 0.75 * (1 - p), 0.25 * (1 - p)]).astype(np.float32)
    picks = Picks.from_arrays(names, x=np.arange(n), y=np.arange(n)).with_columns(
        **{f"probability_{c}": probabilities[:, i] for i, c in enumerate((1, 2, 3))}
    )
    expected = [0 if np.isnan(value) else 1 if float(value) >= threshold else 2 for value in p]
    decision = Decision.of_picks(picks)
    one_by_one = [int(decision.predicted(threshold, np.array([i]))[0]) for i in range(n)]
    decided = decision.decided(picks, threshold)
    assert decision.predicted(threshold).tolist() == one_by_one == expected
    assert decided.table["predicted"].tolist() == expected
    assert decide(picks, threshold).table["predicted"].tolist() == expected
    counts = decision.counts(threshold)
    assert (counts.kept, counts.rejected, counts.unscored) == tuple(
        expected.count(c) for c in (1, 2, 0)
    )
    by = decision.by_micrograph(threshold)
    for i, name in enumerate(by.names):
        here = [c for c, of in zip(expected, names, strict=True) if of == name]
        assert (by.n_kept[i], by.n_rejected[i]) == (here.count(1), here.count(2))
    write_outputs(decided, tmp_path)
    for part, its_class in (("kept", 1), ("rejected", 2)):
        wanted = [float(x) for x, c in enumerate(expected) if c == its_class]
        file = tmp_path / f"{part}.star"
        assert (read_picks(file).table["x"].tolist() if wanted else []) == wanted
