"""Forms say of a setting what its dataclass says."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import pytest

pytest.importorskip("magicgui")

from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.plugin.panels.settings_form import (
    field_options,
    help_texts,
    label_of,
)
from napari_pickeroptimizer.settings import setting


@dataclass(frozen=True)
class Example:
    """An example.

    Parameters
    ----------
    n_steps : int
        Steps of the
        optimiser, ``80`` of them.
    learning_rate, share : float
        Of AdamW.
    diameter_ang : float, optional
        In Å.
    by : str
        How.

    Raises
    ------
    SettingsError
        Never.
    """

    n_steps: int = setting(80, least=1)
    learning_rate: float = setting(1e-3, above=0)
    share: float = setting(0.0, least=0, below=1)
    diameter_ang: float | None = setting(None, above=0)
    by: str = setting("a", choices=Literal["a", "b"])
    overwrite: bool = False


def test_a_field_has_the_range_the_default_and_the_help_of_the_setting():
    assert field_options(Example, "n_steps") == {
        "value": 80,
        "label": "Steps",
        "tooltip": "Steps of the optimiser, 80 of them.",
        "min": 1,
        "max": 2**31 - 1,
        "step": 1,
    }


@pytest.mark.parametrize(
    ("name", "low", "high", "step"),
    [
        ("learning_rate", 1e-4, 1e6, 1e-4),
        ("share", 0, 0.99, 0.01),
        ("diameter_ang", 0.0, 1e6, 1.0),  # 0: not given
    ],
)
def test_limits_that_are_not_themselves_allowed_are_a_step_away(name, low, high, step):
    options = field_options(Example, name)
    assert (options["min"], options["max"], options["step"]) == pytest.approx(
        (low, high, step)
    )


def test_words_are_chosen_and_switches_have_no_range():
    assert field_options(Example, "by")["choices"] == ("a", "b")
    assert field_options(Example, "overwrite")["text"] == "Overwrite"
    assert not {"label", "min", "step"} & set(field_options(Example, "overwrite"))


def test_the_unit_stands_in_the_name():
    assert label_of("diameter_ang") == "Diameter (Å)"
    assert label_of("n_repeats") == "Repeats"
    assert label_of("learning_rate") == "Learning rate"


def test_every_parameter_that_is_described_is_found():
    texts = help_texts(Example)
    assert texts["learning_rate"] == texts["share"] == "Of AdamW."
    assert "SettingsError" not in texts
    assert set(help_texts(FineTuneSettings)) == {f.name for f in fields(FineTuneSettings)}
    assert all(help_texts(FineTuneSettings).values())
