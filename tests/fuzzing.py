"""Inputs that nobody wrote by hand: how many of them, valid files that went wrong, and memory.

250 inputs a property by default; the environment variable FUZZ_EXAMPLES asks for more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

N_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))

bounded = settings(
    max_examples=N_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,  # a busy machine has its pauses; what hangs is pytest-timeout's
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# of files of several megabytes
bounded_few = settings(bounded, max_examples=max(1, N_EXAMPLES // 5))


def edits_with(tokens: Sequence[bytes], first_share: float = 1.0):
    """Return edits of a file: tokens or bytes put in, parts deleted or doubled, the end cut.

    They lie in the first share of it.
    """
    positions = st.floats(0, first_share)
    return st.one_of(
        st.tuples(
            st.just("insert"), positions, st.sampled_from(tokens) | st.binary(max_size=3)
        ),
        st.tuples(st.just("replace"), positions, st.binary(min_size=1, max_size=4)),
        st.tuples(st.just("delete"), positions, st.integers(1, 30)),
        st.tuples(st.just("copy"), positions, positions),
        st.tuples(st.just("cut"), positions, st.none()),
    )


def edited(data: bytes, changes) -> bytes:
    """Return a file after some edits of `edits_with`."""
    for kind, place, what in changes:
        at = round(place * len(data))
        if kind == "insert":
            data = data[:at] + what + data[at:]
        elif kind == "replace":
            data = data[:at] + what + data[at + len(what) :]
        elif kind == "delete":
            data = data[:at] + data[at + what :]
        elif kind == "copy":
            start = round(what * len(data))
            data = data[:at] + data[start : start + 60] + data[at:]
        else:
            data = data[:at]
    return data


def peak_gigabytes() -> float:
    """Return the most memory that this process has had; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
