"""Messages on what fine-tuning and scoring still need. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.plugin.images.stack import StackView
    from napari_pickeroptimizer.plugin.session import Session


def missing_to_finetune(
    picks: Picks | None, stack: StackView | None, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> str:
    """Return what fine-tuning still needs; empty when it can start."""
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


def missing_to_score(session: Session) -> str:
    """Return what scoring still needs; empty when it can start."""
    if session.stack_layer is None:
        return "Picks are scored on their micrographs: open micrographs first."
    if session.picks_layer is None:
        return "Open picks first."
    if session.model is None:
        return "Fine-tune a model (Learn), or load a model file."
    return ""


def count_labels(picks: Picks) -> dict[int, int]:
    """Return the number of labels of each class in use, by ascending id."""
    counts = np.bincount(picks.labels, minlength=UNLABELLED + 1)
    return {i: int(n) for i, n in enumerate(counts) if n and i != UNLABELLED}


def label_text(picks: Picks, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return the labels' counts: ``12 particle, 9 contaminant``."""
    counts = count_labels(picks)
    return ", ".join(f"{n} {vocabulary.name(i)}" for i, n in counts.items()) or "no labels"
