"""Settings of the fine-tuning, and of the suggestions; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import checked_class_names
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.backbone_names import checked_backbone
from napari_pickeroptimizer.model.bases import is_trained_on_boxes
from napari_pickeroptimizer.model.views import DEFAULT_VIEWS, MAX_VIEWS
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Up to here a training has `n_steps`, which with the defaults see each label four times.
MANY_LABELS = 480
MOST_LONGER = 3.0

Prior = Literal["picks", "even"]
BatchNorm = Literal["auto", "keep", "adapt"]
By = Literal["auto", "diversity", "uncertainty", "mixed", "disagreement"]
# Larger steps would undo what a base has learned of micrographs (docs/explanation/ablation.md).
GENTLE_RATE = 0.2


@dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation of training boxes.

    Particles have no preferred in-plane orientation and, over all orientations, projections have
    no handedness: any rotation and both flips are allowed. Shifts stay small, since a pick
    beside a particle is a false one.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in box sides.
    scale : float
        Largest relative enlargement or reduction.
    contrast : float
        Largest relative change of the grey levels' spread.
    brightness : float
        Largest added grey level, in robust standard deviations of the micrograph.
    """

    shift: float = 0.03
    scale: float = 0.08
    contrast: float = 0.15
    brightness: float = 0.15

    @property
    def reach(self) -> float:
        """Window side, in box sides, that holds every augmented view."""
        return (math.sqrt(2) + 2 * self.shift) * (1 + self.scale)


@dataclass(frozen=True)
class FineTuneSettings:
    """Settings of fine-tuning on labelled picks.

    Parameters
    ----------
    diameter_px, diameter_ang : float, optional
        Particle diameter in micrograph pixels or in Å; one of them is needed.
    box_factor : float
        Box side in particle diameters.
    box_px : int
        Box side at the working resolution, in pixels.
    base : str or Path
        First weights: ``bundled``, ``none``, ``imagenet``, or a file.
    backbone : str, optional
        See `model.backbone_names.BACKBONES`; by default that of the base.
    n_steps : int
        Optimiser steps of each training. More of them fit the labels more closely. Where there
        are many labels there are more steps, see `n_steps_of`.
    batch_size : int
        Labelled boxes per step, drawn evenly from the classes.
    batch_norm : {"auto", "keep", "adapt"}
        Statistics of BatchNorm: those of the base, or those of the boxes of each step. By default
        kept if the base was trained on boxes of micrographs, else adapted.
    unlabelled_batch_size : int
        Additional unlabelled boxes per step, where BatchNorm is adapted to them; 0 for none.
    learning_rate, weight_decay : float
        Of AdamW; the learning rate follows one cycle.
    backbone_rate : float, optional
        Learning rate of the backbone, as a share of that of the branches; by default 0.2 if the
        base was trained on boxes of micrographs, else 1.
    n_frozen : int
        Leading parts of the backbone that keep their first weights: of a ResNet 4 for the
        stem, then one for each stage.
    branch_weights : tuple of float
        Weights of the two branches in the multi-loss.
    label_smoothing : float
        Share of each target spread over all classes.
    leave_out_doubtful : bool
        Do not train on labels which the others contradict clearly (`doubtful_labels`).
    known_false : bool
        Set false picks that the base knows, such as carbon, against the labelled particles
        (`known_false`), so that they are removed also where none of them is labelled.
    prior : {"picks", "even"}
        Class prior: the estimated shares among the unlabelled picks (`class_shares`), or equal
        for all classes.
    n_labels : int
        Maximum number of labels of each class to train on. Where there are more, as after a 2D
        classification, they are drawn at random, evenly over micrographs; the others serve as
        unlabelled picks where none are given.
    n_labelled_micrographs : int
        Maximum number of micrographs with labels to read.
    n_unlabelled : int
        Maximum number of unlabelled picks to read.
    n_unlabelled_micrographs : int
        Maximum number of micrographs without labels to read.
    n_folds : int
        Folds of the cross-validation, each a training on a part of the labels; 0 for none, which
        leaves no expected precision and recall.
    n_repeats : int
        Repetitions of the cross-validation with new folds: more precise figures, in
        proportionally more time.
    augmentation : Augmentation
        Strength of the augmentation of training boxes.
    seed : int
        Seed of everything random: the same seed and labels give the same model.
    device : str
        Where the network runs: ``auto`` (a GPU, if there is one), ``cpu``, ``cuda`` or ``mps``.
    class_names : mapping of int to str
        Your own names for classes 1 to 6, such as ``{4: "edge"}``; others keep their defaults.
    """

    diameter_px: float | None = None
    diameter_ang: float | None = None
    box_factor: float = 1.5
    box_px: int = 48
    base: str | Path = "bundled"
    backbone: str | None = None
    n_steps: int = setting(80, least=1)
    batch_size: int = setting(24, least=1)
    batch_norm: BatchNorm = setting("auto", choices=BatchNorm)
    unlabelled_batch_size: int = setting(16, least=0)
    learning_rate: float = setting(1e-3, above=0)
    weight_decay: float = setting(1e-2, least=0)
    backbone_rate: float | None = setting(None, least=0)
    n_frozen: int = setting(0, least=0)
    branch_weights: tuple[float, float] = setting((1.0, 1.0), least=0)
    label_smoothing: float = setting(0.0, least=0, below=1)
    leave_out_doubtful: bool = True
    known_false: bool = True
    prior: Prior = setting("picks", choices=Prior)
    n_labels: int = setting(500, least=1)
    n_labelled_micrographs: int = setting(64, least=1)
    n_unlabelled: int = setting(512, least=0)
    n_unlabelled_micrographs: int = setting(8, least=0)
    n_folds: int = setting(3, least=0)
    n_repeats: int = setting(1, least=1)
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = setting(0, least=0)
    device: str = "auto"
    class_names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", checked_class_names(self.class_names))
        if self.backbone is not None:
            checked_backbone(self.backbone)
        _ = self.boxes  # checks the diameter
        check_ranges(self)
        if not any(self.branch_weights):
            raise SettingsError("branch_weights must not all be 0.")

    def n_steps_of(self, n_labels: int) -> int:
        """Return the steps of a training: `n_steps`, and in proportion more for many labels.

        Above `MANY_LABELS`, up to `MOST_LONGER` times as many.

        Examples
        --------
        >>> settings = FineTuneSettings(diameter_px=100)
        >>> [settings.n_steps_of(n) for n in (40, 480, 1000, 5000)]
        [80, 80, 167, 240]
        """
        longer = min(max(n_labels / MANY_LABELS, 1.0), MOST_LONGER)
        return round(self.n_steps * longer)

    @property
    def keeps_batch_norm(self) -> bool:
        """Whether BatchNorm keeps the statistics of the base."""
        if self.batch_norm == "auto":
            return is_trained_on_boxes(self.base)
        return self.batch_norm == "keep"

    @property
    def rate_of_backbone(self) -> float:
        """`backbone_rate`, or its default for the base."""
        if self.backbone_rate is not None:
            return self.backbone_rate
        return GENTLE_RATE if is_trained_on_boxes(self.base) else 1.0

    @property
    def boxes(self) -> BoxSettings:
        """Diameter and box size."""
        return BoxSettings(self.diameter_px, self.diameter_ang, self.box_factor, self.box_px)


@dataclass(frozen=True)
class SuggestSettings:
    """How picks to label are chosen.

    Parameters
    ----------
    n : int
        Number of picks to suggest.
    by : {"auto", "diversity", "uncertainty", "mixed", "disagreement"}
        Picks unlike each other and unlike the labels; uncertain picks unlike each
        other; half of each; or picks on which the model and the picker's score differ.
        ``auto`` is half of each with a model, and diversity without one.
    diameter_px, diameter_ang : float, optional
        Particle diameter in micrograph pixels or in Å; needed without a model, which has its own.
    box_factor : float
        Box side in particle diameters, without a model.
    box_px : int
        Box side at the working resolution in pixels, without a model.
    base : str or Path
        Weights for comparing picks without a model, and labels with each other; see
        `FineTuneSettings`.
    n_micrographs, n_pool : int
        Maximum number of micrographs to read, and approximate number of picks to compare.
    n_views : int
        Test-time augmentation views of each box, 1 to 8.
    seed : int
        Seed of the draw of the micrographs and of the choice.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    n: int = setting(20, least=1)
    by: By = setting("auto", choices=By)
    diameter_px: float | None = None
    diameter_ang: float | None = None
    box_factor: float = 1.5
    box_px: int = 48
    base: str | Path = "bundled"
    n_micrographs: int = setting(24, least=1)
    n_pool: int = setting(3000, least=1)
    n_views: int = setting(DEFAULT_VIEWS, least=1, most=MAX_VIEWS)
    seed: int = setting(0, least=0)
    device: str = "auto"

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def boxes(self) -> BoxSettings:
        """Diameter and box size; raises `SettingsError` where there is no diameter."""
        return BoxSettings(self.diameter_px, self.diameter_ang, self.box_factor, self.box_px)
