from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decide import decide
from napari_pickeroptimizer.prune.output import kept, rejected, unscored
from napari_pickeroptimizer.prune.place_rules import Frame, frames_of
from napari_pickeroptimizer.prune.settings import Length, PlaceRules
from napari_pickeroptimizer.reading import group_by_micrograph

SCORED = Picks.from_arrays("a.mrc", x=range(5), y=range(5)).with_columns(
    probability_1=[0.7, 0.5, 0.4, 0.1, np.nan],
    probability_2=[0.2, 0.3, 0.1, 0.8, np.nan],
    probability_3=[0.1, 0.2, 0.5, 0.1, np.nan],
)


def test_particles_reach_the_threshold_others_are_of_their_likeliest_class() -> None:
    assert decide(SCORED, 0.5).table["predicted"].tolist() == [1, 1, 3, 2, 0]


def test_a_particle_below_a_strict_threshold_goes_to_the_best_other_class() -> None:
    assert decide(SCORED, 0.6).table["predicted"].tolist() == [1, 2, 3, 2, 0]


@pytest.mark.parametrize(("threshold", "n_kept"), [(0.0, 4), (0.7, 1), (1.0, 0)])
def test_the_threshold_itself_is_kept(threshold: float, n_kept: int) -> None:
    assert len(kept(decide(SCORED, threshold))) == n_kept


def test_kept_rejected_and_unscored_are_all_picks_once() -> None:
    decided = decide(SCORED)
    parts = [kept(decided), rejected(decided), unscored(decided)]
    assert [p.table["x"].tolist() for p in parts] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(SettingsError, match="probability from 0 to 1"):
        decide(SCORED, threshold)


def test_picks_never_scored_for_particles_are_refused() -> None:
    picks = Picks.from_arrays("a.mrc", x=[1.0], y=[1.0])
    with pytest.raises(SettingsError, match=r"no P\(particle\): score them"):
        decide(picks)


def test_every_pick_tells_what_decided_it() -> None:
    assert decide(SCORED).table["decided_by"].tolist() == ["score"] * 4 + ["none"]


def test_a_label_wins_over_the_score_even_where_there_is_none() -> None:
    decided = decide(SCORED.with_labels([3, 0, 1, 0, 1]), 0.5).table
    assert decided["predicted"].tolist() == [3, 1, 1, 2, 1]
    assert decided["decided_by"].tolist() == ["label", "score", "label", "score", "label"]


def test_of_near_neighbours_the_most_probable_is_kept() -> None:
    frame = Frame(np.arange(5), None, min_distance_px=1.5, edge_distance_px=0)
    decided = decide(SCORED, 0.0, [frame]).table  # one pixel diagonal apart, each
    assert decided["predicted"].tolist() == [1, 2, 1, 2, 0]
    assert decided["decided_by"].tolist() == ["score", "distance", "score", "distance", "none"]


def test_a_labelled_particle_wins_against_its_neighbours_and_the_edge() -> None:
    frame = Frame(np.arange(5), (5, 5), min_distance_px=1.5, edge_distance_px=1)
    decided = decide(SCORED.with_labels([0, 0, 0, 1, 1]), 0.0, [frame]).table
    assert decided["predicted"].tolist() == [2, 1, 3, 1, 1]
    assert decided["decided_by"].tolist() == ["edge", "score", "distance", "label", "label"]


def test_a_rejected_pick_removes_no_neighbour() -> None:
    frame = Frame(np.arange(5), None, min_distance_px=1.5, edge_distance_px=0)
    labelled = SCORED.with_labels([2, 0, 0, 0, 0])  # the best of the chain is none
    assert decide(labelled, 0.3, [frame]).table["predicted"].tolist() == [2, 1, 3, 2, 0]
    at_edge = Frame(np.arange(5), (9, 9), min_distance_px=1.5, edge_distance_px=0.6)
    assert decide(SCORED, 0.3, [at_edge]).table["predicted"].tolist() == [2, 1, 3, 2, 0]


def test_the_edge_is_half_a_pixel_beyond_the_first_pixels_centre() -> None:
    picks = Picks.from_arrays("a.mrc", x=[9.4, 9.5, 89.5, 89.6], y=[50.0] * 4)
    picks = picks.with_columns(probability_1=0.9, probability_2=0.1)
    frame = Frame(np.arange(4), (100, 100), min_distance_px=0, edge_distance_px=10)
    assert decide(picks, 0.5, [frame]).table["predicted"].tolist() == [2, 1, 1, 2]


def test_frames_are_in_each_micrographs_own_pixels() -> None:
    micrographs = Micrographs(
        (Micrograph("a.mrc", Path("a.mrc"), 2.0), Micrograph("b.mrc", Path("b.mrc"), 1.0))
    )
    picks = Picks.from_arrays(["a.mrc", "b.mrc", "a", "gone.mrc"], x=[1.0] * 4, y=[1.0] * 4)
    rules = PlaceRules(Length(0.5, "diameters"), Length(30, "ang"))
    groups = group_by_micrograph(micrographs, picks)
    frames = frames_of(groups, BoxSettings(diameter_ang=200), rules)
    assert [f.rows.tolist() for f in frames] == [[0, 2], [1]]
    assert [f.min_distance_px for f in frames] == [50, 100]
    assert [f.edge_distance_px for f in frames] == [15, 30]
    assert [f.shape_px for f in frames] == [None, None]  # no such files
    assert frames_of(groups, BoxSettings(diameter_ang=200), PlaceRules()) == []


def test_probabilities_read_back_can_be_decided_again() -> None:
    picks = Picks.from_arrays("a.mrc", x=[1.0, 2.0], y=[1.0, 2.0])
    decided = decide(picks.with_columns(probability_1=[0.9, 0.4]), 0.5)
    assert decided.table["predicted"].tolist() == [1, 2]
