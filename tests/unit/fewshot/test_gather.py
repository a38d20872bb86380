"""Windows of labels, of unlabelled picks, and of places where a picker found nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import LabelError, MicrographNotFoundError, SettingsError
from napari_pickeroptimizer.fewshot.events import LabelsLeftOut, LabelsSampled
from napari_pickeroptimizer.fewshot.gather import TrainingBoxes, gather
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks, concatenate


@pytest.fixture
def gathered(spot_project):
    """Gather boxes of the spot project; by default its labels beside all of its picks."""

    def run(labels: Picks | None = None, picks: Picks | None = None, **settings: object):
        *_, boxes = gather(
            Micrographs.find(spot_project.micrographs),
            read_picks(spot_project.labels) if labels is None else labels,
            picks,
            FineTuneSettings(diameter_px=24, **settings),  # type: ignore[arg-type]
        )
        assert isinstance(boxes, TrainingBoxes)
        return boxes

    return run


def on(picks: Picks, *names: str) -> Picks:
    stems = [Path(name).stem for name in picks.table["micrograph"]]
    return picks.select(np.isin(stems, names))


def middles(windows) -> np.ndarray:
    """Mean grey level of each window's middle, in standard deviations of the micrograph."""
    pixels = windows.pixels[:, 0].numpy()
    half = pixels.shape[-1] // 2
    return pixels[:, half - 3 : half + 3, half - 3 : half + 3].mean(axis=(1, 2))


def test_no_more_unlabelled_picks_are_read_than_the_settings_say(
    gathered, spot_project
) -> None:
    boxes = gathered(picks=read_picks(spot_project.picks), n_unlabelled=6)
    assert len(boxes.unlabelled) == 6
    assert np.abs(middles(boxes.unlabelled)).min() > 2  # dark and bright discs


def test_without_unlabelled_picks_there_are_no_windows_of_them(gathered, spot_project) -> None:
    labels = read_picks(spot_project.labels)
    for picks in (None, labels.select(np.zeros(len(labels), dtype=bool))):
        boxes = gathered(labels, picks)
        assert len(boxes.unlabelled) == 0
        assert boxes.unlabelled.pixels.shape[1:] == boxes.labelled.pixels.shape[1:]


def test_rows_without_a_label_are_unlabelled_picks(gathered, spot_project) -> None:
    labels = read_picks(spot_project.labels)
    some = labels.with_labels(np.where(np.arange(len(labels)) < 30, labels.labels, 0))
    boxes = gathered(some)
    assert (len(boxes.labelled), len(boxes.unlabelled)) == (30, 42)


def test_unlabelled_picks_come_from_labelled_micrographs_and_a_few_others(
    gathered, spot_project
) -> None:
    labels = on(read_picks(spot_project.labels), "m0")
    picks = read_picks(spot_project.picks)
    assert len(gathered(labels, picks, n_unlabelled_micrographs=0).unlabelled) == 24
    assert len(gathered(labels, picks, n_unlabelled_micrographs=1).unlabelled) == 48


def test_decisions_of_a_pruning_are_no_labels_and_it_is_said(spot_project) -> None:
    labels = read_picks(spot_project.labels)
    decided = labels.with_labels(0).with_columns(predicted=labels.labels)
    micrographs = Micrographs.find(spot_project.micrographs)
    with pytest.raises(LabelError, match=r"decisions of an earlier pruning.*--positive"):
        list(gather(micrographs, decided, None, FineTuneSettings(diameter_px=24)))


def test_only_labels_need_their_micrographs(gathered, spot_project) -> None:
    labels = read_picks(spot_project.labels)
    names = labels.table["micrograph"].str.replace("m2.mrc", "gone.mrc")
    elsewhere = labels.with_columns(micrograph=names)
    gone = names.str.endswith("gone.mrc").to_numpy()
    boxes = gathered(elsewhere.with_labels(np.where(gone, 0, labels.labels)))
    assert len(boxes.targets) == 48
    with pytest.raises(MicrographNotFoundError, match="micrographs of the labels"):
        gathered(elsewhere)


def test_a_diameter_that_fits_no_micrograph_is_refused_before_reading(
    spot_project, names_read: list[str]
) -> None:
    settings = FineTuneSettings(diameter_px=1.6)
    labels = read_picks(spot_project.labels)
    with pytest.raises(SettingsError, match="too small"):
        list(gather(Micrographs.find(spot_project.micrographs), labels, None, settings))
    assert names_read == []


def test_a_place_that_is_labelled_as_two_classes_teaches_neither_and_it_is_said(
    spot_project,
) -> None:
    labels = read_picks(spot_project.labels)
    again = labels.select(np.arange(len(labels)) < 4)
    clash = concatenate([labels, again.with_labels(3 - again.labels)])
    settings = FineTuneSettings(diameter_px=24)
    picks = read_picks(spot_project.picks)
    events = [*gather(Micrographs.find(spot_project.micrographs), clash, picks, settings)]
    assert isinstance(events[0], LabelsLeftOut)
    assert events[0].reason.startswith(
        "4 places are labelled as two classes, first Micrographs/"
    )
    boxes = events[-1]
    assert isinstance(boxes, TrainingBoxes)
    assert len(boxes.labelled) == len(boxes.targets) == len(labels) - 4


def test_a_place_that_is_labelled_twice_alike_teaches_once(gathered, spot_project) -> None:
    labels = read_picks(spot_project.labels)
    once, twice = gathered(labels), gathered(concatenate([labels, labels]))
    assert twice.labelled.pixels.equal(once.labelled.pixels)
    assert twice.targets.tolist() == once.targets.tolist()


def test_labels_that_all_contradict_each_other_are_refused_for_that(
    gathered, spot_project
) -> None:
    labels = read_picks(spot_project.labels)
    clash = concatenate([labels, labels.with_labels(3 - labels.labels)])
    with pytest.raises(LabelError, match="72 places are labelled as two classes"):
        gathered(clash)


def test_of_many_labels_a_sample_is_used_and_it_is_said(spot_project, names_read) -> None:
    settings = FineTuneSettings(diameter_px=24, n_labels=5, n_labelled_micrographs=2)
    settings = replace(settings, n_unlabelled_micrographs=0)
    labels = read_picks(spot_project.labels)
    first, *_, boxes = gather(
        Micrographs.find(spot_project.micrographs), labels, None, settings
    )
    assert first == LabelsSampled(10, 72, 2, 3)
    assert first.sentence == "A sample of 10 of 72 labels is used, on 2 of 3 micrographs."
    assert len(set(names_read)) == 2
    assert isinstance(boxes, TrainingBoxes)
    assert boxes.sampled == first
    assert np.bincount(boxes.targets).tolist() == [5, 5]
    for of_class in (boxes.targets == 0, boxes.targets == 1):
        assert sorted(np.bincount(boxes.groups[of_class]).tolist()) == [2, 3]


def test_labels_beyond_the_sample_are_unlabelled_picks_if_no_others_are_given(
    gathered, spot_project
) -> None:
    boxes = gathered(n_labels=5)
    assert len(boxes.unlabelled) == 72 - 10
    picks = on(read_picks(spot_project.picks), "m0")
    assert len(gathered(picks=picks, n_labels=5).unlabelled) == 24


def test_labels_within_the_limits_are_all_used(gathered) -> None:
    boxes = gathered(n_labels=36, n_labelled_micrographs=3)
    assert boxes.sampled is None
    assert len(boxes.targets) == 72
    assert len(boxes.unlabelled) == 0
