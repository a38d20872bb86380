"""The remaining time of a job is told by its latest speed, and not before there is one."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.plugin.time_left import Remaining, in_words


def test_a_steady_job_is_told_right() -> None:
    remaining = Remaining()
    assert remaining.seconds(0.0, 0.0) is None
    assert remaining.seconds(0.01, 0.5) is None  # too early to tell
    assert remaining.seconds(0.2, 10.0) == pytest.approx(40)


def test_what_went_slowly_long_ago_does_not_count() -> None:
    remaining = Remaining()
    for i in range(100):  # a hundred seconds for the first tenth, one a second for the rest
        remaining.seconds(0.001 * i, float(i))
    for i in range(40):
        left = remaining.seconds(0.1 + 0.01 * i, 100.0 + i)
    assert left == pytest.approx(51, rel=0.05)


def test_a_job_that_stands_still_is_not_told() -> None:
    remaining = Remaining()
    remaining.seconds(0.5, 0.0)
    assert remaining.seconds(0.5, 15.0) is None


def test_words() -> None:
    assert in_words(None) == ""
    assert in_words(0.2) == "about 1 s left"
    assert in_words(89) == "about 90 s left"
    assert in_words(95) == "about 2 min left"
