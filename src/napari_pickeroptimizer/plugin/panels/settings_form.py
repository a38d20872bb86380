"""Form fields made from a settings dataclass: its names, ranges, units and docstrings."""

import dataclasses
import inspect
import math
import re
from functools import cache
from typing import Any

from magicgui.widgets import create_widget
from magicgui.widgets.bases import BaseValueWidget

from napari_pickeroptimizer.settings import range_of

# By the last part of a field's name, as everywhere in this package.
UNITS = {"px": "px", "ang": "Å", "um": "µm", "kv": "kV", "mm": "mm"}
LARGEST_INT, LARGEST_FLOAT = 2**31 - 1, 1e6  # of a field without a limit


def setting_field(settings: type, name: str, **options: Any) -> BaseValueWidget:
    """Return a field for a setting: a number, a check box, or a choice.

    Parameters
    ----------
    settings : type
        The settings dataclass.
    name : str
        Its field.
    **options : object
        Options of the magicgui widget that override `field_options`.
    """
    made = field_options(settings, name) | options
    field = create_widget(name=name, value=made.pop("value"), options=made)
    assert isinstance(field, BaseValueWidget)  # as for any number, switch or word
    return field


def field_options(settings: type, name: str) -> dict[str, Any]:
    """Return the options of a magicgui widget for a setting, its default as ``value``."""
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(settings)}
    default = defaults[name]
    options: dict[str, Any] = {
        "value": 0.0 if default is None else default,
        # a check box has its text beside it
        "text" if isinstance(default, bool) else "label": label_of(name),
        "tooltip": help_texts(settings).get(name, ""),
    }
    allowed = range_of(settings, name)
    if allowed.choices:
        return options | {"choices": allowed.choices}
    if isinstance(options["value"], bool | str):
        return options
    is_integer = isinstance(default, int)
    step = 1 if is_integer else _step(default)
    largest = LARGEST_INT if is_integer else LARGEST_FLOAT
    low, high = allowed.least, allowed.most
    if low is None:
        low = -largest if allowed.above is None else allowed.above + step
    if high is None:
        high = largest if allowed.below is None else allowed.below - step
    # 0 stands for a number that is not given
    return options | {"min": 0.0 if default is None else low, "max": high, "step": step}


def label_of(name: str) -> str:
    """Return the label of a setting: ``n_folds`` is Folds, ``diameter_ang`` is Diameter (Å)."""
    words = name.removeprefix("n_").split("_")
    unit = f" ({UNITS[words.pop()]})" if words[-1] in UNITS else ""
    return " ".join(words).capitalize() + unit


@cache
def help_texts(settings: type) -> dict[str, str]:
    """Return the text on each parameter in the docstring of a settings dataclass."""
    text = inspect.cleandoc(settings.__doc__ or "")
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.M | re.S)
    texts: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section[1] if section else ""):
        head, *lines = entry.splitlines()
        help_text = " ".join(line.strip() for line in lines).replace("`", "")
        texts |= {name.strip(): help_text for name in head.partition(" : ")[0].split(",")}
    return texts


def _step(default: float | None) -> float:
    """Return a tenth of the size of a number: 0.1 for 1.5, 0.0001 for 0.001."""
    if not default:
        return 0.01 if default == 0 else 1.0
    return min(1.0, 10.0 ** (math.floor(math.log10(abs(default))) - 1))
