"""Settings of a pruning run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS, MAX_VIEWS
from napari_pickeroptimizer.prune.place_rules import PlaceRules
from napari_pickeroptimizer.prune.threshold import ThresholdRule
from napari_pickeroptimizer.settings import check_ranges, setting


@dataclass(frozen=True)
class PruneSettings(PlaceRules, ThresholdRule):
    """How picks are scored, decided on and written.

    Its other parameters are those of `ThresholdRule` (threshold, precision, recall) and of
    `PlaceRules` (min_distance, edge_distance): a rule that either gains is a setting here.

    Parameters
    ----------
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

    Raises
    ------
    SettingsError
        A value is out of its range, or more than one rule sets the threshold.
    """

    device: str = "auto"
    batch_size: int = setting(256, least=1)
    n_views: int = setting(DEFAULT_VIEWS, least=1, most=MAX_VIEWS)
    write_fom: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self)

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        distances = {k: str(getattr(self, k)) for k in ("min_distance", "edge_distance")}
        return {**asdict(self), **distances}
