"""Counts of picks at a threshold: in total, by micrograph, by score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import class_name
from napari_pickeroptimizer.schema import BY_DISTANCE, BY_EDGE, BY_LABEL
from napari_pickeroptimizer.trust.sanity import ShareCheck, check_shares


@dataclass(frozen=True)
class Counts:
    """How many picks a threshold keeps and rejects, and why.

    Parameters
    ----------
    n_picks : int
        All of them.
    kept, rejected, unscored : int
        They sum to `n_picks`; a labelled pick counts by its label.
    kept_by_label : int
        Kept picks whose label decided.
    rejected_by_class : mapping of int to int
        Picks rejected by score or label, by class id; only classes that occur. A pick rejected
        for its place has no class, since its score is that of a particle.
    rejected_by_reason : mapping of str to int
        All rejected picks: ``score``, ``label``, ``distance``, ``edge``; only reasons that
        occur.
    """

    n_picks: int
    kept: int
    rejected: int
    unscored: int
    kept_by_label: int
    rejected_by_class: Mapping[int, int]
    rejected_by_reason: Mapping[str, int]

    @property
    def rejected_by_label(self) -> int:
        """Rejected picks that a label decided on."""
        return self.rejected_by_reason.get(BY_LABEL, 0)

    @property
    def rejected_by_place(self) -> int:
        """Picks whose score is high enough, but that are near to a better one or the edge."""
        return sum(self.rejected_by_reason.get(reason, 0) for reason in (BY_DISTANCE, BY_EDGE))

    def to_dict(self, names: Mapping[int, str] | None = None) -> dict[str, Any]:
        """Return plain values for JSON; classes are called as in `names`, or by default."""
        values = asdict(self)
        values["picks"] = values.pop("n_picks")
        values["rejected_by_class"] = {
            class_name(c, names): n for c, n in self.rejected_by_class.items()
        }
        return values


@dataclass(frozen=True, eq=False)
class ByMicrograph:
    """One entry a micrograph, in the order of the picks.

    Parameters
    ----------
    names : tuple of str
        As the picks spell them.
    n_picks, n_scored, n_kept, n_rejected : (m,) int
        Picks; those with a score; those kept and rejected.
    mean_score : (m,) float64
        Mean P(particle) of the scored ones, NaN where there are none.
    """

    names: tuple[str, ...]
    n_picks: NDArray[np.intp]
    n_scored: NDArray[np.intp]
    n_kept: NDArray[np.intp]
    n_rejected: NDArray[np.intp]
    mean_score: NDArray[np.float64]

    @property
    def share_kept(self) -> NDArray[np.float64]:
        """(m,) share of the decided picks that is kept, NaN where none is decided."""
        decided = self.n_kept + self.n_rejected
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.n_kept / decided

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return plain values for JSON, one entry a micrograph, with its flag."""
        columns: dict[str, Sequence[Any]] = {
            "micrograph": self.names,
            "picks": self.n_picks.tolist(),
            "kept": self.n_kept.tolist(),
            "rejected": self.n_rejected.tolist(),
            "unscored": (self.n_picks - self.n_kept - self.n_rejected).tolist(),
            "flag": self.check().flags,
        }
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def check(self) -> ShareCheck:
        """Return which micrographs are unusual (see `check_shares`)."""
        return check_shares(self.names, self.n_kept + self.n_rejected, self.n_kept)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Scores in bins from 0 to 1, and where the labelled picks are.

    Parameters
    ----------
    edges : (b + 1,) float64
        Of the bins.
    counts : (b,) int
        Scored picks.
    label_scores : mapping of int to (k,) float64
        P(particle) of the picks that carry each label.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.intp]
    label_scores: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
