"""The fingerprint of labels: the same for the same labels, whichever way they came."""

from __future__ import annotations

import numpy as np

from napari_pickeroptimizer import read_picks, write_picks
from napari_pickeroptimizer.fewshot.label_digest import labels_digest


def test_order_and_unlabelled_picks_do_not_count(spot_project) -> None:
    picks = read_picks(spot_project.labels)
    order = np.random.default_rng(0).permutation(len(picks))
    assert labels_digest(picks.select(order)) == labels_digest(picks)
    some = np.where(np.arange(len(picks)) % 3, picks.labels, 0)
    labelled = picks.with_labels(some)
    assert labels_digest(labelled) == labels_digest(labelled.select(some > 0))


def test_another_class_or_place_is_another_fingerprint(spot_project) -> None:
    picks = read_picks(spot_project.labels)
    labels = picks.labels.copy()
    labels[3] = 4
    assert labels_digest(picks.with_labels(labels)) != labels_digest(picks)
    x = picks.table["x"].to_numpy() + 0.02
    assert labels_digest(picks.with_columns(x=x)) != labels_digest(picks)


def test_it_survives_a_file(spot_project, tmp_path) -> None:
    picks = read_picks(spot_project.picks)
    labels = (np.arange(len(picks)) % 4).astype(np.int8)
    (path,) = write_picks(picks.with_labels(labels), tmp_path / "labels.star")
    assert labels_digest(read_picks(path)) == labels_digest(picks.with_labels(labels))


def test_without_labels_there_is_one_too(spot_project) -> None:
    assert len(labels_digest(read_picks(spot_project.picks))) == 16
