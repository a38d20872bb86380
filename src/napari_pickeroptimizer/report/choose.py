"""What of many is shown: unusual micrographs and typical ones, sure boxes and doubtful ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED, class_name

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.picks import Picks

N_UNUSUAL = 12
N_TYPICAL = 12
N_BOXES = 24
# Robust standard deviations from the median.
UNUSUAL = 3.0
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class Shares:
    """Counts of the picks of every micrograph, in the order of the picks.

    Parameters
    ----------
    names : list of str
        The micrographs, as the picks spell them.
    rows : list of (k,) int
        Positions of their picks in the table.
    n_kept, n_rejected, n_unscored : (n,) int
        Picks by what became of them.
    deviation : (n,) float
        How far the kept share lies from the median, see `deviations`; NaN where nothing was
        scored.
    """

    names: list[str]
    rows: list[NDArray[np.intp]]
    n_kept: NDArray[np.intp]
    n_rejected: NDArray[np.intp]
    n_unscored: NDArray[np.intp]
    deviation: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def n_scored(self) -> NDArray[np.intp]:
        """(n,) picks that have a score."""
        return self.n_kept + self.n_rejected

    @property
    def share(self) -> NDArray[np.float64]:
        """(n,) kept share of the scored picks, NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.n_kept / self.n_scored)

    @property
    def unusual(self) -> NDArray[np.bool_]:
        """(n,) whether the kept share is far from that of the others."""
        return np.asarray(np.abs(self.deviation) > UNUSUAL)


def shares(decided: Picks, micrographs: Micrographs | None = None) -> Shares:
    """Count the decided picks by micrograph; with `micrographs`, whatever its spelling."""
    predicted = decided.table["predicted"].to_numpy()
    by_name = rows_by_micrograph(decided, micrographs)
    rows = list(by_name.values())
    n_kept, n_unscored = (
        np.array([int((predicted[r] == value).sum()) for r in rows], dtype=np.intp)
        for value in (PARTICLE, UNLABELLED)
    )
    n_all = np.array([len(r) for r in rows], dtype=np.intp)
    n_rejected = n_all - n_kept - n_unscored
    return Shares(
        list(by_name), rows, n_kept, n_rejected, n_unscored,
        deviations(n_kept, n_kept + n_rejected),
    )  # fmt: skip


def rows_by_micrograph(
    picks: Picks, micrographs: Micrographs | None = None
) -> dict[str, NDArray[np.intp]]:
    """Map micrographs to their picks' rows, in the order of the picks.

    A micrograph that the picks spell in several ways is called as the first of them does.
    """
    by_name = picks.rows_by_micrograph()
    if micrographs is None:
        return by_name
    found, missing = micrographs.rows_of(picks)
    names = picks.table["micrograph"]
    groups = [(str(names.iloc[rows[0]]), rows) for rows in found.values()]
    groups += [(name, by_name[name]) for name in missing]
    return dict(sorted(groups, key=lambda group: int(group[1][0])))


def deviations(
    n_kept: NDArray[np.intp], n_scored: NDArray[np.intp], least_spread: float = 0.05
) -> NDArray[np.float64]:
    """Return how far each kept share lies from the median, in robust standard deviations.

    Shares are compared after the arcsine transformation, which makes their spread the same
    wherever they lie (F. Anscombe, Biometrika 35 (1948) 246-254). The spread is what differs
    between micrographs and what chance gives with so few picks, so that 2 of 3 kept is
    nothing unusual where 60 of 300 are.

    Parameters
    ----------
    n_kept, n_scored : (n,) int
        Kept and scored picks.
    least_spread : float
        Least difference between micrographs, on the transformed scale, that counts as usual.
    """
    k, n = n_kept.astype(float), n_scored.astype(float)
    good = n > 0
    if not good.any():
        return np.full(len(n), np.nan)
    angle = np.arcsin(np.sqrt((k + 0.375) / (n + 0.75)))
    middle = np.median(angle[good])
    by_chance = 1 / (4 * n + 2)
    spread = MAD_TO_SIGMA * np.median(np.abs(angle - middle)[good])
    between = max(spread**2 - float(np.median(by_chance[good])), least_spread**2)
    return np.asarray(np.where(good, (angle - middle) / np.sqrt(between + by_chance), np.nan))


def choose_micrographs(
    deviation: NDArray[np.float64], n_unusual: int = N_UNUSUAL, n_typical: int = N_TYPICAL
) -> tuple[list[int], list[int]]:
    """Return positions of the most unusual micrographs, and of typical ones from all over.

    The unusual are those beyond `UNUSUAL`, the farthest first. The typical come from the
    half nearest to the median, evenly spread over the order of the picks.
    """
    scored = np.flatnonzero(np.isfinite(deviation))
    far = np.abs(deviation)
    order = scored[np.argsort(-far[scored], kind="stable")]
    unusual = [int(i) for i in order if far[i] > UNUSUAL][:n_unusual]
    usual = np.sort([i for i in order[::-1] if far[i] <= UNUSUAL])
    if len(usual) > n_typical:
        nearest = usual[np.argsort(far[usual], kind="stable")]
        usual = np.sort(nearest[: max(n_typical, len(usual) // 2)])
        usual = usual[np.linspace(0, len(usual) - 1, n_typical).round().astype(int)]
    return unusual, [int(i) for i in usual]


@dataclass(frozen=True, eq=False)
class Choice:
    """Picks for one gallery.

    Parameters
    ----------
    title, words : str
        Its heading and a sentence.
    kind : str
        ``kept``, ``rejected`` or ``mixed``.
    rows : (n,) int
        Positions in the table of picks, in the order they are shown.
    """

    title: str
    words: str
    kind: str
    rows: NDArray[np.intp]


def galleries(
    decided: Picks,
    threshold: float,
    n: int = N_BOXES,
    names: Mapping[int, str] | None = None,
) -> list[Choice]:
    """Choose the surest kept, the most doubtful, and the surest rejected of each class.

    Classes are called as in `names`, those of the model, or else by default.
    """
    predicted = decided.table["predicted"].to_numpy()
    p = decided.particle_probability
    is_kept = np.flatnonzero(predicted == PARTICLE)
    scored = np.flatnonzero(predicted != UNLABELLED)
    doubtful = nearest(p, threshold, scored, n)
    chosen = [
        Choice("Surest kept", "The highest P(particle).", "kept", extreme(p, is_kept, n)),
        Choice(
            "Most doubtful",
            f"Nearest to the threshold of {threshold:.2f}, on both sides of it.",
            "mixed",
            doubtful[np.argsort(-p[doubtful], kind="stable")],
        ),
    ]
    for class_id in sorted(int(c) for c in np.unique(predicted) if c > PARTICLE):
        rows = np.flatnonzero(predicted == class_id)
        name = class_name(class_id, names)
        chosen.append(
            Choice(
                f"Surest rejected: {name}",
                f"The lowest P(particle) of the {len(rows):,} picks taken for {name}.",
                "rejected",
                extreme(-p, rows, n),
            )
        )
    return [choice for choice in chosen if len(choice.rows)]


def extreme(
    value: NDArray[np.float64], rows: NDArray[np.intp], n: int = N_BOXES
) -> NDArray[np.intp]:
    """Return the `n` of `rows` with the highest values, the highest first."""
    return np.asarray(rows[np.argsort(-value[rows], kind="stable")[:n]])


def nearest(
    value: NDArray[np.float64], to: float, rows: NDArray[np.intp], n: int = N_BOXES
) -> NDArray[np.intp]:
    """Return the `n` of `rows` whose values lie nearest to `to`."""
    return np.asarray(rows[np.argsort(np.abs(value[rows] - to), kind="stable")[:n]])


def boxes_by_micrograph(
    choices: Sequence[Choice], rows_by_name: Mapping[str, NDArray[np.intp]]
) -> dict[str, NDArray[np.intp]]:
    """Return the picks of all galleries by micrograph, each once."""
    parts = [c.rows for c in choices]
    wanted = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.intp)
    found = {name: np.intersect1d(rows, wanted) for name, rows in rows_by_name.items()}
    return {name: rows for name, rows in found.items() if len(rows)}
