"""What a threshold costs and gives: expected precision and recall, with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.trust.calibration import Calibration, bounded_logit
from napari_pickeroptimizer.trust.posterior import (
    OPEN,
    binned,
    particle_share,
    posterior,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard
    from napari_pickeroptimizer.trust.evidence import Evidence

LEVEL = 0.90
N_BINS = 200
THRESHOLDS = np.linspace(0, 1, 201)
# Fewer of a class tell too little of how its scores spread.
LEAST_LABELS = 10
# Fewer picks tell too little of how many of them are particles.
LEAST_PICKS = 50
# Scores between these are in doubt.
DOUBT = (0.1, 0.9)


@dataclass(frozen=True)
class Interval:
    """An expected value and the ends of its 90 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True, eq=False)
class Band:
    """Expected values along the thresholds, (m,) each, and the ends of their 90 % intervals."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def at(self, i: int) -> Interval:
        """Return the values at position i."""
        return Interval(float(self.mean[i]), float(self.low[i]), float(self.high[i]))


@dataclass(frozen=True)
class Expectation:
    """What one threshold is expected to give, of these picks.

    Parameters
    ----------
    threshold : float
        Least P(particle) of a kept pick.
    n_picks, n_kept : int
        Scored picks, and those of them at or above the threshold.
    precision : Interval
        Share of particles among the kept.
    recall : Interval
        Share of the kept among the picked particles. (Those never picked are nowhere in it.)
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
        """Return it in words."""
        share = self.n_kept / max(self.n_picks, 1)
        return (
            f"At {self.threshold:.2f} you keep {self.n_kept:,} of {self.n_picks:,} picks "
            f"({share:.1%}); expected precision {self.precision}, recall {self.recall}."
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
        Why the figures promise little; empty where they can be relied on.
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
        """Whether there is nothing to warn of."""
        return not self.warnings

    def at(self, threshold: float) -> Expectation:
        """Return what a threshold is expected to give."""
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
        """Return the least threshold whose expected precision is at least that.

        Raises
        ------
        SettingsError
            No threshold is expected to reach it.
        """
        return self._threshold_for("precision", precision, self.precision.mean, lowest=True)

    def threshold_for_recall(self, recall: float) -> float:
        """Return the greatest threshold whose expected recall is at least that."""
        return self._threshold_for("recall", recall, self.recall.mean, lowest=False)

    def best_f1(self) -> float:
        """Return the threshold of the greatest expected F1."""
        return float(self.thresholds[np.nanargmax(self.f1.mean)])

    def _threshold_for(
        self, name: str, wanted: float, values: NDArray[np.float64], *, lowest: bool
    ) -> float:
        if not 0 < wanted <= 1:
            raise SettingsError(
                f"the {name} wanted must be above 0 and at most 1, got {wanted}."
            )
        good = np.flatnonzero((values >= wanted) & (self.n_kept > 0))
        if not len(good):
            # where nothing is kept, a share of it is nothing that can be had
            best = int(np.argmax(np.where(self.n_kept > 0, values, -np.inf)))
            most = np.floor(values[best] * 1000) / 1000  # so that it can be had itself
            raise SettingsError(
                f"no threshold is expected to reach a {name} of {wanted:g}: the most is "
                f"{most:.3f}, at the threshold {self.thresholds[best]:.3f}, which keeps "
                f"{self.n_kept[best]:,} of {self.n_picks:,} picks. Ask for no more, or label more "
                "picks (`suggest` tells which)."
            )
        return float(self.thresholds[good[0 if lowest else -1]])

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
    """Picks by score and, for every draw of the posterior, how many of them are particles.

    Parameters
    ----------
    scores : (n,) float64
        P(particle) of all picks, ascending.
    first : (b + 1,) int
        Position of each bin's first pick in `scores`; at the end their number.
    above : (s, b + 1) float64
        Expected number of particles among the picks of each bin and of all above.
    variance : (s, b + 1) float64
        The variance of that number: each pick is a particle or is not.
    """

    scores: NDArray[np.float64]
    first: NDArray[np.intp]
    above: NDArray[np.float64]
    variance: NDArray[np.float64]

    def at(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.intp], Band, Band, Band]:
        start = np.searchsorted(self.scores, thresholds, side="left")
        n_kept = len(self.scores) - start
        # particles above a threshold within a bin: in proportion to its picks
        above, variance = self._between(self.above, start), self._between(self.variance, start)
        total, total_variance = self.above[:, 0], self.variance[:, 0]
        rng = np.random.default_rng(0)
        u, v = rng.standard_normal((2, len(above), 1))
        # these very picks, not picks like them: each is a particle or is not
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
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Band(values.mean(axis=0), low, high)


def forecast_performance(
    evidence: Evidence, calibration: Calibration, p_particle: ArrayLike
) -> PerformanceForecast:
    """Return what every threshold is expected to give of some picks.

    Labels are not drawn from the picks at random: users label as many of each class as they
    like. So the labels tell how scores spread within each class (`posterior`), and the picks'
    own scores tell how many of them are of each class (`particle_share`); both together give
    P(particle) of every pick, with a spread that grows as labels get fewer.

    Parameters
    ----------
    evidence : Evidence
        Out-of-fold scores of the labels.
    calibration : Calibration
        What `p_particle` was calibrated by.
    p_particle : (n,) float
        Calibrated P(particle) of the picks; NaN (unscored) is left out.

    Raises
    ------
    SettingsError
        No pick has a score, or the labels are of one class only.
    """
    scores = np.sort(np.asarray(p_particle, dtype=np.float64))
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        raise SettingsError("no pick has a score: there is nothing to expect of a threshold.")
    if not (evidence.n_particles and evidence.n_others):
        raise SettingsError(
            "the model's labels are of one class only: expected precision and recall need labels "
            "of particles and of others."
        )
    logits = bounded_logit(calibration.undo(scores))
    evidence = evidence.representative()
    lines = posterior(evidence, OPEN)
    centres, counts, first = binned(logits, N_BINS)
    log_ratio = lines.intercept[:, None] + lines.slope[:, None] * centres
    share = particle_share(log_ratio, counts)
    p = expit(log_ratio + logit(share)[:, None])
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
        warnings=tuple(
            _too_few(evidence, len(scores)) or _too_clear(evidence, calibration, scores, share)
        ),
        samples=samples,
    )


def _sum_above(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (s, b + 1) sums of (s, b) values over each column and all to its right."""
    sums = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([sums, np.zeros((len(values), 1))], axis=1)


def _too_few(evidence: Evidence, n_picks: int) -> list[str]:
    found = []
    if evidence.suggested.any():  # and so are those of one class, or all
        found.append(
            "the labels were chosen by `suggest`, which asks for unusual and doubtful picks: what "
            "is expected is mostly too low. Label some picks of both kinds as they come."
        )
    if min(evidence.n_particles, evidence.n_others) < LEAST_LABELS:
        found.append(
            f"{evidence.n_particles} labels of particles and {evidence.n_others} of others are too "
            f"few to promise anything: label at least {LEAST_LABELS} of both, beside those that "
            "were suggested."
        )
    if n_picks < LEAST_PICKS:
        found.append(
            f"{n_picks} picks are too few to tell how many of them are particles "
            f"(at least {LEAST_PICKS})."
        )
    return found


def _too_clear(
    evidence: Evidence,
    calibration: Calibration,
    scores: NDArray[np.float64],
    share: NDArray[np.float64],
) -> list[str]:
    """Warn where the labels are clearer cases than the picks.

    Were labels like the picks of their class, so many picks would be in doubt as labels of both
    classes are, mixed by their shares. Of that number 95 % of the draws from Beta
    distributions are below a limit.
    """
    labels = calibration.apply(expit(evidence.logits))
    in_doubt = (labels > DOUBT[0]) & (labels < DOUBT[1])
    rng = np.random.default_rng(0)
    mixed = np.zeros(len(share))
    for of_class, weight in (
        (evidence.is_particle, share),
        (~evidence.is_particle, 1 - share),
    ):
        k, n = in_doubt[of_class].sum(), of_class.sum()
        mixed += weight * rng.beta(k + 0.5, n - k + 0.5, len(share))
    seen = float(((scores > DOUBT[0]) & (scores < DOUBT[1])).mean())
    if seen <= np.quantile(mixed, 0.95):
        return []
    return [
        f"{seen:.0%} of the picks have scores between {DOUBT[0]:g} and {DOUBT[1]:g}, and "
        f"{mixed.mean():.0%} would, were they like the labels: the labels are clearer cases, and "
        "what is expected is too good. Label some picks of both kinds as they come, doubtful or "
        "not."
    ]


def no_forecast_reason(card: ModelCard) -> str:
    """Return why a model without out-of-fold scores has no forecast, and what to do about it."""
    settings = card.training.get("settings") or {}
    if settings.get("n_folds") in (0, 1):
        return (
            "No expected precision: the model was not cross-validated (--folds 0). Fine-tune "
            "again with --folds 3."
        )
    return (
        "No expected precision: the model was not cross-validated. It is of an earlier version, "
        "or there were too few labels of a class. Fine-tune again with at least ten labels of "
        "particles and ten of others."
    )
