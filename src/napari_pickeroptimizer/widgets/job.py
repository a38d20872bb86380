"""A progress bar with a Cancel button that runs one job at a time in a worker thread."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.qt.threading import create_worker

from napari_pickeroptimizer.plugin.jobs import JobFailed, guarded, leave_a_core_free

N_TICKS = 1000


class JobBar(Container):
    """Runs the events of one job and shows how far they are.

    Callbacks run on the main thread: `on_event` with each event, `on_failed` with the words
    for the user, `on_cancelled` after a cancel, and `on_end` last in every case. The job's
    last event is its result; a cancelled job has none, and changes nothing.
    """

    def __init__(self) -> None:
        self._bar = ProgressBar(max=N_TICKS, value=0)
        self._cancel = PushButton(text="Cancel", enabled=False)
        self._cancel.changed.connect(self.cancel)
        self._worker: Any = None
        super().__init__(widgets=[self._bar, self._cancel], layout="horizontal", labels=False)
        self.margins = (0, 0, 0, 0)
        self.native.destroyed.connect(self._abandon)
        self._cancel.native.setToolTip("Stop at the next step; nothing is changed.")

    @property
    def running(self) -> bool:
        """Whether a job is running."""
        return self._worker is not None

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
        worker = create_worker(guarded, events, _start_thread=False)

        def yielded(event: Any) -> None:
            if self._worker is not worker or worker.abort_requested:
                return  # an event that was under way at a cancel, or when the panel was closed
            if isinstance(event, JobFailed):
                on_failed(event.text)
                return
            self._bar.value = round(N_TICKS * event.progress)
            on_event(event)

        def aborted() -> None:
            if self._worker is worker:
                on_cancelled()

        def finished() -> None:
            with suppress(AttributeError, ValueError):  # not a generator, or ended already
                events.close()  # type: ignore[attr-defined]
            if self._worker is not worker:
                return
            self._worker = None
            self._cancel.enabled = False
            self._bar.value = 0
            on_end()

        worker.yielded.connect(yielded)
        worker.aborted.connect(aborted)
        worker.finished.connect(finished)
        self._worker = worker
        self._cancel.enabled = True
        self._bar.value = 0
        leave_a_core_free()
        worker.start()

    def cancel(self) -> None:
        """Ask the job to stop; it does so at its next event."""
        if self._worker is not None:
            self._worker.quit()

    def _abandon(self, *_: Any) -> None:
        """Stop the job of a panel that was closed; there is nobody left to tell."""
        if self._worker is not None:
            self._worker.quit()
            self._worker = None
