"""How a result was made, as names with values: inputs, settings, model, files, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.report.formatting import duration
from napari_pickeroptimizer.trust import Calibration

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard

Entries = list[tuple[str, str]]

SETTING_NAMES = {
    "batch_size": "Boxes a batch",
    "n_views": "Test-time augmentation views",
    "write_fom": "P(particle) written over the picker's score",
    "overwrite": "Earlier run replaced",
    "pixel_size_ang": "Pixel size (Å)",
    "flip_y": "Rows reversed",
}
# The training settings that matter most; the rest is in the model's card.
TRAINING_NAMES = {
    "base": "First weights",
    "n_steps": "Steps",
    "seed": "Seed",
    "prior": "Class prior",
}


def as_text(value: Any) -> str:
    """Return a value of a record as text.

    Examples
    --------
    >>> as_text(None), as_text(True), as_text(["a", "b"]), as_text(0.5)
    ('–', 'yes', 'a, b', '0.5')
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{setting_name(k)} {as_text(v)}" for k, v in value.items()) or "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(as_text(v) for v in value) or "–"
    return str(value)


def setting_name(key: str) -> str:
    """Return the name of a setting for a reader."""
    return SETTING_NAMES.get(key, str(key).replace("_", " "))


def setting_entries(values: Mapping[str, Any]) -> Entries:
    """Return settings or inputs as entries, without those that are empty."""
    return [
        (setting_name(key)[:1].upper() + setting_name(key)[1:], as_text(value))
        for key, value in values.items()
        if value is not None and value not in ("", [])
    ]


def model_entries(card: ModelCard) -> Entries:
    """Return what a model is and how it was trained."""
    training, boxes = card.training, card.boxes
    settings, validation = training.get("settings") or {}, training.get("validation")
    diameter = None
    if boxes.diameter_ang is not None:
        diameter = f"{boxes.diameter_ang:g} Å"
    elif boxes.diameter_px is not None:
        diameter = f"{boxes.diameter_px:g} px"
    trained_at = card.pixel_size_ang and f"{card.pixel_size_ang:g} Å a pixel"
    folds = validation and (
        f"{validation['n_folds']} folds"
        + (" of whole micrographs" if validation["grouped_by_micrograph"] else "")
        + f", accuracy {validation['accuracy']:.3f}"
    )
    slope, intercept = card.calibration.slope, card.calibration.intercept
    calibration = f"logit × {slope:.2f} {intercept:+.2f}".replace("-", "−")
    entries: list[tuple[str, str | None]] = [
        ("Classes", ", ".join(card.class_names)),
        ("Backbone", card.backbone),
        ("Labels", as_text(training["labels"]) if training.get("labels") else None),
        ("Labels", "none: scored before the first one" if card.is_before_labels else None),
        ("Particle diameter", diameter),
        ("Box", f"{boxes.box_factor:g} diameters, {boxes.box_px} pixels"),
        ("Trained at", trained_at or None),
        *((name, as_text(settings[k])) for k, name in TRAINING_NAMES.items() if k in settings),
        ("Cross-validation", folds or "none"),
        ("Calibration", None if card.calibration == Calibration() else calibration),
    ]
    return [(name, value) for name, value in entries if value is not None]


def run_entries(record: Mapping[str, Any]) -> Entries:
    """Return when a run was made, and how long it took."""
    entries: Entries = []
    if "started" in record:
        started = datetime.fromisoformat(record["started"])
        entries.append(("Started", f"{started:%Y-%m-%d %H:%M} UTC"))
    if "seconds" in record:
        entries.append(("Took", duration(record["seconds"])))
    return entries


def file_entries(files: Sequence[str]) -> Entries:
    """Return written files, those of one folder together."""
    by_top: dict[str, list[str]] = {}
    for name in files:
        by_top.setdefault(name.split("/")[0], []).append(name)
    return [
        (top, "1 file") if names == [top] else (top + "/", f"{len(names):,} files")
        for top, names in by_top.items()
    ]
