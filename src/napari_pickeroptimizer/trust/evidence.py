"""What the labels say of the scores: each label judged by a model that did not see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Evidence:
    """Out-of-fold scores of the user's labels.

    Parameters
    ----------
    logits : (n,) float64
        Logit of P(particle) of each label from a model of the cross-validation that was not
        trained on it, brought to the scale of the final model's uncalibrated output.
    is_particle : (n,) bool
        What the user said.
    suggested : (n,) bool
        Whether the pick was chosen for its score or its features, whatever its class; by
        default none was.
    """

    logits: NDArray[np.float64]
    is_particle: NDArray[np.bool_]
    suggested: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __post_init__(self) -> None:
        if not len(self.suggested):
            object.__setattr__(self, "suggested", np.zeros(len(self.logits), dtype=bool))
        if not (self.logits.shape == self.is_particle.shape == self.suggested.shape):
            raise ValueError(
                f"{len(self.logits)} logits for {len(self.is_particle)} labels, "
                f"{len(self.suggested)} of them suggested or not"
            )

    @property
    def n_particles(self) -> int:
        """Labels of particles."""
        return int(self.is_particle.sum())

    @property
    def n_others(self) -> int:
        """Labels of every other class."""
        return len(self.is_particle) - self.n_particles

    def representative(self) -> Evidence:
        """Return the labels whose scores are like those of the picks of their class.

        Suggested picks are not: they were chosen for being in doubt, or odd. They are left out,
        unless the others are of one class only.
        """
        others = ~self.suggested
        if len(np.unique(self.is_particle[others])) < 2:
            return self
        return Evidence(self.logits[others], self.is_particle[others])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "logits": [round(float(logit), 4) for logit in self.logits],
            "is_particle": self.is_particle.tolist(),
            "suggested": self.suggested.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make the evidence from what `to_dict` gave."""
        return cls(
            np.asarray(values["logits"], dtype=np.float64),
            np.asarray(values["is_particle"], dtype=bool),
            np.asarray(values.get("suggested", []), dtype=bool),
        )


def on_scale_of(
    logits: NDArray[np.float64],
    seen_here: NDArray[np.float64],
    seen_there: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Bring one model's logits to the scale of another, by what both say of the same picks.

    Each model of a cross-validation is as sure as its own training made it. A logit that
    exceeds a share q of the first model's logits becomes the one that exceeds q of the second
    model's; beyond all of them, the distance to the nearest is kept.

    Parameters
    ----------
    logits : (n,) float64
        Of the first model.
    seen_here, seen_there : (m,) float64
        Both models' logits of the same unlabelled picks; with fewer than two, nothing changes.

    Examples
    --------
    >>> here, there = np.array([-1.0, 0.0, 1.0]), np.array([-3.0, 0.0, 3.0])
    >>> on_scale_of(np.array([-1.5, -0.5, 1.0]), here, there).tolist()
    [-3.5, -1.5, 3.0]
    """
    if len(seen_here) < 2:
        return logits
    here, there = np.sort(seen_here), np.sort(seen_there)
    below, above = np.minimum(logits - here[0], 0), np.maximum(logits - here[-1], 0)
    return np.asarray(np.interp(logits, here, there) + below + above)
