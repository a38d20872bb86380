"""Labels find their picks by micrograph and place."""

from __future__ import annotations

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.transfer import transfer_labels


def test_labels_go_to_the_nearest_pick_of_their_own_micrograph():
    picks = Picks.from_arrays(["a", "a", "b"], x=[10, 20, 10], y=[10, 10, 10])
    labels = Picks.from_arrays(["b", "a"], x=[10.4, 19.5], y=[10, 10], label=[3, 1])
    labelled, n = transfer_labels(picks, labels)
    assert labelled.labels.tolist() == [0, 1, 3]
    assert n == 2


def test_labels_far_away_or_on_other_micrographs_are_not_given():
    picks = Picks.from_arrays("a", x=[10], y=[10], label=[2])
    labels = Picks.from_arrays(["a", "z"], x=[15, 10], y=[10, 10], label=[1, 1])
    labelled, n = transfer_labels(picks, labels)
    assert labelled.labels.tolist() == [2]
    assert n == 0


def test_one_label_alone_works():
    picks = Picks.from_arrays("a", x=[10], y=[10])
    labelled, _ = transfer_labels(picks, Picks.from_arrays("a", x=[10], y=[10], label=[1]))
    assert labelled.labels.tolist() == [1]
