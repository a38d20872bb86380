"""Settings of a pruning run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS, MAX_VIEWS
from napari_pickeroptimizer.prune.place_rules import NO_LENGTH, Length, PlaceRules
from napari_pickeroptimizer.prune.threshold import ThresholdRule
from napari_pickeroptimizer.settings import check_ranges, setting


@dataclass(frozen=True)
class PruneSettings:
    """How picks are pruned and written.

    Parameters
    ----------
    threshold : float or "auto" or None
        Least P(particle) of a kept pick; ``auto`` for the best expected F1. None, the
        default, is 0.5 unless `precision` or `recall` is given.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes per forward pass.
    n_views : int
        Test-time augmentation views of each box, 1 to 8 (see `score`).
    write_fom : bool
        Replace the picker's ``rlnAutopickFigureOfMerit`` by P(particle).
    overwrite : bool
        Replace the files of an earlier run in the same output folder.
    precision, recall : float, optional
        In place of a threshold: the one that is expected to give this share of particles
        among the kept picks, or to keep this share of the particles.
    min_distance, edge_distance : Length
        See `PlaceRules`; 0 for off.
    """

    threshold: float | Literal["auto"] | None = None
    device: str = "auto"
    batch_size: int = setting(256, least=1)
    n_views: int = setting(DEFAULT_VIEWS, least=1, most=MAX_VIEWS)
    write_fom: bool = False
    overwrite: bool = False
    precision: float | None = None
    recall: float | None = None
    min_distance: Length = NO_LENGTH
    edge_distance: Length = NO_LENGTH

    def __post_init__(self) -> None:
        _ = self.threshold_rule  # checks it
        check_ranges(self)

    @property
    def threshold_rule(self) -> ThresholdRule:
        """Rule that sets the threshold."""
        return ThresholdRule(self.threshold, self.precision, self.recall)

    @property
    def place_rules(self) -> PlaceRules:
        """The distances."""
        return PlaceRules(self.min_distance, self.edge_distance)

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        distances = {k: str(getattr(self, k)) for k in ("min_distance", "edge_distance")}
        return {**asdict(self), **distances}
