"""What the user named is printed as it is, whatever a terminal library takes it for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from napari_pickeroptimizer.cli import show
from napari_pickeroptimizer.fewshot.events import LabelsLeftOut, MicrographSkipped

NAMES = ["[red]x[/red]", "[/]", "[bold", ":smile:", "%s{0}", "[link=x]", "\\[a]", "{task.x}"]


@dataclass(frozen=True)
class Step:
    progress: float = 1.0


@pytest.mark.parametrize("name", NAMES)
def test_messages_results_and_tables_show_names_as_they_are(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show.warn(name)
    show.err.print(name)
    show.out.print(name)
    show.print_table(name, [name], [[name]])
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [f"Warning: {name}", name]
    assert printed.out.count(name) == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_shows_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    list(show.run_with_progress([Step()], name, lambda event: name))
    assert name in capsys.readouterr().err


def test_why_micrographs_and_labels_were_left_out_is_said_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = [LabelsLeftOut("Two classes."), MicrographSkipped("a", "Broken.", 0.5), Step()]
    last, skipped = show.run_to_end(events, "Work", str, "Left out.")
    assert (last, skipped) == (Step(), {"a": "Broken."})
    assert "Warning: Two classes.\nWarning: Broken. Left out." in capsys.readouterr().err
