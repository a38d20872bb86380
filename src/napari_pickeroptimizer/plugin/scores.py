"""The scores of one picks layer, during scoring and after. No Qt, no napari."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decision import likeliest_other
from napari_pickeroptimizer.prune.events import MicrographScored, PicksScored
from napari_pickeroptimizer.prune.threshold import check_finds_particles, forecast_for
from napari_pickeroptimizer.reading import MicrographFailed

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.trust import PerformanceForecast
    from napari_pickeroptimizer.trust.reference import MicrographFigures

# Features are kept for similarity only, for which this many random projections are enough.
N_DIRECTIONS = 64
LARGEST_FLOAT16 = 60_000.0


@dataclass(frozen=True, eq=False)
class ScoreSummary:
    """Results that need all scores: their order, and the forecast.

    It follows `PicksScored`, from the same worker: both take a second for a million picks.

    Parameters
    ----------
    scored : PicksScored
        All scores.
    forecast : PerformanceForecast or None
        Expected precision and recall of thresholds; None for a model that was not
        cross-validated.
    order : (n,) int
        ``np.argsort`` of P(particle).
    """

    scored: PicksScored
    forecast: PerformanceForecast | None
    order: NDArray[np.intp]
    progress: float = 1.0


def summarise_scores(card: ModelCard, scored: PicksScored) -> ScoreSummary:
    """Return the results that need all scores."""
    p_particle = scored.picks.particle_probability
    return ScoreSummary(scored, forecast_for(card, p_particle), np.argsort(p_particle))


@dataclass(eq=False)
class Scores:
    """The scores of the picks of one layer, during scoring and after.

    Parameters
    ----------
    model : Classifier
        The model that scored, or scores.
    codes : (n,) int32
        Micrograph of each pick, a position in `names`.
    names : tuple of str
        Micrographs as the picks spell them, in order of first appearance.
    probabilities : (n, k) float32
        P(class) in the order of `class_ids`, NaN where a pick is not scored (yet).
    features : (n, 64) float16 or None
        Random projections of the network's features, for similarity; NaN as above. None before
        there are any, and if they are not kept.
    keeps_features : bool
        Whether they are kept.
    failures, outside, figures : dict
        As in `PicksScored`.
    n_done, n_total : int
        Micrographs so far, and in all.
    complete : bool
        Whether all picks were scored that can be.
    forecast : PerformanceForecast or None
        Expected precision and recall of thresholds; None before the end of scoring, and
        without cross-validation.
    order : (n,) int or None
        ``np.argsort`` of P(particle), once all picks are scored.
    began_s, seconds : float
        When scoring began, by the clock that only goes forward, and how long it took.
    """

    model: Classifier
    codes: NDArray[np.int32]
    names: tuple[str, ...]
    probabilities: NDArray[np.float32]
    features: NDArray[np.float16] | None = None
    keeps_features: bool = True
    failures: dict[str, str] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    figures: dict[str, MicrographFigures] = field(default_factory=dict)
    n_done: int = 0
    n_total: int = 0
    complete: bool = False
    forecast: PerformanceForecast | None = None
    order: NDArray[np.intp] | None = None
    began_s: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    _directions: NDArray[np.float32] | None = None

    @classmethod
    def begin(cls, picks: Picks, model: Classifier, *, keep_features: bool = True) -> Scores:
        """Return empty scores of picks.

        Raises
        ------
        SettingsError
            The model has no particle class.
        """
        check_finds_particles(model.card)
        codes, names = pd.factorize(picks.table["micrograph"])
        nothing = np.full((len(picks), len(model.card.class_ids)), np.nan, dtype=np.float32)
        return cls(
            model,
            codes.astype(np.int32),
            tuple(str(name) for name in names),
            nothing,
            keeps_features=keep_features,
        )

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def card(self) -> ModelCard:
        """Card of the model."""
        return self.model.card

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Classes in the order of `probabilities`."""
        return self.model.card.class_ids

    @property
    def p_particle(self) -> NDArray[np.float32]:
        """(n,) P(particle), NaN where a pick is not scored."""
        return self.probabilities[:, self.class_ids.index(PARTICLE)]

    def other_class(self, rows: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.int8]:
        """Return the most probable class of some picks other than particle."""
        return likeliest_other(self.probabilities[rows], self.class_ids)

    def take_micrograph(self, event: MicrographScored | MicrographFailed) -> NDArray[np.intp]:
        """Add the scores of one micrograph; return their rows."""
        self.n_done, self.n_total = event.n_done, event.n_total
        name, rows = event.group.name, event.group.rows
        if isinstance(event, MicrographFailed):
            self.failures[name] = event.reason
            return rows
        self.probabilities[rows] = event.probabilities
        if event.n_outside:
            self.outside[name] = event.n_outside
        if self.keeps_features and event.features is not None:
            self._take_features(rows, event.features)
        return rows

    def finish(self, summary: ScoreSummary) -> None:
        """Add the results of the whole run."""
        scored = summary.scored
        self.failures, self.outside = dict(scored.failures), dict(scored.outside)
        self.figures = dict(scored.figures)
        self.forecast, self.complete = summary.forecast, True
        self.seconds = time.monotonic() - self.began_s
        # picks that were added meanwhile are behind those that were scored
        self.order = summary.order if len(summary.order) == len(self) else None

    def rearrange(self, picks: Picks, old: NDArray[np.intp]) -> None:
        """Follow picks to other rows: each was in row `old`; those of -1 are not scored."""
        code_of = {name: i for i, name in enumerate(self.names)}
        codes, names = pd.factorize(picks.table["micrograph"])
        of_names = [code_of.setdefault(str(name), len(code_of)) for name in names]
        self.codes = np.array(of_names, dtype=np.int32)[codes]
        self.names, self.order = tuple(code_of), None
        self.probabilities = _taken(self.probabilities, old)
        if self.features is not None:
            self.features = _taken(self.features, old)

    def scored_picks(self, picks: Picks) -> Picks:
        """Return picks with their probabilities, as `score` does."""
        return picks.with_probabilities(self.probabilities, self.class_ids)

    def picks_scored(self, picks: Picks) -> PicksScored:
        """Return the scores as the last event of `score`."""
        return PicksScored(self.scored_picks(picks), self.failures, self.outside, self.figures)

    def _take_features(self, rows: NDArray[np.intp], features: NDArray[np.float32]) -> None:
        if self._directions is None:
            # a fixed seed: similarity does not change from run to run
            rng = np.random.default_rng(0)
            shape = (features.shape[1], N_DIRECTIONS)
            directions = rng.standard_normal(shape) / np.sqrt(N_DIRECTIONS)
            self._directions = directions.astype(np.float32)
            self.features = np.full((len(self), N_DIRECTIONS), np.nan, dtype=np.float16)
        assert self.features is not None  # made with the directions
        projected = features @ self._directions
        self.features[rows] = np.clip(projected, -LARGEST_FLOAT16, LARGEST_FLOAT16)


def _taken(values: NDArray[Any], old: NDArray[np.intp]) -> NDArray[Any]:
    """Return rows of floats, NaN for row -1."""
    taken = values[old]
    taken[old < 0] = np.nan
    return taken
