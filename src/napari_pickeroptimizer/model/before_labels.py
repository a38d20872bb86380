"""A classifier before the first label: a pretrained network, particle against everything else.

A pretrained network distinguishes categories of many data sets (``particle_*``, ``contaminant_*``,
``carbon_*``, ...). Their probabilities are added up to two classes. The order of the scores is
meaningful on data that the network has never seen; the numbers are not calibrated there, and
nothing is known of their precision. Its batch statistics stay those of the pretraining: those of
the picks, which may be nearly all particles, made it much worse.
"""

from __future__ import annotations

from pathlib import Path

import torch

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE, class_name
from napari_pickeroptimizer.errors import CheckpointError, SettingsError
from napari_pickeroptimizer.model.bases import BUNDLED_NAME, file_of_model
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.card_schema import BEFORE_LABELS
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet


def model_before_labels(
    diameter_px: float | None = None,
    diameter_ang: float | None = None,
    *,
    base: str | Path = BUNDLED_NAME,
) -> Classifier:
    """Return a classifier of particles and others for a particle diameter, without any label.

    Parameters
    ----------
    diameter_px, diameter_ang : float, optional
        Particle diameter in micrograph pixels, or in Å; one of them is needed.
    base : str or Path
        ``bundled``, or the file of a pretrained model.

    Returns
    -------
    Classifier
        With the classes 1 (particle) and 2 (contaminant), for `score`, `prune_picks` and the
        like. It has no forecast, and is not saved.

    Raises
    ------
    CheckpointError
        The file is no pretrained model, or its categories are not particles and others.
    SettingsError
        The diameter is missing.
    """
    return _two_classes(_loaded(base), base, diameter_px, diameter_ang)


def model_for_picks(
    model: str | Path, diameter_px: float | None = None, diameter_ang: float | None = None
) -> Classifier:
    """Return the model of a file for scoring picks: a fine-tuned one, or one before any label.

    Parameters
    ----------
    model : str or Path
        File of a fine-tuned model, file of a pretrained one, or ``bundled``.
    diameter_px, diameter_ang : float, optional
        Particle diameter, for a pretrained model: a fine-tuned one has its own.

    Raises
    ------
    CheckpointError
        The file is no model, or its categories are not particles and others.
    SettingsError
        A diameter is missing, or given where it has no place.
    """
    loaded = _loaded(model)
    has_diameter = diameter_px is not None or diameter_ang is not None
    if loaded.card.is_pretrained and not has_diameter:
        raise SettingsError(
            f"{model} is a pretrained network, which scores picks without labels but does not "
            "know their size: give --diameter-px or --diameter-angstrom, or a model that "
            "`pickeroptimizer finetune` wrote."
        )
    if loaded.card.is_pretrained:
        return _two_classes(loaded, model, diameter_px, diameter_ang)
    if has_diameter:
        raise SettingsError(
            f"{model} was fine-tuned and has its own diameter: leave --diameter-px and "
            "--diameter-angstrom out."
        )
    return loaded


def _loaded(model: str | Path) -> Classifier:
    return Classifier.load(file_of_model(model))


def _two_classes(
    pretrained: Classifier,
    base: str | Path,
    diameter_px: float | None,
    diameter_ang: float | None,
) -> Classifier:
    card = pretrained.card
    prefix = f"{class_name(PARTICLE)}_"
    is_particle = [name.startswith(prefix) for name in card.class_names]
    if not card.is_pretrained or all(is_particle) or not any(is_particle):
        raise CheckpointError(
            f"{base} cannot score picks without labels: expected a pretrained model with "
            f"categories {prefix}* and others, such as the bundled one, got "
            f"{', '.join(card.class_names[:3])}, ..."
        )
    boxes = BoxSettings(
        diameter_px=diameter_px,
        diameter_ang=diameter_ang,
        box_factor=card.boxes.box_factor,
        box_px=card.boxes.box_px,
    )
    classes = (PARTICLE, CONTAMINANT)
    with torch.random.fork_rng(devices=[]):  # as if nothing had been drawn
        network = TwoBranchNet(
            pretrained.network.features,
            len(classes),
            [classes.index(PARTICLE if is_one else CONTAMINANT) for is_one in is_particle],
        )
    network.load_state_dict(pretrained.network.state_dict())
    return Classifier(
        network.eval(),
        ModelCard(
            class_ids=classes,
            class_names=tuple(map(class_name, classes)),
            backbone=card.backbone,
            boxes=boxes,
            training={"kind": BEFORE_LABELS, "settings": {"base": str(base)}},
            versions=card.versions,
        ),
    )
