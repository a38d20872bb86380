"""Events of fine-tuning and of suggesting; each `progress` is 0..1 over the whole job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_pickeroptimizer.image_frame.events import OtherFrameFits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_pickeroptimizer.fewshot.validate import Validation
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True)
class BoxesRead:
    """The boxes of one micrograph were cut."""

    micrograph: str
    n_read: int
    n_total: int
    progress: float


@dataclass(frozen=True)
class MicrographSkipped:
    """A micrograph with labels or unlabelled picks could not be read; its picks are left out."""

    micrograph: str
    reason: str
    progress: float


@dataclass(frozen=True)
class LabelsLeftOut:
    """Labels that do not count, and why: two classes at one place, or others contradict them."""

    reason: str
    progress: float = 0.0


@dataclass(frozen=True)
class LabelsSampled:
    """There are more labels than a fine-tuning needs: it uses a sample of them.

    Parameters
    ----------
    n_used, n_labels : int
        Labels in the sample, and all that could be used.
    n_micrographs, n_labelled_micrographs : int
        Micrographs of the sample, and all that have labels.
    """

    n_used: int
    n_labels: int
    n_micrographs: int
    n_labelled_micrographs: int
    progress: float = 0.0

    @property
    def sentence(self) -> str:
        """What is used."""
        return (
            f"A sample of {self.n_used:,} of {self.n_labels:,} labels is used, on "
            f"{self.n_micrographs:,} of {self.n_labelled_micrographs:,} micrographs."
        )


@dataclass(frozen=True)
class StepDone:
    """One optimiser step; `fold` is None for the final model.

    `losses` holds the cross-entropy of each branch, `accuracy` that of the step's batch.
    """

    fold: int | None
    step: int
    n_steps: int
    losses: tuple[float, ...]
    accuracy: float
    progress: float


@dataclass(frozen=True)
class FoldDone:
    """One fold of the cross-validation, with the accuracy on its held-out labels."""

    fold: int
    n_folds: int
    accuracy: float
    progress: float


@dataclass(frozen=True)
class ModelTrained:
    """The model itself is trained, and can be used; the cross-validation goes on.

    There is none without folds, where `FineTuned` comes at this moment.

    Parameters
    ----------
    model : Classifier
        What a fine-tuning without folds gives: the weights of the final model, calibrated by
        the shares of the classes alone, and without a forecast.
    progress : float
        Of the whole job.
    """

    model: Classifier
    progress: float

    @property
    def sentence(self) -> str:
        """What is there, and what follows."""
        return (
            "The model is trained. The cross-validation follows, which calibrates its scores and "
            "gives the expected precision."
        )


@dataclass(frozen=True)
class FineTuned:
    """The last event: the model and its cross-validation (None without folds)."""

    model: Classifier
    validation: Validation | None
    progress: float = 1.0


FineTuneEvent = (
    OtherFrameFits
    | BoxesRead
    | MicrographSkipped
    | LabelsLeftOut
    | LabelsSampled
    | StepDone
    | FoldDone
    | ModelTrained
    | FineTuned
)


@dataclass(frozen=True)
class Suggested:
    """The last event of suggesting: the picks to label next.

    Parameters
    ----------
    picks : Picks
        The suggested picks, the most useful first, with the columns ``suggestion`` (1, 2, ...),
        ``suggestion_reason`` and ``suggestion_score`` (0..1: how uncertain, or how much model
        and picker differ; NaN for diversity), and the model's probabilities where there is one.
    rows : (n,) int
        Their positions in the picks that were given.
    by : str
        Strategy of the choice.
    n_wanted : int
        Number requested.
    n_compared : int
        Number of picks they were chosen from.
    doubtful : Picks
        Labels that the model or the other labels contradict, the clearest first, with the
        model's probabilities. Empty without a model.
    progress : float
        1.
    """

    picks: Picks
    rows: NDArray[np.intp]
    by: str
    n_wanted: int
    n_compared: int
    doubtful: Picks
    progress: float = 1.0


SuggestEvent = BoxesRead | MicrographSkipped | Suggested
