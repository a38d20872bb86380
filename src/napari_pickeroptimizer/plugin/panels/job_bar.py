"""A progress bar with a Cancel button that runs one job at a time in a worker thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtWidgets import QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin import background
from napari_pickeroptimizer.plugin.background import (
    JobFailed,
    Remaining,
    guarded,
    in_words,
    leave_a_core_free,
)
from napari_pickeroptimizer.plugin.panels.closing import ask_before_closing
from napari_pickeroptimizer.plugin.panels.controls import Note, button, fill, row_of
from napari_pickeroptimizer.plugin.panels.signals import when_destroyed

N_TICKS = 1000
CANCELLED = "Cancelled: nothing changed."


class JobBar(QWidget):
    """Runs the events of one job and shows their progress and remaining time.

    The job's last event is its result; a cancelled job has none, and changes nothing. A
    cancel takes effect at once: the job is no longer listened to, whatever it still does
    until its next event. The bar is hidden while nothing runs.

    Parameters
    ----------
    name : str
        What runs, and what becomes of it if the window is closed, which is asked then.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.bar = QProgressBar()
        self.bar.setMaximum(N_TICKS)
        self.stop = button("Cancel", "Stop now; everything is left as it was.", self.cancel)
        self._line = Note()
        self._stage = ""
        self._worker: Any = None
        self._stops: list[Event] = []  # of the job that runs
        self._end: Callable[[bool], None] | None = None
        # workers that were cancelled and are not at their next event yet: Qt needs them alive
        self._leaving: set[Any] = set()
        fill(QVBoxLayout(self), row_of(self.bar, self.stop), self._line)
        # the job of a closed panel is stopped without a message
        when_destroyed(self, partial(_set_all, self._stops))
        self.hide()

    @property
    def running(self) -> bool:
        """Whether a job is running."""
        return self._worker is not None

    @property
    def text(self) -> str:
        """The line below the bar."""
        return str(self._line.text())

    def run(
        self,
        events: Iterator[Any],
        *,
        on_event: Callable[[Any], str | None],
        on_failed: Callable[[str], None],
        on_cancelled: Callable[[], None] | None = None,
        on_end: Callable[[], None],
    ) -> None:
        """Start a job; does nothing while another one runs.

        Parameters
        ----------
        events : iterator
            The job; each event has a `progress` from 0 to 1.
        on_event : callable
            Called on the main thread with each event; returns the stage of the job, which is
            shown with the remaining time, empty if unchanged.
        on_failed : callable
            Called last, with the reason in words, where the job raised or was cancelled.
        on_cancelled : callable, optional
            Called after a cancel, in place of `on_failed`.
        on_end : callable
            Called in every case, when the job has ended.
        """
        if self.running:
            return
        stopped = Event()
        self._stops[:] = [stopped]
        worker = create_worker(
            _Job(self.name), stopped, events, _start_thread=False, _worker_class=_Worker
        )
        remaining, failures = Remaining(), list[str]()

        def yielded(event: Any) -> None:
            if stopped.is_set():
                return  # an event that was under way at a cancel, or when the panel was closed
            if isinstance(event, JobFailed):
                failures.append(event.text)
                return
            self.bar.setValue(round(N_TICKS * event.progress))
            left = in_words(remaining.seconds(event.progress, time.monotonic()))
            self._stage = on_event(event) or self._stage
            self._line.say(" · ".join(part for part in (self._stage, left) if part))

        def finished() -> None:
            self._leaving.discard(worker)
            with suppress(AttributeError, ValueError):  # not a generator, or ended already
                events.close()  # type: ignore[attr-defined]
            if not stopped.is_set():  # ended by itself, or by napari's window being closed
                end(worker.abort_requested)

        def end(cancelled: bool) -> None:
            self._worker, self._end = None, None
            self.hide()
            on_end()
            if cancelled and on_cancelled is not None:
                on_cancelled()
            elif cancelled or failures:
                on_failed(CANCELLED if cancelled else failures[0])

        worker.yielded.connect(yielded)
        worker.finished.connect(finished)
        self._worker, self._end, self._stage = worker, end, ""
        self.bar.setValue(0)
        self._line.say("")
        self.show()
        leave_a_core_free()
        ask_before_closing(self, _names_running)
        worker.start()

    def when_loaded(
        self, action: Callable[[], Any], pressed: QPushButton, on_failed: Callable[[str], None]
    ) -> None:
        """Do what needs torch: at once, or after it was imported while the window stays alive.

        Parameters
        ----------
        action : callable
            Called on the main thread, unless the user cancels before.
        pressed : QPushButton
            The button that asked for it; it cannot be pressed again meanwhile.
        on_failed : callable
            As in `run`.
        """
        if background.is_loaded():
            action()
            return
        loaded: list[bool] = []

        def on_event(event: background.Loading) -> str:
            if event.progress == 1:
                loaded.append(True)
            return event.text

        def on_end() -> None:
            pressed.setEnabled(True)
            if loaded:
                action()

        pressed.setEnabled(False)
        self.run(
            background.load_events(), on_event=on_event, on_failed=on_failed, on_end=on_end
        )

    def cancel(self) -> None:
        """Leave the job at once; it ends by itself at its next event."""
        if self._end is not None:
            _set_all(self._stops)
            self._leaving.add(self._worker)
            self._end(True)


def _names_running(window: QWidget) -> list[str]:
    """Return the names of the jobs that run in a window."""
    return [bar.name for bar in window.findChildren(JobBar) if bar.running]


def _set_all(stops: list[Event]) -> None:
    for stop in stops:
        stop.set()


class _Job:
    """What a worker runs, with words for napari's question before it closes the window."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return self._name


class _Worker(GeneratorWorker):
    """Runs a `_Job`: napari names a worker by what it is given, which superqt wants a function."""

    def __init__(self, job: _Job, stopped: Event, events: Iterator[Any]) -> None:
        super().__init__(_until, stopped, events)

    def work(self) -> Any:
        """Run the job; it is closed here, also where its window is gone before its next event."""
        try:
            return super().work()
        finally:
            self._gen.close()


def _until(stopped: Event, events: Iterator[Any]) -> Iterator[Any]:
    """Yield a job's events until it is stopped; the thread that runs it then closes it."""
    job = guarded(events)
    try:
        for event in job:
            if stopped.is_set():
                return
            yield event
    finally:
        job.close()  # type: ignore[attr-defined]
