"""What fine-tuning and scoring still need, in words. No Qt, no torch."""

from __future__ import annotations

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.stack import StackView
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    DEFAULT_VOCABULARY,
    Vocabulary,
    count_labels,
    label_text,
)
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.trust.forecast import LEAST_LABELS

GOOD_TO_BEGIN = "about 20 of each kind"


def missing_to_finetune(
    picks: Picks | None, stack: StackView | None, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> str:
    """Return what fine-tuning on the labels of picks still needs; empty when it can start."""
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
    counts_text = label_text(picks, vocabulary)
    if PARTICLE not in counts:
        particle = vocabulary.style(PARTICLE)
        return f"Label some {particle.name}s too (key {particle.key}): so far {counts_text}."
    if len(counts) == 1:
        keys = ", ".join(s.key for s in vocabulary.classes if s.class_id != PARTICLE)
        return f"Label some false picks too (keys {keys}): so far {counts_text}."
    return ""


def enough_to_learn(picks: Picks) -> bool:
    """Whether particles, and false picks of any class, have labels enough for a forecast."""
    counts = count_labels(picks)
    n_particles = counts.pop(PARTICLE, 0)
    return min(n_particles, sum(counts.values())) >= LEAST_LABELS


def missing_layers(session: Session) -> str:
    """Return which layers scoring still needs; empty when they are there."""
    if session.stack_layer is None:
        return "Picks are scored on their micrographs: open micrographs first."
    if session.picks_layer is None:
        return "Open picks first."
    return ""


def missing_to_score(session: Session) -> str:
    """Return what scoring still needs; empty when it can start."""
    if missing := missing_layers(session):
        return missing
    if session.model is None:
        return "Fine-tune a model (Learn), or load a model file."
    return ""
