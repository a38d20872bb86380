"""What the user named is printed as it is, whatever a terminal library takes it for."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pytest

from napari_pickeroptimizer.cli import show
from napari_pickeroptimizer.cli.app import stand_ins_told
from napari_pickeroptimizer.errors import StandInWarning
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


@stand_ins_told()
def warn_of_stand_ins_and_of_another() -> None:
    for _ in range(2):
        warnings.warn("[b]2 of 3[/b]", StandInWarning, stacklevel=1)
    warnings.warn("another", UserWarning, stacklevel=1)


def test_a_stand_in_is_told_like_every_warning_others_are_left_to_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.warns(UserWarning, match="another") as told:
        warn_of_stand_ins_and_of_another()
    assert len(told) == 1
    assert capsys.readouterr().err == "Warning: [b]2 of 3[/b]\n" * 2
