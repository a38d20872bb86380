"""`ModelCard`: what a model is, and how it was trained; read and used without torch."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Self

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.card_schema import (
    BEFORE_LABELS,
    FORMAT_VERSION,
    PRETRAINING,
    checked_card,
)
from napari_pickeroptimizer.trust import Calibration, HeldOutScores
from napari_pickeroptimizer.trust.reference import Reference


@dataclass(frozen=True)
class ModelCard:
    """Description of a model and its training, stored beside the weights as JSON.

    Parameters
    ----------
    class_ids : tuple of int
        Classes in the order of the network's outputs, ids as `rlnParticleSelectionType`.
    class_names : tuple of str
        Their names.
    backbone : str
        Name of the backbone, see `model.backbone_names`.
    boxes : BoxSettings
        Diameter and box size the network was trained with.
    pixel_size_ang : float or None
        Pixel size of the micrographs it was trained on, where known.
    training : dict
        Record of the training: settings, labels by class, cross-validation.
    versions : dict
        Versions of this package and of those it computes with, see `versions`.
    calibration : Calibration
        Applied by `Classifier.predict` to the network's P(particle).
    held_out_scores : HeldOutScores or None
        Out-of-fold scores of the labels; None where nothing was cross-validated.
    has_known_false : bool
        Whether the network adds the odds of known false picks (`fewshot.known_false`).
    """

    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    backbone: str
    boxes: BoxSettings
    pixel_size_ang: float | None = None
    training: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    held_out_scores: HeldOutScores | None = None
    has_known_false: bool = False

    @property
    def names(self) -> dict[int, str]:
        """Name of each class by its id."""
        return dict(zip(self.class_ids, self.class_names, strict=False))

    @property
    def is_pretrained(self) -> bool:
        """Whether it is a pretrained base for fine-tuning, whose outputs are no pick classes."""
        return self.training.get("kind") == PRETRAINING

    @property
    def is_before_labels(self) -> bool:
        """Whether it has seen no label of the picks: see `model.before_labels`."""
        return self.training.get("kind") == BEFORE_LABELS

    def to_json(self) -> str:
        """Return the card as JSON text."""
        values = dataclasses.asdict(dataclasses.replace(self, held_out_scores=None))
        if self.held_out_scores is not None:
            values["held_out_scores"] = self.held_out_scores.to_dict()
        return json.dumps({"format_version": FORMAT_VERSION, **values}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a card from JSON text.

        Raises
        ------
        CheckpointError
            The text is no card, one of a newer version, or a value of it makes no sense.
        """
        values = checked_card(text)
        del values["format_version"]
        scores = values.pop("evidence", None) or values.get("held_out_scores")
        try:
            values["boxes"] = BoxSettings(**values["boxes"])
            values["class_ids"] = tuple(values["class_ids"])
            values["class_names"] = tuple(values["class_names"])
            values["calibration"] = Calibration(**values.get("calibration", {}))
            values["held_out_scores"] = scores and HeldOutScores.from_dict(scores)
            if reference := values.get("training", {}).get("reference"):
                Reference.from_dict(reference)
        except ValueError as error:
            raise CheckpointError(f"the model's card is damaged: {error}") from error
        return cls(**values)
