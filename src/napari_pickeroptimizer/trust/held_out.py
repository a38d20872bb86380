"""Scores of the labels from models that were not trained on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class HeldOutScores:
    """Out-of-fold scores of the user's labels.

    Parameters
    ----------
    logits : (n,) float64
        Logit of P(particle) of each label from a model of the cross-validation that was not
        trained on it, brought to the scale of the final model's uncalibrated output.
    is_particle : (n,) bool
        The user's label.
    suggested : (n,) bool
        Whether the pick was suggested for labelling, for its score or its features; by default
        none was.
    micrograph : (n,) int, optional
        Number of each label's micrograph; files of earlier versions do not tell.
    """

    logits: NDArray[np.float64]
    is_particle: NDArray[np.bool_]
    suggested: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    micrograph: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        if not len(self.suggested):
            object.__setattr__(self, "suggested", np.zeros(len(self.logits), dtype=bool))
        if not (self.logits.shape == self.is_particle.shape == self.suggested.shape):
            raise ValueError(
                f"expected arrays of one length, got {len(self.logits)} logits, "
                f"{len(self.is_particle)} labels and {len(self.suggested)} flags of suggestions"
            )
        if self.micrograph is not None and self.micrograph.shape != self.logits.shape:
            raise ValueError(
                f"expected a micrograph for each of {len(self.logits)} labels, got "
                f"{len(self.micrograph)}"
            )

    @property
    def n_particles(self) -> int:
        """Labels of particles."""
        return int(self.is_particle.sum())

    @property
    def n_others(self) -> int:
        """Labels of every other class."""
        return len(self.is_particle) - self.n_particles

    def representative(self) -> HeldOutScores:
        """Return the labels whose scores are distributed like those of the picks of their class.

        Suggested picks are not representative: they were chosen because they are uncertain or
        unusual. They are left out, unless the remaining labels are of one class only.
        """
        others = ~self.suggested
        if len(np.unique(self.is_particle[others])) < 2:
            return self
        return HeldOutScores(
            self.logits[others],
            self.is_particle[others],
            micrograph=None if self.micrograph is None else self.micrograph[others],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "logits": [round(float(logit), 4) for logit in self.logits],
            "is_particle": self.is_particle.tolist(),
            "suggested": self.suggested.tolist(),
            "micrograph": None if self.micrograph is None else self.micrograph.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make the scores from the result of `to_dict`.

        Raises
        ------
        ValueError
            They are not of labels of both kinds, from which alone something can be told.
        """
        micrograph = values.get("micrograph")
        scores = cls(
            np.asarray(values["logits"], dtype=np.float64),
            np.asarray(values["is_particle"], dtype=bool),
            np.asarray(values.get("suggested", []), dtype=bool),
            None if micrograph is None else np.asarray(micrograph, dtype=np.intp),
        )
        if not (scores.n_particles and scores.n_others):
            raise ValueError(
                f"expected held-out scores of particles and of others, got {scores.n_particles} "
                f"and {scores.n_others}"
            )
        return scores


def match_scale(
    logits: NDArray[np.float64],
    source: NDArray[np.float64],
    target: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Map one model's logits to the scale of another one by matching quantiles.

    The models of a cross-validation differ in confidence. A logit at quantile q of the first
    model's logits of some picks becomes the one at quantile q of the second model's logits of
    the same picks; beyond the extremes, the distance to the nearest one is kept.

    Parameters
    ----------
    logits : (n,) float64
        Of the first model.
    source, target : (m,) float64
        The first and the second model's logits of the same unlabelled picks; with fewer than
        two picks, nothing changes.

    Examples
    --------
    >>> source, target = np.array([-1.0, 0.0, 1.0]), np.array([-3.0, 0.0, 3.0])
    >>> match_scale(np.array([-1.5, -0.5, 1.0]), source, target).tolist()
    [-3.5, -1.5, 3.0]
    """
    if len(source) < 2:
        return logits
    source, target = np.sort(source), np.sort(target)
    below = np.minimum(logits - source[0], 0)
    above = np.maximum(logits - source[-1], 0)
    return np.asarray(np.interp(logits, source, target) + below + above)
