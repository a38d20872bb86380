"""Which of many micrographs and picks are shown."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer import Picks
from napari_pickeroptimizer.report.highlights import choose_micrographs, choose_picks
from napari_pickeroptimizer.trust.sanity import ShareCheck

NAMES = {1: "particle", 2: "contaminant", 3: "carbon"}


def decided(p: list[float], predicted: list[int]) -> Picks:
    picks = Picks.from_arrays(["a.mrc"] * len(p), np.arange(len(p)), np.zeros(len(p)))
    return picks.with_columns(
        probability_1=p, probability_2=1 - np.array(p), predicted=np.array(predicted, np.int8)
    )


def test_the_farthest_come_first_and_typical_ones_from_all_over() -> None:
    far = np.concatenate([[-4.0, 9.0, np.nan], np.tile([0.1, 2.5], 20)])
    check = ShareCheck(0.8, far, (None,) * len(far), ())
    unusual, typical = choose_micrographs(check, n_unusual=5, n_typical=4)
    assert unusual == [1, 0]
    assert len(typical) == 4
    assert all(far[i] == 0.1 for i in typical)
    assert typical == sorted(typical)
    assert typical[-1] - typical[0] > 30


def test_the_most_certain_and_the_most_uncertain_picks_are_shown() -> None:
    p = [0.99, 0.7, 0.55, 0.45, 0.2, 0.01, np.nan]
    chosen = choose_picks(decided(p, [1, 1, 1, 2, 2, 3, 0]), 0.5, NAMES, n=2)
    assert {c.title: c.rows.tolist() for c in chosen} == {
        "Kept, highest scores": [0, 1],
        "Most uncertain": [2, 3],
        "Rejected as contaminant, lowest scores": [4, 3],
        "Rejected as carbon, lowest scores": [5],
    }


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_nothing_rejected_or_nothing_kept_has_no_empty_gallery(threshold: float) -> None:
    predicted = [1, 1] if threshold == 0 else [2, 2]
    chosen = choose_picks(decided([0.3, 0.6], predicted), threshold, NAMES)
    assert chosen
    assert all(len(selection.rows) for selection in chosen)
