"""Trainings beside each other give one stream of events, and stop together."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Generator

import pytest
import torch

from napari_pickeroptimizer.fewshot.side_by_side import side_by_side


def counting(name: str, n: int) -> Generator[tuple[str, int], None, None]:
    for i in range(n):
        yield name, i


def test_all_events_come_and_those_of_one_in_order() -> None:
    events = list(side_by_side([counting("a", 50), counting("b", 30), counting("c", 1)], 2))
    assert len(events) == 81
    for name, n in (("a", 50), ("b", 30), ("c", 1)):
        assert [i for who, i in events if who == name] == list(range(n))


def test_one_thread_runs_one_after_the_other() -> None:
    events = list(side_by_side([counting("a", 5), counting("b", 5)], 1))
    assert events == [*counting("a", 5), *counting("b", 5)]


def test_two_threads_run_two_at_a_time() -> None:
    together = threading.Barrier(2, timeout=500)

    def meeting() -> Generator[bool, None, None]:
        together.wait()  # passed only when the other one is there
        yield True

    assert list(side_by_side([meeting(), meeting()], 2)) == [True, True]


def test_an_error_is_raised_and_stops_the_others() -> None:
    stopped = threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            stopped.set()

    def failing() -> Generator[int, None, None]:
        yield 1
        raise MemoryError("of the second")

    with pytest.raises(MemoryError, match="of the second"):
        list(side_by_side([endless(), failing()], 2))
    assert stopped.wait(500)


def test_closing_stops_all_and_nothing_begins_after_it() -> None:
    begun = []

    def endless(name: str) -> Generator[str, None, None]:
        begun.append(name)
        while True:
            yield name

    events = side_by_side([endless("a"), endless("b"), endless("c")], 2)
    next(events)
    events.close()
    assert "c" not in begun


ABANDONED = """
from itertools import repeat
from napari_pickeroptimizer.fewshot.side_by_side import side_by_side

events = side_by_side([(i for i in repeat(1))], 1)
print(next(events))
"""


def test_a_program_ends_though_it_holds_on_to_a_training() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABANDONED],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_torch_uses_one_thread_in_each_and_as_many_as_before_afterwards() -> None:
    def told() -> Generator[int, None, None]:
        yield torch.get_num_threads()

    before = torch.get_num_threads()
    assert list(side_by_side([told(), told()], 2)) == [1, 1]
    assert torch.get_num_threads() == before


def test_nothing_to_run_is_no_event() -> None:
    assert list(side_by_side([], 2)) == []
