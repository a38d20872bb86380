"""How a result came to be, as pairs of words: inputs, model, settings, files, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.report.page import count
from napari_pickeroptimizer.trust import Calibration

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard

Facts = list[tuple[str, str]]

NAMES = {
    "device": "Device",
    "batch_size": "Boxes a pass",
    "n_views": "Looks at each box",
    "write_fom": "P(particle) written over the picker's score",
    "overwrite": "Earlier run replaced",
    "pixel_size_ang": "Pixel size (Å)",
    "flip_y": "Rows reversed",
}
# Steps and rates that tell how the model was trained; the rest is in the model's card.
TRAINING = {
    "base": "First weights",
    "n_steps": "Steps",
    "seed": "Seed",
    "prior": "Shares of the classes",
}


def words(value: Any) -> str:
    """Return a value as one would say it.

    Examples
    --------
    >>> words(None), words(True), words(["a", "b"]), words(0.5)
    ('–', 'yes', 'a, b', '0.5')
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{label(k)} {words(v)}" for k, v in value.items()) or "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(words(v) for v in value) or "–"
    return str(value)


def label(key: str) -> str:
    """Return the name of a setting in words."""
    return NAMES.get(key, str(key).replace("_", " "))


def named(values: Mapping[str, Any], *, leave_out: Sequence[str] = ()) -> Facts:
    """Return settings as pairs, whatever they are; those that say nothing are left out."""
    return [
        (label(key)[:1].upper() + label(key)[1:], words(value))
        for key, value in values.items()
        if key not in leave_out and value is not None and value != ""
    ]


def model_facts(card: ModelCard) -> Facts:
    """Return what a model is and how it was trained."""
    training = card.training
    boxes = card.boxes
    found: Facts = [("Classes", ", ".join(card.class_names)), ("Backbone", card.backbone)]
    if training.get("labels"):
        found.append(("Labels", words(training["labels"])))
    if boxes.diameter_ang is not None:
        found.append(("Particle diameter", f"{boxes.diameter_ang:g} Å"))
    elif boxes.diameter_px is not None:
        found.append(("Particle diameter", f"{boxes.diameter_px:g} px"))
    found.append(("Box", f"{boxes.box_factor:g} diameters, {boxes.box_px} pixels"))
    if card.pixel_size_ang is not None:
        found.append(("Trained at", f"{card.pixel_size_ang:g} Å a pixel"))
    settings = training.get("settings") or {}
    found += [(name, words(settings[k])) for k, name in TRAINING.items() if k in settings]
    validation = training.get("validation")
    if validation:
        found.append(
            (
                "Cross-validation",
                f"{validation['n_folds']} folds"
                + (" of whole micrographs" if validation["grouped_by_micrograph"] else "")
                + f", accuracy {validation['accuracy']:.3f}",
            )
        )
    else:
        found.append(("Cross-validation", "none"))
    calibration = card.calibration
    if calibration != Calibration():
        found.append(
            (
                "Calibration",
                f"logit × {calibration.slope:.2f} {calibration.intercept:+.2f}".replace(
                    "-", "−"
                ),
            )
        )
    return found


def run_facts(record: Mapping[str, Any]) -> Facts:
    """Return when a run was, and how long it took."""
    found: Facts = []
    if "started" in record:
        started = datetime.fromisoformat(record["started"])
        found.append(("Started", f"{started:%Y-%m-%d %H:%M} UTC"))
    if "seconds" in record:
        found.append(("Took", duration(record["seconds"])))
    return found


def duration(seconds: float) -> str:
    """Return a time span in words.

    Examples
    --------
    >>> duration(4.2), duration(75), duration(7500)
    ('4 s', '1 min 15 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def file_facts(files: Sequence[str]) -> Facts:
    """Return written files, those of one folder together."""
    by_top: dict[str, list[str]] = {}
    for name in files:
        by_top.setdefault(name.split("/")[0], []).append(name)
    return [
        (top, "1 file") if names == [top] else (top + "/", f"{count(len(names))} files")
        for top, names in by_top.items()
    ]
