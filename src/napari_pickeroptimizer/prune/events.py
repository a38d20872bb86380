"""Events of a scoring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.reading import MicrographFailed, MicrographRows, OfMicrographs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.trust.reference import MicrographFigures


@dataclass(frozen=True)
class ScoresReused(OfMicrographs):
    """Micrographs whose earlier scores are reused.

    Parameters
    ----------
    n_micrographs, n_picks : int
        Their number, and that of their picks.
    n_done, n_total : int
        Micrographs so far, and in all.
    """

    n_micrographs: int
    n_picks: int
    n_done: int
    n_total: int


@dataclass(frozen=True)
class WorkersAsked(OfMicrographs):
    """Other processes are about to score; it may take a while until a cluster has room for them.

    Parameters
    ----------
    place : str
        Who they are, such as ``4 processes``.
    n_total : int
        Micrographs to be scored.
    n_done : int
        Micrographs so far.
    """

    place: str
    n_total: int
    n_done: int = 0


@dataclass(frozen=True, eq=False)
class MicrographScored(OfMicrographs):
    """The picks of one micrograph have their probabilities.

    Parameters
    ----------
    group : MicrographRows
        The micrograph and its n picks.
    probabilities : (n, n_classes) float32
        P(class); NaN for picks outside the micrograph.
    n_outside : int
        How many lie outside.
    n_done, n_total : int
        Finished micrographs, and all.
    features : (n, d) float32 or None
        The network's features of each box; NaN as above. None
        for scores of an earlier run, which keeps none, and for those of other processes.
    figures : MicrographFigures or None
        Statistics of the picks, for models with a reference to compare with.
    shape_px : tuple of int or None
        (ny, nx) of the micrograph.
    """

    group: MicrographRows
    probabilities: NDArray[np.float32]
    n_outside: int
    n_done: int
    n_total: int
    features: NDArray[np.float32] | None = field(default=None, repr=False)
    figures: MicrographFigures | None = field(default=None, repr=False)
    shape_px: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class BatchScored:
    """One batch of a micrograph's picks has been scored.

    It allows the generator to be closed before the micrograph is finished.

    Parameters
    ----------
    group : MicrographRows
        The micrograph and its picks.
    n_scored, n_picks : int
        Scored picks of this micrograph, and all.
    n_done, n_total : int
        Finished micrographs, and all.
    """

    group: MicrographRows
    n_scored: int
    n_picks: int
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Finished part of the micrographs, 0..1, including a part of this one."""
        return (self.n_done + self.n_scored / self.n_picks) / self.n_total


@dataclass(frozen=True)
class PicksScored:
    """The last event.

    Parameters
    ----------
    picks : Picks
        The picks with a column ``probability_<id>`` for each class.
    failures : dict
        Reason by micrograph that could not be read.
    outside : dict
        Number of picks outside by micrograph, where there are any.
    figures : dict
        Statistics of the picks by micrograph, for models with a reference to compare with.
    """

    picks: Picks
    failures: dict[str, str]
    outside: dict[str, int]
    figures: dict[str, MicrographFigures] = field(default_factory=dict, repr=False)
    progress: float = 1.0


ScoreEvent = OtherFrameFits | BatchScored | MicrographScored | MicrographFailed | PicksScored
