"""Which of many micrographs and picks a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED, class_name

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.trust.sanity import ShareCheck

N_UNUSUAL = 12
N_TYPICAL = 12
N_BOXES = 24


def choose_micrographs(
    check: ShareCheck, n_unusual: int = N_UNUSUAL, n_typical: int = N_TYPICAL
) -> tuple[list[int], list[int]]:
    """Return positions of unusual micrographs, and of typical ones.

    The unusual ones come in the order of their distance from the median share, the farthest
    first. The typical ones are among the half that is nearest to it, evenly spread over the
    order of the picks.
    """
    far = np.abs(check.deviation)
    scored = np.isfinite(far)
    unusual = np.flatnonzero(check.unusual)
    usual = np.flatnonzero(scored & ~check.unusual)
    if len(usual) > n_typical:
        nearest = usual[np.argsort(far[usual], kind="stable")]
        usual = np.sort(nearest[: max(n_typical, len(usual) // 2)])
        usual = usual[np.linspace(0, len(usual) - 1, n_typical).round().astype(int)]
    unusual = unusual[np.argsort(-far[unusual], kind="stable")][:n_unusual]
    return unusual.tolist(), usual.tolist()


@dataclass(frozen=True, eq=False)
class PickSelection:
    """Picks to show as boxes.

    Parameters
    ----------
    title, caption : str
        Heading and sentence.
    rows : (n,) int
        Positions in the table of picks, in the order they are shown.
    """

    title: str
    caption: str
    rows: NDArray[np.intp]


def choose_picks(
    decided: Picks, threshold: float, names: Mapping[int, str], n: int = N_BOXES
) -> list[PickSelection]:
    """Choose the most certain kept picks, the most uncertain, and each class's most rejected.

    Parameters
    ----------
    decided : Picks
        With probabilities and ``predicted``.
    threshold : float
        P(particle) of the decision.
    names : mapping of int to str
        Names of the classes.
    n : int
        Picks of each kind.
    """
    predicted = decided.table["predicted"].to_numpy()
    p = decided.particle_probability
    scored = np.flatnonzero((predicted != UNLABELLED) & np.isfinite(p))
    uncertain = scored[np.argsort(np.abs(p[scored] - threshold), kind="stable")[:n]]
    selections = [
        PickSelection(
            "Kept, highest scores", "The most certain particles.",
            highest(p, np.flatnonzero(predicted == PARTICLE), n),
        ),
        PickSelection(
            "Most uncertain",
            f"Nearest to the threshold of {threshold:.2f}, on both sides of it.",
            highest(p, uncertain, n),
        ),
    ]  # fmt: skip
    for class_id in sorted(int(c) for c in np.unique(predicted) if c > PARTICLE):
        rows, name = np.flatnonzero(predicted == class_id), class_name(class_id, names)
        selections.append(
            PickSelection(
                f"Rejected as {name}, lowest scores",
                f"Of {len(rows):,} picks with this class.",
                highest(-p, rows, n),
            )
        )
    return [selection for selection in selections if len(selection.rows)]


def highest(
    values: NDArray[np.float64], rows: NDArray[np.intp], n: int = N_BOXES
) -> NDArray[np.intp]:
    """Return the `n` of `rows` with the highest values, the highest first."""
    return np.asarray(rows[np.argsort(-values[rows], kind="stable")[:n]])
