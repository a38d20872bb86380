"""A progress bar with a Cancel button that runs one job at a time in a worker thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.qt.threading import create_worker

from napari_pickeroptimizer.plugin.panels.form_parts import wrapped_label
from napari_pickeroptimizer.plugin.scoring.jobs import JobFailed, guarded, leave_a_core_free
from napari_pickeroptimizer.plugin.time_left import Remaining, in_words

N_TICKS = 1000


class JobBar(Container):
    """Runs the events of one job and shows how far they are, and how long they still take.

    Callbacks run on the main thread: `on_event` with each event, `on_failed` with the words
    for the user, `on_cancelled` after a cancel, and `on_end` last in every case. The job's
    last event is its result; a cancelled job has none, and changes nothing.

    A cancel is felt at once: the job is no longer listened to, whatever it still does until
    it comes to its next event. While nothing runs, the bar is hidden.
    """

    def __init__(self) -> None:
        self._bar = ProgressBar(max=N_TICKS, value=0)
        self._cancel = PushButton(text="Cancel")
        self._cancel.changed.connect(self.cancel)
        self._line = wrapped_label()
        self._said = ""
        self._worker: Any = None
        self._stop = Event()
        self._ended: Callable[[], None] = lambda: None
        self._cancelled: Callable[[], None] = lambda: None
        # workers that were cancelled and are not at their next event yet: Qt needs them alive
        self._leaving: set[Any] = set()
        row: Any = Container(
            widgets=[self._bar, self._cancel], layout="horizontal", labels=False
        )
        row.margins = (0, 0, 0, 0)
        super().__init__(widgets=[row, self._line], labels=False)
        self.margins = (0, 0, 0, 0)
        self.native.destroyed.connect(self._abandon)
        self._cancel.native.setToolTip("Stop now; everything is left as it was.")
        self._cancel.max_width = 80
        self.visible = False

    @property
    def running(self) -> bool:
        """Whether a job is running."""
        return self._worker is not None

    @property
    def text(self) -> str:
        """What is said of the job below the bar."""
        return str(self._line.value)

    def say(self, text: str) -> None:
        """Tell what the job is at; the remaining time is added."""
        self._said = text

    def run(
        self,
        events: Iterator[Any],
        *,
        on_event: Callable[[Any], None],
        on_failed: Callable[[str], None],
        on_cancelled: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """Start a job; does nothing while another one runs."""
        if self.running:
            return
        stop = self._stop = Event()
        worker = create_worker(_until, stop, events, _start_thread=False)
        remaining = Remaining()

        def yielded(event: Any) -> None:
            if self._worker is not worker:
                return  # an event that was under way at a cancel, or when the panel was closed
            if isinstance(event, JobFailed):
                on_failed(event.text)
                return
            self._bar.value = round(N_TICKS * event.progress)
            left = in_words(remaining.seconds(event.progress, time.monotonic()))
            on_event(event)
            self._line.value = " · ".join(part for part in (self._said, left) if part)

        def finished() -> None:
            self._leaving.discard(worker)
            with suppress(AttributeError, ValueError):  # not a generator, or ended already
                events.close()  # type: ignore[attr-defined]
            if self._worker is worker:  # ended by itself, or by napari's window being closed
                if worker.abort_requested:
                    on_cancelled()
                self._end()

        worker.yielded.connect(yielded)
        worker.finished.connect(finished)
        self._worker, self._cancelled, self._ended = worker, on_cancelled, on_end
        self._bar.value, self._said, self._line.value = 0, "", ""
        self.visible = True
        leave_a_core_free()
        worker.start()

    def cancel(self) -> None:
        """Leave the job at once; it ends by itself at its next event."""
        if self._worker is None:
            return
        self._stop.set()
        self._leaving.add(self._worker)
        cancelled = self._cancelled
        self._worker = None
        cancelled()
        self._end()

    def _end(self) -> None:
        ended = self._ended
        self._worker, self._ended, self._cancelled = None, lambda: None, lambda: None
        self.visible = False
        ended()

    def _abandon(self, *_: Any) -> None:
        """Stop the job of a panel that was closed; there is nobody left to tell."""
        self._stop.set()
        self._worker = None


def _until(stop: Event, events: Iterator[Any]) -> Iterator[Any]:
    """Yield a job's events until it shall stop; it is then closed by the thread that runs it."""
    job = guarded(events)
    try:
        for event in job:
            if stop.is_set():
                return
            yield event
    finally:
        job.close()  # type: ignore[attr-defined]
