"""How often each class occurs among picks that nobody labelled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_ROUNDS = 100
# Never so sure of the picks that a label's evidence would not count.
LIMITS = (0.1, 0.9)


def class_prior(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the shares of the classes, by expectation maximisation.

    Saerens, Latinne and Decaestecker, Neural Computation 14 (2002) 21-41: probabilities of a
    classifier that was taught all classes evenly are reweighted by the shares, and the
    shares are their mean, until both agree.

    Parameters
    ----------
    probabilities : (n, c) float
        Of picks as they occur, by a classifier for which each class is as likely.

    Returns
    -------
    (c,) float64
        Shares, each within `LIMITS` before they are made to add up to one.

    Examples
    --------
    >>> sure = np.array([[0.98, 0.02]] * 8 + [[0.02, 0.98]] * 2)
    >>> class_prior(sure).round(1).tolist()
    [0.8, 0.2]
    """
    given = np.asarray(probabilities, dtype=np.float64)
    shares = np.full(given.shape[1], 1 / given.shape[1])
    for _ in range(N_ROUNDS):
        weighted = given * shares
        weighted /= np.maximum(weighted.sum(axis=1, keepdims=True), 1e-12)
        shares = weighted.mean(axis=0)
    shares = np.clip(shares, *LIMITS)
    return np.asarray(shares / shares.sum(), dtype=np.float64)
