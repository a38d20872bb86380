"""Expected precision and recall of every threshold, with credible intervals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.shares import percent
from napari_pickeroptimizer.trust.between_labels import picks_between_labels
from napari_pickeroptimizer.trust.calibration import Calibration, bounded_logit
from napari_pickeroptimizer.trust.class_shares import particle_share
from napari_pickeroptimizer.trust.posterior import WEAK_PRIOR, binned, posterior

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.trust.held_out import HeldOutScores

LEVEL = 0.90
N_BINS = 200
THRESHOLDS = np.linspace(0, 1, 201)
# Fewer labels of a class do not determine the distribution of its scores.
LEAST_LABELS = 10
# Of particles, and of others: with fewer, nothing can be held out.
LEAST_FOR_FOLDS = 2
# Fewer picks do not determine the share of particles.
LEAST_PICKS = 50


@dataclass(frozen=True)
class Interval:
    """An expected value with its 90 % credible interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True, eq=False)
class Band:
    """Expected values by threshold with their 90 % credible intervals, (m,) each."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def at(self, i: int) -> Interval:
        """Return the values at position i."""
        return Interval(float(self.mean[i]), float(self.low[i]), float(self.high[i]))


@dataclass(frozen=True)
class Expectation:
    """Expected precision and recall of one threshold, for these picks.

    Parameters
    ----------
    threshold : float
        Least P(particle) of a kept pick.
    n_picks, n_kept : int
        Scored picks, and those of them at or above the threshold.
    precision : Interval
        Share of particles among the kept picks.
    recall : Interval
        Share of kept picks among the picked particles; particles that the picker missed do not
        count.
    f1 : Interval
        Harmonic mean of the two.
    """

    threshold: float
    n_picks: int
    n_kept: int
    precision: Interval
    recall: Interval
    f1: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the figures as a sentence."""
        share = self.n_kept / max(self.n_picks, 1)
        return (
            f"At {self.threshold:.2f} the scores alone keep {self.n_kept:,} of "
            f"{self.n_picks:,} scored picks ({percent(share, 1)}); expected precision "
            f"{self.precision}, recall {self.recall}."
        )


@dataclass(frozen=True, eq=False)
class PerformanceForecast:
    """Expected precision and recall of these picks at every threshold.

    Parameters
    ----------
    n_picks : int
        Scored picks.
    thresholds : (m,) float64
        0 to 1, ascending.
    n_kept : (m,) int
        Picks at or above each.
    precision, recall, f1 : Band
        See `Expectation`. Where nothing is kept, precision is NaN.
    share : Interval
        Share of particles among the picks.
    warnings : tuple of str
        Why the forecast is unreliable; empty where it is not.
    """

    n_picks: int
    thresholds: NDArray[np.float64]
    n_kept: NDArray[np.intp]
    precision: Band
    recall: Band
    f1: Band
    share: Interval
    warnings: tuple[str, ...]
    samples: _Samples

    @property
    def reliable(self) -> bool:
        """Whether there are no warnings."""
        return not self.warnings

    def at(self, threshold: float) -> Expectation:
        """Return the expected precision and recall of a threshold."""
        n_kept, precision, recall, f1 = self.samples.at(np.array([threshold]))
        return Expectation(
            threshold=float(threshold),
            n_picks=self.n_picks,
            n_kept=int(n_kept[0]),
            precision=precision.at(0),
            recall=recall.at(0),
            f1=f1.at(0),
        )

    def threshold_for_precision(self, precision: float) -> float:
        """Return the lowest threshold that reaches an expected precision.

        Raises
        ------
        SettingsError
            No threshold is expected to reach it.
        """
        return self._threshold_for("precision", precision, self.precision.mean, lowest=True)

    def threshold_for_recall(self, recall: float) -> float:
        """Return the highest threshold that reaches an expected recall."""
        return self._threshold_for("recall", recall, self.recall.mean, lowest=False)

    def best_f1(self) -> float:
        """Return the threshold with the highest expected F1."""
        return float(self.thresholds[np.nanargmax(self.f1.mean)])

    def _threshold_for(
        self, name: str, target: float, values: NDArray[np.float64], *, lowest: bool
    ) -> float:
        if not 0 < target <= 1:
            raise SettingsError(f"the {name} must be above 0 and at most 1, got {target}.")
        reached = np.flatnonzero((values >= target) & (self.n_kept > 0))
        if not len(reached):
            # precision is undefined where nothing is kept
            best = int(np.argmax(np.where(self.n_kept > 0, values, -np.inf)))
            maximum = np.floor(values[best] * 1000) / 1000  # rounded down: attainable
            raise SettingsError(
                f"no threshold is expected to reach a {name} of {target:g}: the most is "
                f"{maximum:.3f}, at the threshold {self.thresholds[best]:.3f}, which keeps "
                f"{self.n_kept[best]:,} of {self.n_picks:,} picks. Lower the target, or label more "
                "picks (`suggest` proposes some)."
            )
        return float(self.thresholds[reached[0 if lowest else -1]])

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON, at every tenth of the thresholds."""
        return {
            "n_picks": self.n_picks,
            "share_of_particles": asdict(self.share),
            "warnings": list(self.warnings),
            "curve": [self.at(float(t)).to_dict() for t in self.thresholds[::20]],
        }


@dataclass(frozen=True, eq=False)
class _Samples:
    """Picks by score and, for every posterior sample, how many of them are particles.

    Parameters
    ----------
    scores : (n,) float64
        P(particle) of all picks, ascending.
    first : (b + 1,) int
        Position of each bin's first pick in `scores`, and their number at the end.
    above : (s, b + 1) float64
        Expected number of particles among the picks of each bin and all above it.
    variance : (s, b + 1) float64
        Variance of that number: each pick is a particle or is not.
    """

    scores: NDArray[np.float64]
    first: NDArray[np.intp]
    above: NDArray[np.float64]
    variance: NDArray[np.float64]

    def at(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.intp], Band, Band, Band]:
        start = np.searchsorted(self.scores, thresholds, side="left")
        n_kept = len(self.scores) - start
        # within a bin, particles above the threshold are in proportion to its picks
        above, variance = self._between(self.above, start), self._between(self.variance, start)
        total, total_variance = self.above[:, 0], self.variance[:, 0]
        rng = np.random.default_rng(0)
        u, v = rng.standard_normal((2, len(above), 1))
        # sampled for exactly these picks rather than for similar ones: each is a particle or
        # not
        kept = above + u * np.sqrt(variance)
        lost = (total[:, None] - above) + v * np.sqrt(total_variance[:, None] - variance)
        kept = np.clip(kept, 0, n_kept)
        lost = np.clip(lost, 0, len(self.scores) - n_kept)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = kept / n_kept
            recall = kept / np.maximum(kept + lost, 1e-9)
            f1 = 2 * kept / (n_kept + kept + lost)
        return n_kept, _band(precision), _band(recall), _band(f1)

    def _between(
        self, values: NDArray[np.float64], start: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return (s, m) values at positions that may lie within a bin."""
        left = np.clip(
            np.searchsorted(self.first, start, side="right") - 1, 0, len(self.first) - 2
        )
        part = (start - self.first[left]) / (self.first[left + 1] - self.first[left])
        return np.asarray(values[:, left] * (1 - part) + values[:, left + 1] * part)


def _band(values: NDArray[np.float64]) -> Band:
    """Return mean and interval of (s, m) samples.

    The interval reaches as far as the one between equal tails or the shortest one, whichever
    reaches farther: a recall is often all but 1, which equal tails leave out.
    """
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    ordered = np.sort(values, axis=0)
    n = math.ceil(LEVEL * len(values))
    width = ordered[n - 1 :] - ordered[: len(values) - n + 1]
    first = np.argmin(np.where(np.isnan(width), np.inf, width), axis=0)
    column = np.arange(values.shape[1])
    return Band(
        values.mean(axis=0),
        np.minimum(low, ordered[first, column]),
        np.maximum(high, ordered[first + n - 1, column]),
    )


def forecast_performance(
    held_out: HeldOutScores, calibration: Calibration, p_particle: ArrayLike
) -> PerformanceForecast:
    """Return the expected precision and recall of every threshold for some picks.

    Labels are no random sample of the picks: users label as many of each class as they like.
    The labels therefore determine the distribution of scores within each class (`posterior`),
    and the picks' own scores the share of each class (`particle_share`); together they give
    P(particle) of every pick, with an uncertainty that grows as labels, or their micrographs,
    get fewer, and where picks lie between the labels of both classes (`picks_between_labels`).

    Parameters
    ----------
    held_out : HeldOutScores
        Out-of-fold scores of the labels.
    calibration : Calibration
        The calibration of `p_particle`.
    p_particle : (n,) float
        Calibrated P(particle) of the picks; NaN (unscored) is ignored.

    Raises
    ------
    SettingsError
        No pick has a score, or the labels are of one class only.
    """
    scores = np.sort(np.asarray(p_particle, dtype=np.float64))
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        raise SettingsError("no expected precision: no pick has a score.")
    if not (held_out.n_particles and held_out.n_others):
        raise SettingsError(
            "no expected precision: the model's labels are of one class only, and labels of "
            "particles and of others are needed."
        )
    logits = bounded_logit(calibration.undo(scores))
    held_out = held_out.representative()
    lines = posterior(held_out, WEAK_PRIOR)
    centres, counts, first = binned(logits, N_BINS)
    log_ratio = lines.log_ratio(centres)
    share = particle_share(log_ratio, counts)
    p = expit(log_ratio + logit(share)[:, None])
    between = picks_between_labels(held_out, centres, counts, share)
    p = between.widened(p)
    share = p @ counts / counts.sum()
    samples = _Samples(scores, first, _sum_above(p * counts), _sum_above(p * (1 - p) * counts))
    n_kept, precision, recall, f1 = samples.at(THRESHOLDS)
    low, high = np.quantile(share, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return PerformanceForecast(
        n_picks=len(scores),
        thresholds=THRESHOLDS,
        n_kept=n_kept,
        precision=precision,
        recall=recall,
        f1=f1,
        share=Interval(float(share.mean()), float(low), float(high)),
        warnings=tuple(_too_few(held_out, len(scores)) or between.warnings()),
        samples=samples,
    )


def _sum_above(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (s, b + 1) sums of (s, b) values over each column and all to its right."""
    sums = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([sums, np.zeros((len(values), 1))], axis=1)


def _too_few(held_out: HeldOutScores, n_picks: int) -> list[str]:
    warnings = []
    if held_out.suggested.any():  # and so are those of one class, or all
        warnings.append(
            "the labels were chosen by `suggest`, which prefers unusual and uncertain picks: the "
            "expected precision and recall are mostly too low. Also label some picks of both "
            "kinds at random."
        )
    if min(held_out.n_particles, held_out.n_others) < LEAST_LABELS:
        warnings.append(
            f"{held_out.n_particles} labels of particles and {held_out.n_others} of others are "
            f"too few for a reliable forecast: label at least {LEAST_LABELS} of both, not "
            "counting suggested picks."
        )
    if n_picks < LEAST_PICKS:
        warnings.append(
            f"{n_picks} picks are too few to estimate the share of particles among them "
            f"(at least {LEAST_PICKS})."
        )
    return warnings


def no_forecast_reason(card: ModelCard) -> str:
    """Return why a model without out-of-fold scores has no forecast, and what to do about it."""
    if card.is_before_labels:
        return (
            "Scored without labels, by a pretrained network: the order of the scores is "
            "meaningful, but they are no calibrated probabilities, and no precision is expected. "
            "Label some picks and fine-tune to know it."
        )
    settings = card.training.get("settings") or {}
    if settings.get("n_folds") in (0, 1):
        return (
            "No expected precision: the model was not cross-validated. Fine-tune again with 3 "
            "folds."
        )
    labels = card.training.get("labels")
    if not labels:
        return (
            "No expected precision: the model was not cross-validated. Fine-tune again with at "
            f"least {LEAST_LABELS} labels of particles and {LEAST_LABELS} of others."
        )
    n_particles = int(labels.get(card.names.get(PARTICLE), 0))
    n_others = sum(labels.values()) - n_particles
    if min(n_particles, n_others) >= LEAST_FOR_FOLDS:
        return (
            "No expected precision: the model was not cross-validated, as earlier versions did "
            "where a class had a single label. Fine-tune again with the same labels."
        )
    missing = [
        f"{LEAST_LABELS - n} more {of}"
        for n, of in ((n_particles, "of particles"), (n_others, "of others"))
        if n < LEAST_LABELS
    ]
    return (
        f"No expected precision: holding out labels takes {LEAST_FOR_FOLDS} of particles and "
        f"{LEAST_FOR_FOLDS} of others at least, and there were {n_particles} and {n_others}. "
        f"Label {' and '.join(missing)} and fine-tune again."
    )
