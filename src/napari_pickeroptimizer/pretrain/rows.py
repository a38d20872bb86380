"""Held-out rows and the rows of each step, as functions of the seed and the step alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_pickeroptimizer.pretrain.settings import Balance


def step_seed(seed: int, step: int) -> int:
    """Return the random seed of one step."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]) >> 1


def split_rows(
    targets: NDArray[np.intp], validation_share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return training and validation rows, both ascending.

    The share is taken of each category: at least one row, but never the only one.
    """
    rng = np.random.default_rng([seed])
    held_out = np.zeros(len(targets), dtype=bool)
    if validation_share > 0:
        for category in np.unique(targets):
            rows = rng.permutation(np.flatnonzero(targets == category))
            n = min(max(1, round(validation_share * len(rows))), len(rows) - 1)
            held_out[rows[:n]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


class RowSampler:
    """Draw the rows of any step.

    Parameters
    ----------
    rows : (n,) int
        Rows to draw from.
    targets : (n,) int
        Their categories, 0..n_categories-1; each occurs.
    class_ids : tuple of int
        Class of each category; every category without a class (0) counts as a class.
    balance : str
        ``category``, ``class`` or ``row``, see `PretrainSettings`.
    seed : int
        Seed of the draws.
    """

    def __init__(
        self,
        rows: NDArray[np.intp],
        targets: NDArray[np.intp],
        class_ids: tuple[int, ...],
        balance: Balance,
        seed: int,
    ) -> None:
        self._rows, self._balance, self._seed = rows, balance, seed
        self._by_category = [rows[targets == c] for c in range(len(class_ids))]
        # categories of one class are drawn together
        keys = [
            (class_id, 0) if class_id and balance == "class" else (0, category)
            for category, class_id in enumerate(class_ids)
        ]
        self._groups = [
            np.flatnonzero([k == key for k in keys]) for key in dict.fromkeys(keys)
        ]

    def draw(self, step: int, batch_size: int) -> NDArray[np.intp]:
        """Return the rows of a step, drawn with replacement."""
        rng = np.random.default_rng(step_seed(self._seed, step))
        if self._balance == "row":
            return rng.choice(self._rows, batch_size)
        groups = _evenly(len(self._groups), batch_size, rng)
        categories = [rng.choice(self._groups[group]) for group in groups]
        return np.array([rng.choice(self._by_category[c]) for c in categories], dtype=np.intp)


def _evenly(n_kinds: int, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return `n` kinds of 0..n_kinds-1, none drawn twice more often than another."""
    rounds = -(-n // n_kinds)
    return np.concatenate([rng.permutation(n_kinds) for _ in range(rounds)])[:n].astype(
        np.intp
    )
