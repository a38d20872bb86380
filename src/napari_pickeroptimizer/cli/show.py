"""Terminal output: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from napari_pickeroptimizer import shares


class HasProgress(Protocol):
    """An event of the core."""

    @property
    def progress(self) -> float:
        """Done part of the whole job, 0..1."""
        ...


Event = TypeVar("Event", bound=HasProgress)

# Texts are printed as they are: what looks like markup or an emoji code in them is the user's.
out = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
err = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def print_whatever_there_is() -> None:
    """Let what the terminal's encoding lacks be escaped, such as bytes of a path that are no text.

    Else a message about a file, or a result, would end in an error about its own letters.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and (
            stream.errors == "strict" or stream.encoding.lower() != "utf-8"
        ):
            stream.reconfigure(errors="backslashreplace")


def run_with_progress(
    events: Iterable[Event], title: str, describe: Callable[[Event], str]
) -> Iterator[Event]:
    """Pass events on and draw them as one bar on standard error."""
    with Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=err,
    ) as bar:
        task = bar.add_task(title, total=1.0, detail="")
        for event in events:
            bar.update(task, completed=event.progress, detail=describe(event))
            yield event
        bar.update(task, completed=1.0, detail="done")


def run_to_end(
    events: Iterable[Event], title: str, describe: Callable[[Event], str], if_skipped: str
) -> tuple[Any, dict[str, str]]:
    """Return the last event, and why micrographs were skipped; warn of these, and of labels.

    `if_skipped` is a sentence that is added to each warning.
    """
    from napari_pickeroptimizer.fewshot.events import (
        LabelsLeftOut,
        MicrographSkipped,
        ModelTrained,
    )
    from napari_pickeroptimizer.image_frame.events import OtherFrameFits

    last: object = None
    skipped: dict[str, str] = {}
    notes: list[str] = []
    for last in run_with_progress(events, title, describe):
        if isinstance(last, MicrographSkipped):
            skipped[last.micrograph] = last.reason
        elif isinstance(last, OtherFrameFits):
            warn(last.sentence)  # at once: the run may be stopped
        elif isinstance(last, LabelsLeftOut):
            notes.append(last.reason)
        elif isinstance(last, ModelTrained):
            err.print(last.sentence)
    for note in notes:
        warn(note)
    for reason in skipped.values():
        warn(f"{reason} {if_skipped}")
    return last, skipped


def warn(message: str) -> None:
    """Print a warning on standard error."""
    err.print("Warning: ", style="yellow", end="")
    err.print(message)


def print_json(values: dict[str, Any]) -> None:
    """Print a result as JSON on standard output."""
    out.print(json.dumps(values, indent=1))


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table on standard output; the first column is text, the others numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def percent(value: float | None) -> str:
    """Return a share as text, a dash where there is none."""
    return shares.percent(value, 1)
