"""Command lines and a Python script that reproduce a session. No Qt.

`Recipe` holds the files, settings and threshold of a session; `command_line` and
`python_snippet` turn it into text.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.classes import CLASS_NAMES
from napari_pickeroptimizer.fewshot.settings import Augmentation, FineTuneSettings
from napari_pickeroptimizer.micrographs import SearchPaths
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.prune.settings import Length, PlaceRules, PruneSettings

PROGRAM = "pickeroptimizer"
DEFAULT_BATCH = PruneSettings.batch_size
# Options of `finetune` by the setting they set.
OPTIONS = {
    "diameter_px": "--diameter-px",
    "diameter_ang": "--diameter-angstrom",
    "box_factor": "--box-factor",
    "base": "--base",
    "backbone": "--backbone",
    "n_steps": "--steps",
    "n_labels": "--most-labels",
    "n_labelled_micrographs": "--most-micrographs",
    "n_folds": "--folds",
    "n_repeats": "--repeats",
    "seed": "--seed",
    "device": "--device",
}
# Always written, even with default values: users often change them.
ALWAYS = ("n_steps", "n_folds", "seed")
UNITS = {"px": "px", "ang": "A", "diameters": "d"}
_DEFAULT = FineTuneSettings(diameter_px=1.0)


@dataclass(frozen=True)
class Recipe:
    """Inputs and settings that reproduce a session.

    Parameters
    ----------
    micrographs : SearchPaths
        Where the micrographs are.
    picks : tuple of str
        Pick files, folders or globs.
    labels : tuple of str
        Files of labelled picks; none where nothing is labelled.
    model : str
        Model file: written by the first step where there is `training`, else read; or
        ``bundled``.
    diameter : mapping or None
        ``diameter_px`` or ``diameter_ang`` for ``bundled``, which scored before any label; None
        for other models.
    training : mapping or None
        Settings of the fine-tuning that differ from the defaults; None for a model that was
        not trained on these labels.
    threshold : float or None
        None before anything is scored.
    rules : PlaceRules
        Distances.
    output : str
        Folder of the results.
    device : str
        Where picks are scored.
    write_fom : bool
        Whether P(particle) replaces the picker's figure of merit.
    batch_size : int
        Boxes a batch: the last digits of a probability depend on it.
    notes : tuple of str
        Differences from the session, as sentences for the user.
    """

    micrographs: SearchPaths
    picks: tuple[str, ...]
    labels: tuple[str, ...]
    model: str
    training: Mapping[str, Any] | None
    threshold: float | None
    rules: PlaceRules
    output: str
    device: str = "auto"
    write_fom: bool = False
    batch_size: int = DEFAULT_BATCH
    notes: tuple[str, ...] = ()
    diameter: Mapping[str, float] | None = None

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs as `prune` records them."""
        return {
            "micrographs": list(self.micrographs.paths),
            "picks": list(self.picks),
            "model": self.model,
            "labels": list(self.labels),
            "pixel_size_ang": self.micrographs.pixel_size_ang,
            "flip_y": self.micrographs.flip_y,
        }


def training_settings(card: ModelCard) -> dict[str, Any] | None:
    """Return the settings that a model was fine-tuned with, where they are no defaults.

    Diameter, steps, folds and seed are always among them. None for a model that does not
    record its settings.
    """
    recorded = card.training.get("settings")
    if not recorded or not (recorded.get("diameter_px") or recorded.get("diameter_ang")):
        return None
    default = vars(_DEFAULT) | {"diameter_px": None, "diameter_ang": None}
    # those of a later version are left out
    known = {name: _from_json(name, recorded[name]) for name in default if name in recorded}
    return {n: value for n, value in known.items() if value != default[n] or n in ALWAYS}


def only_python(training: Mapping[str, Any]) -> list[str]:
    """Return the settings that the command line has no option for."""
    return [name for name in training if name not in OPTIONS and name != "class_names"]


def command_line(recipe: Recipe) -> str:
    """Return the commands for a shell, one option a line, quoted where they need be."""
    commands = []
    if recipe.training is not None:
        words = [("finetune",), *_micrographs(recipe)]
        words += [("--labels", path) for path in recipe.labels]
        for name, value in recipe.training.items():
            if name in OPTIONS:
                words.append((OPTIONS[name], _number(value)))
        names = recipe.training.get("class_names", {})
        words += [("--class-name", f"{i}={name}") for i, name in names.items()]
        commands.append([*words, ("--output", recipe.model)])
    words = [("prune",), *_micrographs(recipe)]
    words += [("--picks", path) for path in recipe.picks]
    words.append(("--model", recipe.model))
    words += [(OPTIONS[name], _number(v)) for name, v in (recipe.diameter or {}).items()]
    words += [("--labels", path) for path in recipe.labels]
    for name, value in _prune_settings(recipe):
        option = f"--{name.replace('_', '-')}"
        words.append((option,) if value is True else (option, _number(value)))
    commands.append([*words, ("--output", recipe.output)])
    return "\n".join([*_comments(recipe), "\n\n".join(map(_written, commands))])


def python_snippet(recipe: Recipe) -> str:
    """Return a Python script that does the same."""
    names = ["Micrographs", "PruneSettings", "prune_picks", "read_picks"]
    if recipe.diameter is not None:
        names.append("model_before_labels")
    else:
        names += (
            ["Classifier"] if recipe.training is None else ["FineTuneSettings", "finetune"]
        )
    lines = _comments(recipe)
    lines += [
        "from napari_pickeroptimizer import (",
        *(f"    {n}," for n in sorted(names)),
        ")",
    ]
    if recipe.training is not None and "augmentation" in recipe.training:
        lines.append("from napari_pickeroptimizer.fewshot.settings import Augmentation")
    if recipe.rules != PlaceRules():
        lines.append("from napari_pickeroptimizer.prune.settings import Length")
    lines += ["", f"micrographs = Micrographs.find({_search_arguments(recipe.micrographs)})"]
    lines.append(f"picks = read_picks({_listed(recipe.picks)}).with_labels(0)")
    labels = f"read_picks({_listed(recipe.labels)})" if recipe.labels else "None"
    lines.append(f"labels = {labels}")
    if recipe.diameter is not None:
        diameter = ", ".join(f"{name}={value!r}" for name, value in recipe.diameter.items())
        lines.append(f"model = model_before_labels({diameter})")
    elif recipe.training is not None:
        lines += ["", "settings = FineTuneSettings("]
        lines += [f"    {name}={value!r}," for name, value in recipe.training.items()]
        lines += [")", "*_, tuned = finetune(micrographs, labels, settings)"]
        lines += ["model = tuned.model", f"model.save({recipe.model!r})"]
    else:
        lines.append(f"model = Classifier.load({recipe.model!r})")
    lines += ["", "settings = PruneSettings("]
    lines += [f"    {name}={_in_python(value)}," for name, value in _prune_settings(recipe)]
    lines += [")", "*_, result = prune_picks("]
    lines += [
        "    micrographs, picks, model, ",
        f"    {recipe.output!r}, settings, labels=labels",
    ]
    lines += [")", 'print(result.record["counts"])', ""]
    return "\n".join(line.rstrip() for line in lines)


def _comments(recipe: Recipe) -> list[str]:
    return [f"# {line}" for note in recipe.notes for line in note.splitlines()]


def _prune_settings(recipe: Recipe) -> list[tuple[str, Any]]:
    """Return the settings of `prune` that are no defaults."""
    rules = recipe.rules
    settings = [
        ("threshold", recipe.threshold, recipe.threshold is not None),
        ("min_distance", rules.min_distance, rules.min_distance.value),
        ("edge_distance", rules.edge_distance, rules.edge_distance.value),
        ("device", recipe.device, recipe.device != "auto"),
        ("write_fom", True, recipe.write_fom),
        ("batch_size", recipe.batch_size, recipe.batch_size != DEFAULT_BATCH),
    ]
    return [(name, value) for name, value, is_set in settings if is_set]


def _micrographs(recipe: Recipe) -> list[tuple[str, ...]]:
    search = recipe.micrographs
    words: list[tuple[str, ...]] = [("--micrographs", path) for path in search.paths]
    if search.pixel_size_ang is not None:
        words.append(("--pixel-size", _number(search.pixel_size_ang)))
    return [*words, ("--flip-y",)] if search.flip_y else words


def _written(words: list[tuple[str, ...]]) -> str:
    (verb,), *options = words
    return " \\\n    ".join([f"{PROGRAM} {verb}", *map(shlex.join, options)])


def _search_arguments(search: SearchPaths) -> str:
    parts = [_listed(search.paths)]
    if search.pixel_size_ang is not None:
        parts.append(f"pixel_size_ang={search.pixel_size_ang!r}")
    return ", ".join([*parts, "flip_y=True"] if search.flip_y else parts)


def _listed(paths: tuple[str, ...]) -> str:
    return repr(paths[0]) if len(paths) == 1 else repr(list(paths))


def _in_python(value: Any) -> str:
    return (
        f"Length({value.value!r}, {value.unit!r})"
        if isinstance(value, Length)
        else repr(value)
    )


def _number(value: Any) -> str:
    if isinstance(value, Length):
        return f"{_number(float(value.value))}{UNITS[value.unit]}"
    # repr gives every digit back; 40.0 looks odd where 40 is meant
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _from_json(name: str, value: Any) -> Any:
    """Return a setting as it was before it went through JSON."""
    if name == "augmentation" and isinstance(value, Mapping):
        return Augmentation(**value)
    if name in ("diameter_px", "diameter_ang") and value is not None:
        return float(value)  # as the command line reads it: the model is the same to the byte
    if name == "branch_weights":
        return tuple(value)
    if name == "class_names":
        named = {int(i): text for i, text in value.items()}
        return {i: text for i, text in named.items() if text != CLASS_NAMES.get(i)}
    if name == "base" and value not in ("bundled", "none", "imagenet"):
        return str(Path(value).expanduser().absolute())
    return value
