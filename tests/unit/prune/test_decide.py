from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decide import decide, kept, rejected, unscored

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
