"""How good picks are against true particle centres, before and after pruning."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from sklearn.metrics import roc_auc_score

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    MicrographReadError,
    SettingsError,
)
from napari_pickeroptimizer.evaluate.frame_check import frame_warning
from napari_pickeroptimizer.evaluate.matches import (
    check_radius,
    is_particle,
    paired,
    true_centres,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True)
class Quality:
    """Precision and recall of one set of picks.

    Parameters
    ----------
    n_picks : int
        Picks.
    n_true : int
        Picks within the radius of a true centre.
    n_truth : int
        True centres.
    n_found : int
        True centres within the radius of a pick.
    """

    n_picks: int
    n_true: int
    n_truth: int
    n_found: int

    @property
    def precision(self) -> float:
        """Share of the picks that are true; NaN without picks."""
        return self.n_true / self.n_picks if self.n_picks else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true centres that have a pick; NaN without truth."""
        return self.n_found / self.n_truth if self.n_truth else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0

    def summary(self) -> dict[str, Any]:
        """Return counts and figures for JSON."""
        figures = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**asdict(self), **{k: None if v != v else v for k, v in figures.items()}}


@dataclass(frozen=True)
class Evaluation:
    """Picks against truth, as they came and as they were pruned.

    Parameters
    ----------
    before, after : Quality
        All picks; the kept ones.
    kept_true : float
        Share of the true picks that was kept; picks that were not scored count nowhere.
    removed_false : float
        Share of the false picks that was removed; likewise.
    roc_auc : float
        Area under the ROC curve of P(particle) for true against false picks; NaN where the
        picks hold no probabilities or only one kind.
    radius_px : float
        Radius used.
    micrographs_without_truth, micrographs_without_picks : list of str
        Left out of all figures.
    warnings : tuple of str
        What makes the figures doubtful: picks and truth in different frames.
    """

    before: Quality
    after: Quality
    kept_true: float
    removed_false: float
    roc_auc: float
    radius_px: float
    micrographs_without_truth: list[str]
    micrographs_without_picks: list[str]
    warnings: tuple[str, ...] = ()

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
            "micrographs_without_truth": self.micrographs_without_truth,
            "micrographs_without_picks": self.micrographs_without_picks,
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
    Micrographs that only one side knows are left out and listed: experts rarely annotate all.
    If picks and truth would agree far better turned over, swapped or scaled, `warnings` says so.

    Parameters
    ----------
    picks : Picks
        Pruned picks, such as ``scored.star``.
    truth : Picks
        True centres. Where it has classes, only its particles count.
    radius_px : float
        Largest distance in micrograph pixels; half a particle diameter is usual.
    threshold : float, optional
        Judge the picks at this P(particle); by default as they were decided.
    micrographs : Micrographs, optional
        For their sides, which make sure of a flip; they are not read.

    Raises
    ------
    SettingsError
        The radius is not positive, or the picks hold nothing to judge.
    PickFormatError
        Picks and truth have no micrograph in common.
    """
    check_radius(radius_px)
    is_kept = kept_mask(picks, threshold)
    truth = true_centres(truth)
    common, without_truth, without_picks = paired(picks, truth)
    used = np.zeros(len(picks), dtype=bool)
    is_true = np.zeros(len(picks), dtype=bool)
    n_truth = n_found_before = n_found_after = 0
    coords, true_coords = picks.coords_yx_px(), truth.coords_yx_px()
    for rows, true_rows in common.values():
        centres = true_coords[true_rows]
        used[rows] = True
        is_true[rows] = _within(coords[rows], centres, radius_px)
        n_truth += len(centres)
        n_found_before += int(_within(centres, coords[rows], radius_px).sum())
        survivors = rows[is_kept[rows]]
        n_found_after += int(_within(centres, coords[survivors], radius_px).sum())
    before = Quality(int(used.sum()), int((used & is_true).sum()), n_truth, n_found_before)
    after = Quality(
        int((used & is_kept).sum()),
        int((used & is_kept & is_true).sum()),
        n_truth,
        n_found_after,
    )
    judged = used & ~_unscored(picks)
    warning = frame_warning(
        [(coords[rows], true_coords[true_rows]) for rows, true_rows in common.values()],
        radius_px,
        [_shape_px(name, micrographs) for name in common],
    )
    return Evaluation(
        before=before,
        after=after,
        kept_true=_share(is_kept, judged & is_true),
        removed_false=_share(~is_kept, judged & ~is_true),
        roc_auc=_roc_auc(is_true[used], picks.particle_probability[used]),
        radius_px=float(radius_px),
        micrographs_without_truth=without_truth,
        micrographs_without_picks=without_picks,
        warnings=() if warning is None else (warning,),
    )


def kept_mask(picks: Picks, threshold: float | None = None) -> NDArray[np.bool_]:
    """Return which picks count as kept: by threshold, else as decided, else as labelled.

    A pick without a score is never kept by a threshold, not even by one of 0.
    """
    if threshold is not None:
        if np.isnan(picks.particle_probability).all():
            raise SettingsError(
                "a threshold needs probabilities, and the picks have none "
                "(poParticleProbability): pass scored.star."
            )
        return np.asarray(picks.particle_probability >= threshold)
    return is_particle(picks)  # all where not pruned: before equals after


def _unscored(picks: Picks) -> NDArray[np.bool_]:
    """Return which picks a pruning left undecided: they were neither kept nor removed."""
    unscored = np.isnan(picks.particle_probability)
    if "predicted" in picks.table:
        return np.asarray(unscored & (picks.table["predicted"].to_numpy() == UNLABELLED))
    return np.asarray(unscored & ~unscored.all())


def _shape_px(name: str, micrographs: Micrographs | None) -> tuple[int, int] | None:
    if micrographs is None:
        return None
    try:
        return micrographs.resolve(name).shape_px()
    except (MicrographNotFoundError, MicrographReadError, AmbiguousMicrographError):
        return None


def _within(
    points: NDArray[np.float64], others: NDArray[np.float64], radius: float
) -> NDArray[np.bool_]:
    if not len(points) or not len(others):
        return np.zeros(len(points), dtype=bool)
    distances, _ = KDTree(others).query(points, distance_upper_bound=radius * (1 + 1e-9))
    return np.asarray(np.isfinite(distances))


def _share(chosen: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(chosen[among].mean()) if among.any() else float("nan")


def _roc_auc(is_true: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    scored = np.isfinite(probability)
    if len(np.unique(is_true[scored])) < 2:
        return float("nan")
    return float(roc_auc_score(is_true[scored], probability[scored]))
