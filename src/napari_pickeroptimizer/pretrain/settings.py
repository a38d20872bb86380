"""Settings of the pretraining."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_pickeroptimizer.box_size import BoxSettings, window_side
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.fewshot.settings import Augmentation
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF, checked_backbone
from napari_pickeroptimizer.pretrain.write import BOX_FACTOR, BOX_PX
from napari_pickeroptimizer.settings import check_ranges, setting

Balance = Literal["category", "class", "row"]
# These change where and in which form results are saved, not what is learned.
WITHOUT_EFFECT = (
    "device",
    "save_every",
    "report_every",
    "half",
    "known_false_categories",
    "n_known_false",
)


@dataclass(frozen=True)
class PretrainSettings:
    """Settings of pretraining on categories of boxes.

    Parameters
    ----------
    backbone : str
        See `model.backbone_names.BACKBONES`.
    base : str or Path
        First weights: ``none``, ``imagenet``, or a file.
    n_steps : int
        Optimiser steps.
    batch_size : int
        Boxes a step.
    balance : str
        What is drawn equally often: each ``category``; each ``class`` and in it each category;
        or each ``row``, so that large categories count for more.
    learning_rate, weight_decay : float
        Of AdamW; the learning rate follows one cycle.
    branch_weights : tuple of float
        Weights of the two branches in the multi-loss.
    label_smoothing : float
        Share of each target spread over all categories.
    augmentation : Augmentation
        How far views are varied; contrast and brightness more than in fine-tuning, since
        the next microscope is not among the known ones.
    noise_sigma : float
        Largest white noise added, in standard deviations of the micrograph.
    blur_px : float
        Largest Gaussian blur (its standard deviation), in pixels of the box.
    validation_share : float
        Share of each category that is held out; 0 for none.
    report_every : int
        Steps between two looks at the held-out boxes.
    save_every : int
        Steps between two saved states.
    known_false_categories : tuple of str
        Categories of false picks of which boxes go into the model file: fine-tunings set them
        against the labelled particles (`fewshot.known_false`).
    n_known_false : int
        Boxes of each of them.
    half : bool
        Round the weights of the result to float16.
    amp : bool
        Compute the network in bfloat16 (faster on new GPUs).
    seed : int
        Seed of everything random.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    backbone: str = RESNET18_HALF
    base: str | Path = "none"
    n_steps: int = setting(10_000, least=1)
    batch_size: int = setting(128, least=2)
    balance: Balance = setting("category", choices=Balance)
    learning_rate: float = setting(1e-3, above=0)
    weight_decay: float = setting(1e-2, least=0)
    branch_weights: tuple[float, float] = setting((1.0, 1.0), least=0)
    label_smoothing: float = setting(0.0, least=0, below=1)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(contrast=0.3, brightness=0.3)
    )
    noise_sigma: float = setting(0.5, least=0)
    blur_px: float = setting(1.0, least=0)
    validation_share: float = setting(0.02, least=0, below=1)
    report_every: int = setting(500, least=1)
    save_every: int = setting(500, least=1)
    known_false_categories: tuple[str, ...] = ()
    n_known_false: int = setting(40, least=1)
    half: bool = True
    amp: bool = False
    seed: int = setting(0, least=0)
    device: str = "auto"

    def __post_init__(self) -> None:
        checked_backbone(self.backbone)
        check_ranges(self)
        if not any(self.branch_weights):
            raise SettingsError("branch_weights must not all be 0.")

    @property
    def boxes(self) -> BoxSettings:
        """Box size; the diameter is that in the box, since there is no micrograph."""
        return BoxSettings(BOX_PX / BOX_FACTOR, box_factor=BOX_FACTOR, box_px=BOX_PX)

    def checked_side(self, side: int) -> int:
        """Check that every augmented view of a box fits into windows, and return their `side`.

        Raises
        ------
        SettingsError
            It does not.
        """
        needed = window_side(self.boxes, self.augmentation.reach)
        if needed > side:
            raise SettingsError(
                f"views shifted by {self.augmentation.shift} box sides and scaled by "
                f"{self.augmentation.scale} need windows of {needed} px; these boxes have "
                f"{side} px. Choose a smaller shift or scale."
            )
        return side

    def record(self) -> dict[str, Any]:
        """Return the settings as plain values; of a base file, only its name."""
        base = str(self.base)
        return {**asdict(self), "base": Path(base).name if Path(base).is_file() else base}
