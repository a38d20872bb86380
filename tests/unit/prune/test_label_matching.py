"""A label counts for the pick it lies on, or is reported; no pick is made of it."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.label_matching import (
    LabelMatch,
    match_labels,
    match_labels_by_name,
)
from napari_pickeroptimizer.reading import group_by_micrograph

MICROGRAPHS = Micrographs.named(["Micrographs/a.mrc", "Micrographs/b.mrc"])
BOXES = BoxSettings(diameter_px=100)  # labels within 20 px
PICKS = Picks.from_arrays(
    ["a.mrc", "a.mrc", "a.mrc", "b.mrc"], x=[10, 60, 500, 10], y=[10, 10, 500, 10]
)


def match(
    picks: Picks, labels: Picks, micrographs: Micrographs, boxes: BoxSettings
) -> LabelMatch:
    groups = group_by_micrograph(micrographs, picks)
    return match_labels(groups, picks, labels, micrographs, boxes)


def labelled(names, x, y, label):
    return match(PICKS, Picks.from_arrays(names, x=x, y=y, label=label), MICROGRAPHS, BOXES)


def test_a_label_goes_to_the_nearest_pick_of_its_micrograph() -> None:
    match = labelled(["Micrographs/a.mrc", "b"], [57.0, 10.0], [10.0, 12.0], [2, 1])
    assert match.picks.labels.tolist() == [0, 2, 0, 1]
    assert (match.n_labels, match.n_matched, match.warnings) == (2, 2, [])


def test_labels_that_fit_no_pick_are_counted_and_make_none() -> None:
    names = ["a", "a", "gone.mrc", "b"]
    match = labelled(names, [300.0, 30.1, 10.0, 10.0], [300.0, 10.0, 10.0, 10.0], [1, 2, 1, 1])
    assert len(match.picks) == len(PICKS)
    assert match.picks.labels.tolist() == [0, 0, 0, 1]
    assert match.unmatched.tolist() == [0, 1, 2]
    assert "3 of 4 labels match no pick (2 of them particles)" in match.warnings[0]


def test_of_two_labels_on_a_pick_the_nearer_counts_and_contradiction_is_told() -> None:
    match = labelled(["a"] * 3, [13.0, 11.0, 16.0], [10.0] * 3, [1, 2, 2])
    assert match.picks.labels.tolist() == [2, 0, 0, 0]
    assert match.n_conflicts == 1
    assert "1 labels lie on a pick" in match.warnings[0]


def test_own_labels_stay_where_no_other_comes() -> None:
    own = PICKS.with_labels([1, 1, 3, 0])
    labels = Picks.from_arrays("a", x=[60.0], y=[10.0], label=2)
    assert match(own, labels, MICROGRAPHS, BOXES).picks.labels.tolist() == [1, 2, 3, 0]


def test_a_small_particle_still_gets_a_pixel() -> None:
    labels = Picks.from_arrays("a", x=[60.9], y=[10.0], label=2)
    result = match(PICKS, labels, MICROGRAPHS, BoxSettings(diameter_px=5))
    assert result.n_matched == 1


def test_labels_without_a_label_are_refused_decisions_told() -> None:
    with pytest.raises(LabelError, match="expected a column rlnParticleSelectionType"):
        labelled(["a"], [1.0], [1.0], [0])
    decided = PICKS.with_columns(predicted=[1, 2, 1, 1])
    with pytest.raises(LabelError, match="decisions of an earlier pruning"):
        match(PICKS, decided, MICROGRAPHS, BOXES)


def test_by_name_labels_go_to_the_nearest_pick_of_the_micrograph_that_is_spelt_alike() -> None:
    picks = Picks.from_arrays(["a", "a", "b"], x=[10, 20, 10], y=[10, 10, 10])
    labels = Picks.from_arrays(["b", "a"], x=[10.4, 19.5], y=[10, 10], label=[3, 1])
    match = match_labels_by_name(picks, labels)
    assert match.picks.labels.tolist() == [0, 1, 3]
    assert match.n_matched == 2


@pytest.mark.parametrize(
    ("pick", "label", "is_same"),
    [
        ("Micrographs/a.mrc", "a.mrc", True),
        ("a.mrc", "Micrographs/a.mrc", True),
        ("Micrographs/a.mrc", "a", True),
        ("day1/a.mrc", "day2/a.mrc", False),
        ("1@a.mrcs", "2@a.mrcs", False),
    ],
)
def test_by_name_names_mean_what_they_mean_elsewhere(
    pick: str, label: str, is_same: bool
) -> None:
    picks = Picks.from_arrays(pick, x=[10], y=[10])
    labels = Picks.from_arrays(label, x=[10], y=[10], label=[2])
    matched = match_labels_by_name(picks, labels)
    assert matched.picks.labels.tolist() == [2 if is_same else 0]
    assert matched.n_matched == is_same


def test_by_name_a_name_that_fits_two_micrographs_is_not_guessed() -> None:
    picks = Picks.from_arrays(["day1/a.mrc", "day2/a.mrc"], x=[10, 10], y=[10, 10])
    labels = Picks.from_arrays(["a.mrc", "day2/a.mrc"], x=[10, 10], y=[10, 10], label=[1, 2])
    matched = match_labels_by_name(picks, labels)
    assert matched.picks.labels.tolist() == [0, 2]
    assert matched.unmatched.tolist() == [0]


def test_by_name_one_micrograph_spelled_in_two_ways_has_one_set_of_picks() -> None:
    picks = Picks.from_arrays(["a.mrc", "Micrographs/a.mrc"], x=[10, 30], y=[10, 10])
    labels = Picks.from_arrays("Micrographs/a.mrc", x=[10, 30], y=[10, 10], label=[1, 2])
    assert match_labels_by_name(picks, labels).picks.labels.tolist() == [1, 2]


def test_by_name_labels_far_away_or_on_other_micrographs_are_lost() -> None:
    picks = Picks.from_arrays("a", x=[10], y=[10], label=[2])
    labels = Picks.from_arrays(["a", "z"], x=[15, 10], y=[10, 10], label=[1, 1])
    match = match_labels_by_name(picks, labels)
    assert match.picks.labels.tolist() == [2]
    assert (match.n_matched, match.unmatched.tolist()) == (0, [0, 1])


def test_by_name_the_nearest_of_two_labels_counts_and_none_is_needed() -> None:
    picks = Picks.from_arrays("a", x=[10], y=[10])
    labels = Picks.from_arrays("a", x=[9.6, 10.8], y=[10, 10], label=[1, 2])
    match = match_labels_by_name(picks, labels)
    assert (match.picks.labels.tolist(), match.n_conflicts) == ([1], 1)
    assert match_labels_by_name(picks, picks).n_labels == 0


@pytest.mark.parametrize(("moved", "class_id"), [(0.0, 2), (19.9, 2), (20.1, 0)])
def test_a_label_follows_a_pick_that_moved_by_less_than_a_fifth_of_the_diameter(
    moved: float, class_id: int
) -> None:
    result = labelled(["a"], [500.0 + moved], [500.0], [2])
    assert result.picks.labels.tolist() == [0, 0, class_id, 0]
    assert len(result.unmatched) == (class_id == 0)


def test_labels_of_two_classes_at_one_place_are_left_out_and_it_is_told() -> None:
    result = labelled(["a", "Micrographs/a.mrc", "b"], [10, 10, 10], [10, 10, 10], [1, 2, 1])
    assert result.picks.labels.tolist() == [0, 0, 0, 1]
    assert (result.n_labels, result.n_matched, len(result.unmatched)) == (3, 1, 0)
    assert result.warnings[0].startswith(
        "1 places are labelled as two classes, first a, x = 10"
    )


def test_a_label_is_that_of_every_pick_at_its_place() -> None:
    picks = Picks.from_arrays("a", x=[10, 60, 10, 10.1], y=[10, 60, 10, 10])
    labels = Picks.from_arrays("a", x=[9.0], y=[10.0], label=2)
    result = match(picks, labels, MICROGRAPHS, BOXES)
    assert result.picks.labels.tolist() == [2, 0, 2, 0]
    assert result.n_matched == 1
