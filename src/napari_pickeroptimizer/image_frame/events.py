"""What the check of the frame reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OtherFrameFits:
    """An event: the picks fit the micrographs far better in another frame.

    Parameters
    ----------
    frame : str
        The frame that fits, such as ``"with y counted from the other end"``.
    advice : str
        What to do.
    contrast, contrast_as_is : float
        Mean contrast of the picks in that frame and as they are: middle less surround, less
        the same around them, in robust standard deviations; negative for dark particles.
    sigma : float
        Standard errors between the two.
    n_picks, n_micrographs : int
        That were looked at.
    """

    frame: str
    advice: str
    contrast: float
    contrast_as_is: float
    sigma: float
    n_picks: int
    n_micrographs: int
    # progress of the scoring: this comes first
    n_done: int = 0
    n_total: int = 0
    progress: float = 0.0

    @property
    def sentence(self) -> str:
        """The warning: figures, and what to do."""
        on = (
            "one micrograph"
            if self.n_micrographs == 1
            else f"{self.n_micrographs} micrographs"
        )
        return (
            f"the picks seem to be in another frame than the micrographs: over {self.n_picks:,} "
            f"picks on {on} the contrast of particles is {self.contrast_as_is:.2f} as they are "
            f"and {self.contrast:.2f} {self.frame}: {self.advice}."
        )
