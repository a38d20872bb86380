"""Precision and recall of picks against true particle centres, before and after pruning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import (
    MicrographNotFoundError,
    MicrographReadError,
    SettingsError,
)
from napari_pickeroptimizer.evaluate.frame_check import frame_warning
from napari_pickeroptimizer.evaluate.matches import (
    Quality,
    TruthMatches,
    match_to_truth,
    particle_mask,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Picks against truth, before and after pruning.

    Parameters
    ----------
    before, after : Quality
        All picks; the kept ones.
    kept_true : float
        Share of the true picks that was kept; picks without a score do not count.
    removed_false : float
        Share of the false picks that was removed; likewise.
    roc_auc : float
        Area under the ROC curve of P(particle) for true against false picks; NaN where the
        picks hold no probabilities or are all of one kind.
    radius_px : float
        Largest distance of a true pick from a true centre.
    threshold : float or None
        Threshold on P(particle) of the kept picks; None for the decision in their file.
    warnings : tuple of str
        Reasons to doubt the figures: picks and truth in different frames.
    picks : Picks
        All picks.
    is_kept : (n,) bool
        Which of them are kept.
    matches : TruthMatches
        Which are true. Micrographs with only picks or only truth are in none of the figures.
    """

    before: Quality
    after: Quality
    kept_true: float
    removed_false: float
    roc_auc: float
    radius_px: float
    threshold: float | None
    warnings: tuple[str, ...]
    picks: Picks = field(repr=False)
    is_kept: NDArray[np.bool_] = field(repr=False)
    matches: TruthMatches = field(repr=False)

    def summary(self) -> dict[str, Any]:
        """Return everything for JSON, NaN as None."""
        figures = {
            "kept_true": self.kept_true,
            "removed_false": self.removed_false,
            "roc_auc": self.roc_auc,
        }
        return {
            "before": self.before.summary(),
            "after": self.after.summary(),
            **{k: None if v != v else v for k, v in figures.items()},
            "radius_px": self.radius_px,
            "micrographs_without_truth": self.matches.without_truth,
            "micrographs_without_picks": self.matches.without_picks,
            "warnings": list(self.warnings),
        }


def evaluate_picks(
    picks: Picks,
    truth: Picks,
    radius_px: float,
    threshold: float | None = None,
    micrographs: Micrographs | None = None,
) -> Evaluation:
    """Compare pruned picks with true centres.

    A pick is true if a true centre lies within `radius_px`; a centre is found if a pick does.
    Micrographs with only picks or only truth are excluded and listed: experts rarely annotate
    all. If picks and truth agree far better with one of them flipped, swapped or scaled,
    `warnings` reports it.

    Parameters
    ----------
    picks : Picks
        Pruned picks, such as ``scored.star``.
    truth : Picks
        True centres. Where it has classes, only its particles count.
    radius_px : float
        Largest distance in micrograph pixels; half a particle diameter is usual.
    threshold : float, optional
        Evaluate at this threshold on P(particle); by default as the picks were decided.
    micrographs : Micrographs, optional
        For their height and width, which confirm a flip; they are not read.

    Raises
    ------
    SettingsError
        The radius is not positive, or a threshold is given and the picks have no
        probabilities.
    PickFormatError
        Picks and truth have no micrograph in common.
    """
    matches = match_to_truth(picks, truth, radius_px)
    is_kept = kept_mask(picks, threshold)
    kept, is_true = is_kept[matches.rows], matches.is_true
    is_decided = ~_is_unscored(picks)[matches.rows]
    names = [m.name for m in matches.micrographs]
    found = {} if micrographs is None else micrographs.resolve_each(names)[0]
    warning = frame_warning(
        [(m.coords_yx_px, m.centres_yx_px) for m in matches.micrographs],
        radius_px,
        lambda i: _shape_px(found.get(names[i])),
    )
    return Evaluation(
        before=Quality.total(matches.qualities(np.ones(len(picks), dtype=bool))),
        after=Quality.total(matches.qualities(is_kept)),
        kept_true=_share(kept, is_decided & is_true),
        removed_false=_share(~kept, is_decided & ~is_true),
        roc_auc=_roc_auc(is_true, picks.particle_probability[matches.rows]),
        radius_px=float(radius_px),
        threshold=threshold,
        warnings=() if warning is None else (warning,),
        picks=picks,
        is_kept=is_kept,
        matches=matches,
    )


def kept_mask(picks: Picks, threshold: float | None = None) -> NDArray[np.bool_]:
    """Return (n,) which picks count as kept: by the threshold, else as decided or labelled.

    A pick without a score is never kept by a threshold, not even by one of 0.
    """
    if threshold is None:
        return particle_mask(picks)  # all picks where nothing was pruned
    if np.isnan(picks.particle_probability).all():
        raise SettingsError(
            "a threshold needs probabilities, and the picks have none "
            "(poParticleProbability): pass scored.star."
        )
    return np.asarray(picks.particle_probability >= threshold)


def _is_unscored(picks: Picks) -> NDArray[np.bool_]:
    """Return (n,) which picks a pruning left undecided: they were neither kept nor removed."""
    unscored = np.isnan(picks.particle_probability)
    if "predicted" in picks.table:
        return np.asarray(unscored & (picks.table["predicted"].to_numpy() == UNLABELLED))
    return np.asarray(unscored & ~unscored.all())


def _shape_px(micrograph: Micrograph | None) -> tuple[int, int] | None:
    try:
        return None if micrograph is None else micrograph.shape_px()
    except (MicrographNotFoundError, MicrographReadError):
        return None


def _share(chosen: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(chosen[among].mean()) if among.any() else float("nan")


def _roc_auc(is_true: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    scored = np.isfinite(probability)
    if len(np.unique(is_true[scored])) < 2:
        return float("nan")
    return float(roc_auc_score(is_true[scored], probability[scored]))
