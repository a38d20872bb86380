"""Model of the learn panel: missing inputs, the model and its validation. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any  # napari layers, which are not imported here

import numpy as np

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import counted
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.fewshot.events import (
    BoxesRead,
    FineTuned,
    LabelsLeftOut,
    LabelsSampled,
    MicrographSkipped,
    ModelTrained,
    StepDone,
)
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.plugin.before_labels import are_before_labels
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    DEFAULT_VOCABULARY,
    Vocabulary,
    label_text,
)
from napari_pickeroptimizer.plugin.learning_labels import (
    LabelledLayer,
    LearningLabels,
    learning_labels,
    own_layers,
)
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
from napari_pickeroptimizer.plugin.readiness import missing_to_finetune
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.shares import percent
from napari_pickeroptimizer.trust.forecast import LEAST_LABELS, no_forecast_reason

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier

N_SKIPPED_SHOWN = 3
LEARNING = "Training. You can continue labelling; new labels are used the next time."


class LearnModel(PanelModel):
    """Labels and models of a session, as the learn panel shows them.

    Parameters
    ----------
    session : Session
        Whose labels.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._skipped: list[str] = []
        self._left_out: list[str] = []
        self._joined: LearningLabels | None = None
        self.trained: ModelTrained | None = None
        """The model of the fine-tuning that runs, while its cross-validation goes on."""
        self.label_layers: list[Any] = []
        """The user's own layers that are learned from beside the chosen picks."""

    def look(self, boxes: BoxSettings | None = None) -> None:
        """Look for the labels that would be used, for a particle diameter where it is known."""
        session = self.session
        others, self._left_out = own_layers(
            session.viewer, self.layer, session.stack_layer, session.vocabulary
        )
        self.label_layers = [labelled.layer for labelled in others]
        self._joined = None
        if others:  # else the labels are counted where they are
            chosen = None
            if self.layer is not None and self.state is not None:
                chosen = LabelledLayer(self.layer, self.state)
            self._joined = learning_labels(chosen, others, session.stack_layer, boxes)

    def missing(self) -> str:
        """Return what fine-tuning still needs; empty when it can start."""
        picks = self.picks if self._joined is None else self._joined.counting
        missing = missing_to_finetune(picks, self.stack, self.session.vocabulary)
        clashes = "" if self._joined is None else self._joined.places.clash_note
        return " ".join(
            filter(None, [missing, *([clashes, *self._left_out] if missing else [])])
        )

    def ready_text(self) -> str:
        """Return the labels that would be used."""
        picks, vocabulary = self.picks, self.session.vocabulary
        if self._joined is not None:
            text = f"Ready: {self._joined.text(vocabulary)}"
        elif picks is not None:
            text = f"Ready: {label_text(picks, vocabulary)}."
        else:
            text = ""
        return " ".join(filter(None, [text, *self._left_out]))

    def next_step(self) -> str:
        """Return what can be done with the model; empty before there is one."""
        scores = self.scores
        if self.session.model is None or self.layer is None:
            return ""
        if scores is None or are_before_labels(scores):
            return "The model is there: let it score all picks."
        return "The picks are scored: choose which to keep."

    def can_restore(self) -> bool:
        """Whether there is a model before this one."""
        return len(self.session.models) > 1

    def restore_tip(self) -> str:
        """Return what going back to it does."""
        if self.can_restore():
            return "Go back to the previous model. The picks have to be scored again."
        return "There is no previous model."

    # -------------------------------------------------------------------------- events

    def begin(self) -> None:
        """Clear the skipped micrographs and the model for a new fine-tuning."""
        self._skipped, self.trained = [], None

    def take(self, event: object) -> str:
        """Handle an event of fine-tuning; return its stage, empty if unchanged."""
        match event:
            case BoxesRead():
                return f"Reading micrographs: {event.n_read} of {event.n_total}"
            case MicrographSkipped():
                self._skipped.append(f"Left out {event.micrograph}: {event.reason}")
            case LabelsLeftOut():
                self._skipped.append(event.reason)
            case OtherFrameFits():
                self._skipped.insert(0, event.sentence[:1].upper() + event.sentence[1:])
            case LabelsSampled():
                self._skipped.append(event.sentence)
            case StepDone():
                training = "Final model" if event.fold is None else f"Fold {event.fold}"
                return f"{training}: step {event.step} of {event.n_steps}"
            case ModelTrained():
                self.trained = event
            case FineTuned():
                self.trained = None
                self.session.set_model(event.model, event)
        return ""

    def without_forecast(self) -> FineTuned | None:
        """Return the trained model as a result, for when its cross-validation is left."""
        return None if self.trained is None else FineTuned(self.trained.model, None)

    def outcome(self, tuned: FineTuned) -> str:
        """Return the validation of a new model, and the skipped micrographs."""
        lines = validation_lines(tuned, self.session.vocabulary)
        lines += self._skipped[:N_SKIPPED_SHOWN]
        if len(self._skipped) > N_SKIPPED_SHOWN:
            lines.append(f"... and {len(self._skipped) - N_SKIPPED_SHOWN} more")
        return "\n".join(lines)


def trained_text(seconds: float) -> str:
    """Return that the model is trained, and what is still going on.

    Examples
    --------
    >>> trained_text(7.2).partition(";")[0]
    'Trained after 7 s'
    """
    return (
        f"Trained after {seconds:.0f} s; the cross-validation goes on, for calibrated scores and "
        "the expected precision and recall."
    )


def px_or_ang(
    number: float, unit: str, pixel_size_ang: float | None
) -> tuple[float | None, float | None]:
    """Return a diameter as ``diameter_px`` and ``diameter_ang``, one of which is None.

    Raises
    ------
    SettingsError
        There is none, or it is in Å and the pixel size is unknown.
    """
    if unit == "Å" and not pixel_size_ang:
        raise SettingsError("The pixel size is unknown: give the diameter in px.")
    if number <= 0:
        raise SettingsError("Give the particle diameter.")
    return (None, number) if unit == "Å" else (number, None)


def model_text(model: Classifier | None) -> str:
    """Describe a model and its validation."""
    if model is None:
        return "No model yet."
    card = model.card
    text = f"Model: {', '.join(card.class_names)}; diameter {diameter_text(card.boxes)}."
    labels = card.training.get("labels", {})
    if labels:
        text += (
            " Trained on " + ", ".join(counted(n, name) for name, n in labels.items()) + "."
        )
    validation = card.training.get("validation")
    if not validation:
        return f"{text} Not cross-validated."
    held_out = "other micrographs" if validation["grouped_by_micrograph"] else "other picks"
    n = sum(labels.values())
    right = f"{round(validation['accuracy'] * n)} of {n} labels, " if n else ""
    return (
        f"{text} Cross-validated on {held_out} ({validation['n_folds']} folds): "
        f"{right}{percent(validation['accuracy'])} right, F1 {validation['macro_f1']:.2f}."
    )


def model_line(model: Classifier | None) -> str:
    """Return a model in one line; `model_text` has the details."""
    if model is None:
        return "No model yet."
    card = model.card
    validation = card.training.get("validation")
    n = sum(card.training.get("labels", {}).values())
    accuracy = "not cross-validated"
    if validation:
        accuracy = f"{percent(validation['accuracy'])} of {n} labels right" if n else ""
    return f"Model for {diameter_text(card.boxes)}, {accuracy}."


def validation_lines(
    tuned: FineTuned, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> list[str]:
    """Return the cross-validation of a new model, by class."""
    validation = tuned.validation
    if validation is None:
        return [f"Done. {no_forecast_reason(tuned.model.card)}"]
    targets = validation.targets[validation.judged]
    hits = validation.probabilities.argmax(axis=1) == targets
    by_class = []
    for position, class_id in enumerate(tuned.model.card.class_ids):
        of_class = targets == position
        n_right, n = int(hits[of_class].sum()), int(of_class.sum())
        by_class.append(f"{n_right} of {counted(n, vocabulary.name(class_id))}")
    lines = [
        f"Done. {int(hits.sum())} of {len(hits)} held-out labels were predicted right: "
        f"{', '.join(by_class)}."
    ]
    if not validation.folds.grouped_by_micrograph:
        lines.append("The folds share micrographs: expect a little less on new micrographs.")
    counts = np.bincount(validation.targets, minlength=len(tuned.model.card.class_ids))
    few = [
        counted(int(n), vocabulary.name(class_id))
        for class_id, n in zip(tuned.model.card.class_ids, counts, strict=True)
        if 0 < n < LEAST_LABELS
    ]
    if few:
        lines.append(
            f"These are few labels to judge by ({', '.join(few)}): give at least "
            f"{LEAST_LABELS} of each class."
        )
    return lines


def diameter_text(boxes: BoxSettings) -> str:
    """Return the particle diameter of a model."""
    if boxes.diameter_ang is not None:
        return f"{boxes.diameter_ang:.4g} Å"
    return f"{boxes.diameter_px:.4g} px"
