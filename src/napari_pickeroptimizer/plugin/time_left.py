"""Remaining time of a job, from its recent speed. No Qt."""

from __future__ import annotations

from collections import deque

# Reading, training and scoring differ in speed: only recent progress counts.
WINDOW_S = 20.0
LEAST_S, LEAST_PROGRESS = 1.0, 0.01


class Remaining:
    """Estimates the remaining time of one job from its progress."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def seconds(self, progress: float, now: float) -> float | None:
        """Return the remaining seconds, None while they are unknown.

        Parameters
        ----------
        progress : float
            Part of the job that is done, 0..1.
        now : float
            The clock, in seconds; call it with ever later times.
        """
        self._seen.append((now, progress))
        while now - self._seen[1 if len(self._seen) > 1 else 0][0] > WINDOW_S:
            self._seen.popleft()
        start, before = self._seen[0]
        done, took = progress - before, now - start
        if took < LEAST_S or done < LEAST_PROGRESS * min(1.0, took / WINDOW_S) or done <= 0:
            return None
        return max(0.0, (1 - progress) * took / done)


def in_words(seconds: float | None) -> str:
    """Return a remaining time as text; empty for None.

    Examples
    --------
    >>> in_words(7.0), in_words(48.0), in_words(200.0), in_words(9000.0)
    ('about 7 s left', 'about 50 s left', 'about 3 min left', 'about 2.5 h left')
    """
    if seconds is None:
        return ""
    if seconds < 10:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"
