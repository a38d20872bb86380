"""How much labels tell that come from few micrographs: the design effect of cluster samples.

Picks of one micrograph are alike: they share its defocus, ice and contamination, and the model
of the cross-validation that did not see it. With a correlation rho between the scores of one
class in a micrograph, the mean of n labels, m of them on each micrograph, is as uncertain as
that of n / (1 + (m - 1) rho) labels, each on a micrograph of its own (L. Kish, Survey Sampling,
1965). So each label counts 1 / (1 + (m - 1) rho) in the likelihood. Labels of three micrographs
cannot tell how micrographs differ; rho is therefore given and not estimated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.held_out import HeldOutScores

# Of four real and three simulated sets it was 0.02 to 0.08 among all picks of a class. More is
# taken, since the models of the cross-validation differ too, by the micrographs they saw.
CORRELATION = 0.1
# Where a file does not tell the micrographs of labels.
USUAL_MICROGRAPHS = 3


def label_weights(held_out: HeldOutScores) -> NDArray[np.float64]:
    """Return how much each label counts, 1 for labels of as many micrographs.

    Parameters
    ----------
    held_out : HeldOutScores
        Labels, and their micrographs where they are known.

    Returns
    -------
    (n,) float64
        The same for all labels of a class, particles and others.
    """
    weights = np.ones(len(held_out.logits))
    for of_class in (held_out.is_particle, ~held_out.is_particle):
        if held_out.micrograph is None:
            size = max(1.0, of_class.sum() / USUAL_MICROGRAPHS)
        elif of_class.any():
            _, counts = np.unique(held_out.micrograph[of_class], return_counts=True)
            size = float((counts**2).sum() / counts.sum())  # that the mean label belongs to
        else:
            continue
        weights[of_class] = 1 / (1 + (size - 1) * CORRELATION)
    return weights
