"""Events of pretraining; each `progress` is 0..1 over the whole job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.pretrain.validate import PretrainValidation


@dataclass(frozen=True)
class Resumed:
    """The saved state of an earlier run is resumed after `step`."""

    path: Path
    step: int
    n_steps: int
    progress: float


@dataclass(frozen=True)
class StepDone:
    """One optimiser step.

    `losses` holds the cross-entropy of each branch, `accuracy` that of the step's batch;
    `boxes_per_second` is the mean over the last steps.
    """

    step: int
    n_steps: int
    losses: tuple[float, ...]
    accuracy: float
    boxes_per_second: float
    progress: float


@dataclass(frozen=True)
class Validated:
    """The held-out boxes were evaluated."""

    step: int
    n_steps: int
    validation: PretrainValidation
    progress: float


@dataclass(frozen=True)
class Pretrained:
    """The last event: the model, its file, and its last validation."""

    model: Classifier
    path: Path
    validation: PretrainValidation | None
    progress: float = 1.0


PretrainEvent = Resumed | StepDone | Validated | Pretrained
