"""The line that makes a network's P(particle) calibrated, from labels and unlabelled picks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from napari_pickeroptimizer.trust.calibration import Calibration, bounded_logit
from napari_pickeroptimizer.trust.posterior import (
    CLOSE,
    binned,
    particle_share,
    posterior,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.evidence import Evidence

# A slope outside these would come from a fluke of few labels.
SLOPES = (0.2, 5.0)
N_BINS = 200


def fit_calibration(
    evidence: Evidence, p_picks: NDArray[np.floating], *, even: bool = False
) -> Calibration:
    """Return the line nearest to what labels and picks say of P(particle), on average.

    Every line that the labels allow gives each pick a probability; their mean is nearer to a
    half than that of the likeliest line where labels are few. The line returned is the one
    through these means, in the logit, with weights p (1 - p).

    Parameters
    ----------
    evidence : Evidence
        Out-of-fold scores of labels of both classes.
    p_picks : (n,) float
        The network's P(particle) of picks as they occur, not calibrated; may be none.
    even : bool
        Take half of the picks for particles, instead of estimating their share. So it is
        without picks.
    """
    lines = posterior(evidence.representative(), CLOSE)
    seen = bounded_logit(p_picks) if len(p_picks) else evidence.logits
    logits, counts, _ = binned(np.sort(seen), N_BINS)
    log_ratio = lines.intercept[:, None] + lines.slope[:, None] * logits
    offset = np.zeros(len(log_ratio))
    if len(p_picks) and not even:
        offset = logit(particle_share(log_ratio, counts))
    p = expit(log_ratio + offset[:, None]).mean(axis=0)
    weights = counts * p * (1 - p)
    slope, intercept = np.polyfit(logits, logit(p), 1, w=np.sqrt(weights))
    if not SLOPES[0] <= slope <= SLOPES[1]:
        slope = float(np.clip(slope, *SLOPES))
        intercept = float(np.average(logit(p) - slope * logits, weights=weights))
    return Calibration(float(slope), float(intercept))
