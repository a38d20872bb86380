"""What is learned, in the user's words: from which labels, which model, how good. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.plugin.layer_state import count_labels

if TYPE_CHECKING:
    from napari_pickeroptimizer.boxes import BoxSettings
    from napari_pickeroptimizer.fewshot.events import FineTuned
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.plugin.images.stack import StackView
    from napari_pickeroptimizer.plugin.session import Session

# Fewer labels of a class tell too little of how good a model is.
LEAST_LABELS = 10


def what_is_missing(
    picks: Picks | None, stack: StackView | None, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> str:
    """Return what keeps fine-tuning from starting, in the user's words; empty when ready."""
    if stack is None:
        return "Open micrographs, and choose their layer."
    if picks is None:
        return "Open picks, and choose their layer."
    counts = count_labels(picks)
    if not counts:
        return (
            "No pick is labelled. Click picks (or point at them) and press a key: "
            f"{vocabulary.key_help}."
        )
    given = label_text(picks, vocabulary)
    if PARTICLE not in counts:
        particle = vocabulary.style(PARTICLE)
        return f"Label some {particle.name}s too (key {particle.key}): so far {given}."
    if len(counts) == 1:
        keys = ", ".join(s.key for s in vocabulary.classes if s.class_id != PARTICLE)
        return f"Label some false picks too (keys {keys}): so far {given}."
    return ""


def label_text(picks: Picks, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return the labels' counts: ``12 particle, 9 contaminant``."""
    counts = count_labels(picks)
    return ", ".join(f"{n} {vocabulary.name(i)}" for i, n in counts.items()) or "no labels"


def model_text(session: Session) -> str:
    """Return what the session's model is, and how good."""
    if session.model is None:
        return "No model yet."
    card = session.model.card
    text = f"Model: {', '.join(card.class_names)}; diameter {diameter_text(card.boxes)}."
    labels = card.training.get("labels", {})
    if labels:
        text += " Trained on " + ", ".join(f"{n} {name}" for name, n in labels.items()) + "."
    return f"{text} {validation_text(session.model)}"


def model_line(session: Session) -> str:
    """Return the model in one line; `model_text` tells all."""
    if session.model is None:
        return "No model yet."
    card = session.model.card
    validation, n = (
        card.training.get("validation"),
        sum(card.training.get("labels", {}).values()),
    )
    known = "not cross-validated"
    if validation:
        known = f"{validation['accuracy']:.0%} of {n} labels right" if n else ""
    return f"Model for {diameter_text(card.boxes)}, {known}."


def validation_text(model: Classifier) -> str:
    """Return what cross-validation said of a model, with counts where they are known."""
    validation = model.card.training.get("validation")
    if not validation:
        return "Not cross-validated."
    held_out = "other micrographs" if validation["grouped_by_micrograph"] else "other picks"
    n = sum(model.card.training.get("labels", {}).values())
    right = f"{round(validation['accuracy'] * n)} of {n} labels, " if n else ""
    return (
        f"Cross-validated on {held_out} ({validation['n_folds']} folds): "
        f"{right}{validation['accuracy']:.0%} right, F1 {validation['macro_f1']:.2f}."
    )


def validation_lines(
    tuned: FineTuned, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> list[str]:
    """Return what cross-validation said of a model just trained, by class and in words."""
    found = tuned.validation
    if found is None:
        return ["Done. Not cross-validated, so nobody knows yet how good it is."]
    hits = found.probabilities.argmax(axis=1) == found.targets
    lines = [
        f"Done. {int(hits.sum())} of {len(hits)} labels were told right by models that had "
        "not seen them:"
    ]
    parts = []
    for position, class_id in enumerate(tuned.model.card.class_ids):
        here = found.targets == position
        parts.append(
            f"{int(hits[here].sum())} of {int(here.sum())} {vocabulary.name(class_id)}"
        )
    lines[0] += f" {', '.join(parts)}."
    if not found.folds.grouped_by_micrograph:
        lines.append(
            "They had seen other labels of the same micrographs: expect a little less of new ones."
        )
    counts = np.bincount(found.targets)
    if counts[counts > 0].min() < LEAST_LABELS:
        lines.append(
            f"So few labels tell little of how good it is: give at least {LEAST_LABELS} of each."
        )
    return lines


def diameter_text(boxes: BoxSettings) -> str:
    """Return the particle diameter of a model."""
    if boxes.diameter_ang is not None:
        return f"{boxes.diameter_ang:.4g} Å"
    return f"{boxes.diameter_px:.4g} px"
