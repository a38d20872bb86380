"""Boxes of false picks that a pretrained model carries for fine-tunings to rehearse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.rehearsal import RehearsalBoxes, is_of

if TYPE_CHECKING:
    from napari_pickeroptimizer.pretrain.categories import CategorySet
    from napari_pickeroptimizer.pretrain.settings import PretrainSettings


def drawn_rehearsal(
    categories: CategorySet, settings: PretrainSettings
) -> RehearsalBoxes | None:
    """Draw boxes of each category that `settings` names; None if it names none.

    Raises
    ------
    SettingsError
        A category is not there, or is one of particles.
    """
    allowed = [name for name in categories.names if not is_of(PARTICLE, name)]
    for name in settings.rehearse:
        if name not in allowed:
            raise SettingsError(
                f"{name} cannot be rehearsed: expected categories of false picks that are in "
                f"this set, such as {', '.join(allowed[:4])}."
            )
    if not settings.rehearse:
        return None
    rng = np.random.default_rng(settings.seed)
    parts = []
    for name in settings.rehearse:
        rows = np.flatnonzero(categories.targets == categories.names.index(name))
        n = min(settings.n_rehearsal, len(rows))
        parts.append(np.sort(rng.choice(rows, n, replace=False)))
    rows = np.concatenate(parts)
    return RehearsalBoxes.of(categories.draw(rows), categories.targets[rows])
