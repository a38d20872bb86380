"""Boxes of false picks that a pretrained model carries for fine-tunings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.known_false import KnownFalseBoxes

if TYPE_CHECKING:
    from napari_pickeroptimizer.pretrain.categories import CategorySet
    from napari_pickeroptimizer.pretrain.settings import PretrainSettings


def drawn_known_false(
    categories: CategorySet, settings: PretrainSettings
) -> KnownFalseBoxes | None:
    """Draw boxes of each category that `settings` names; None if it names none.

    Raises
    ------
    SettingsError
        A category is not there, or is one of particles.
    """
    kinds = zip(categories.names, categories.class_ids, strict=True)
    allowed = [name for name, class_id in kinds if class_id != PARTICLE]
    for name in settings.known_false_categories:
        if name not in allowed:
            raise SettingsError(
                f"{name} cannot be a known false pick: expected categories of false picks that "
                f"are in this set, such as {', '.join(allowed[:4])}."
            )
    if not settings.known_false_categories:
        return None
    rng = np.random.default_rng(settings.seed)
    parts = []
    for name in settings.known_false_categories:
        rows = np.flatnonzero(categories.targets == categories.names.index(name))
        n = min(settings.n_known_false, len(rows))
        parts.append(np.sort(rng.choice(rows, n, replace=False)))
    windows = categories.draw(np.concatenate(parts))
    return KnownFalseBoxes.of(render(windows, settings.boxes.box_px))
