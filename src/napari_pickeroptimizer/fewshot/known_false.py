"""False picks that the base knows, such as carbon, set against the labelled particles.

Twenty labels rarely show all kinds of false picks. So a linear classifier on the features of the
trained network distinguishes boxes that the base carries along from the labelled particles, and
its odds are added to those against a particle. It changes nothing for picks that are unlike the
known boxes. Training on the boxes instead removed as much carbon, but drew the boundary between
the user's classes away from the labels (docs/explanation/ablation.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.model.weights import pretrained_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.model.known_false import KnownFalseBoxes
    from napari_pickeroptimizer.model.network import TwoBranchNet

INVERSE_PENALTY = 0.1  # of the logistic regression, on standardised features
# Odds against a particle are exp(STEEPNESS * score - CAUTION): half at a score of 0.5.
STEEPNESS, CAUTION = 2.0, 1.0
# Fewer labels of particles do not tell what sets them apart from the known boxes.
LEAST_PARTICLES = 5
# If more of the labelled particles are taken for known boxes, they are too much like them, as
# particles on a carbon support may be: then nothing is added.
LARGEST_CONFUSION = 0.1
N_FOLDS = 5


def known_false_boxes(
    class_ids: Sequence[int], settings: FineTuneSettings
) -> KnownFalseBoxes | None:
    """Return the boxes that the base carries along, if they serve labels of these classes.

    They do not where no particles are labelled, or boxes have another size than those of the
    base; and a base may have none.
    """
    if PARTICLE not in class_ids or not settings.known_false:
        return None
    base = pretrained_model(settings.base)
    if base is None:
        return None
    size, wanted = base.card.boxes, settings.boxes
    fits = (size.box_factor, size.box_px) == (wanted.box_factor, wanted.box_px)
    return base.known_false if fits else None


def add_known_false(
    network: TwoBranchNet,
    known: NDArray[np.float32],
    particles: NDArray[np.float32],
    share: float,
) -> bool:
    """Add the odds of known false picks to a trained network; return whether it was done.

    Parameters
    ----------
    network : TwoBranchNet
        The network; its class 0 is particles.
    known, particles : (n, c), (m, c) float32
        Its features of the known boxes, and of the labelled particles.
    share : float
        Share of particles among the picks: the caution is for probabilities with this prior, and
        the network itself holds all classes for as likely.
    """
    if len(particles) < LEAST_PARTICLES:
        return False
    x = np.concatenate([particles, known])
    y = np.repeat([0, 1], [len(particles), len(known)])
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000),
    )
    folds = StratifiedKFold(min(N_FOLDS, len(known)), shuffle=True, random_state=0)
    scores = cross_val_predict(model, x, y, cv=folds, method="decision_function")
    if np.mean(scores[y == 0] > 0) > LARGEST_CONFUSION:
        return False
    scaler, regression = (step for _, step in model.fit(x, y).steps)
    weight = STEEPNESS * regression.coef_[0] / scaler.scale_
    offset = STEEPNESS * regression.intercept_[0] - CAUTION - weight @ scaler.mean_
    prior = float(np.clip(logit(share), -4.0, 4.0))
    network.add_known_false(torch.as_tensor(weight, dtype=torch.float32), offset + prior)
    return True
