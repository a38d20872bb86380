"""A micrograph that loses all or nothing stands out; chance, and few picks, do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_pickeroptimizer.trust.sanity import check_run, check_shares, share_deviations


def run_of(n: list[int], k: list[int]):
    return check_shares([f"m{i}.mrc" for i in range(len(n))], np.array(n), np.array(k))


def alike(seed: int, n_micrographs: int = 200) -> tuple[list[int], list[int]]:
    """Micrographs whose true shares lie around 70 %, with 5 to 500 picks."""
    rng = np.random.default_rng(seed)
    n = rng.integers(5, 500, n_micrographs)
    return n.tolist(), rng.binomial(n, rng.beta(14, 6, n_micrographs)).tolist()


@pytest.mark.parametrize("seed", range(10))
def test_a_run_of_micrographs_that_are_alike_warns_of_nothing(seed: int) -> None:
    check = run_of(*alike(seed))
    assert check.warnings == ()
    assert set(check.flags) == {None}
    assert check.median == pytest.approx(0.7, abs=0.03)


def test_a_micrograph_that_loses_nearly_all_is_named_with_its_counts() -> None:
    n, k = alike(0)
    n[7], k[7] = 340, 2
    check = run_of(n, k)
    assert check.flags[7] == "nearly all rejected"
    (said,) = check.warnings
    assert "1 of 200 micrographs lose nearly all of their picks, where others keep 7" in said
    assert "m7.mrc (2 of 340 kept)" in said


def test_a_micrograph_that_keeps_everything_is_named_too() -> None:
    n, k = alike(0)
    n[3], k[3] = 300, 300
    check = run_of(n, k)
    assert check.flags[3] == "nothing rejected"
    assert "1 of 200 micrographs keep all or nearly all of their picks" in check.warnings[0]


def test_many_are_counted_and_the_worst_of_them_named() -> None:
    n, k = alike(0)
    for i in range(5):
        n[i], k[i] = 100 + i, 0
    (said,) = run_of(n, k).warnings
    assert said.startswith("5 of 200")
    assert (
        "m4.mrc (0 of 104 kept), m3.mrc (0 of 103 kept), m2.mrc (0 of 102 kept) and 2" in said
    )


@pytest.mark.parametrize("n_picks", [1, 5, 9])
def test_a_few_picks_are_lost_by_chance(n_picks: int) -> None:
    n, k = alike(0)
    n[7], k[7] = n_picks, 0
    assert run_of(n, k).warnings == ()


def test_where_all_lose_nearly_all_none_stands_out() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(100, 300, 50)
    check = run_of(n.tolist(), rng.binomial(n, 0.03).tolist())
    assert check.warnings == ()
    assert run_of([200] * 50, [200] * 50).warnings == ()
    assert run_of([200] * 50, [0] * 50).warnings == ()


def test_a_third_of_bad_micrographs_does_not_hide_itself() -> None:
    n, k = alike(0)
    for i in range(60):
        n[i], k[i] = 250, 1
    assert run_of(n, k).warnings[0].startswith("60 of 200")


def test_too_few_micrographs_are_no_standard() -> None:
    check = run_of([200, 200, 200, 200], [150, 140, 150, 0])
    assert check.warnings == ()
    assert math.isnan(check.median)


def test_a_run_that_keeps_nothing_or_everything_is_told() -> None:
    assert "none of the 1,000" in check_run(1000, 0)[0]
    assert "all 1,000" in check_run(1000, 1000)[0]
    assert check_run(1000, 400) == check_run(3, 0) == []


def test_few_picks_deviate_by_chance_and_many_are_truly_unusual() -> None:
    n_scored = np.array([200] * 20 + [3, 200, 0])
    n_kept = np.array([160, 156, 164, 158] * 5 + [1, 66, 0])
    deviation = share_deviations(n_scored, n_kept)
    assert abs(deviation[20]) < 3
    assert deviation[21] < -3
    assert np.isnan(deviation[22])
    assert np.abs(deviation[:20]).max() < 3


def test_equal_micrographs_do_not_deviate() -> None:
    assert share_deviations(np.full(5, 100), np.full(5, 80)).tolist() == [0] * 5
    assert np.isnan(share_deviations(np.zeros(2, int), np.zeros(2, int))).all()


def test_every_flagged_micrograph_is_unusual_but_not_the_reverse() -> None:
    n, k = alike(0)
    n[7], k[7], n[8], k[8] = 340, 2, 340, 80
    check = run_of(n, k)
    assert check.flags[7] is not None
    assert check.unusual[[7, 8]].tolist() == [True, True]
    assert check.flags[8] is None
