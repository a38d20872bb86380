"""What a caller may add to a simulated micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_pickeroptimizer.simulate.regions import Layout
    from napari_pickeroptimizer.simulate.settings import SimulationSettings
    from napari_pickeroptimizer.simulate.shapes import ParticleModel


@dataclass
class Specimen:
    """What the electrons pass, on the padded canvas (see `simulate.padded`).

    Parameters
    ----------
    weak_rad : (ny, nx) float32
        Phase of protein, whose amplitude contrast is a fixed share of it.
    strong_rad : (ny, nx) float32
        Phase of lumps and films.
    absorbed : (ny, nx) float32
        Their thickness over the mean free path, t / Λ.
    ice_ang : (ny, nx) float32
        Ice thickness in Å.
    """

    weak_rad: NDArray[np.float32]
    strong_rad: NDArray[np.float32]
    absorbed: NDArray[np.float32]
    ice_ang: NDArray[np.float32]


class Scene(Protocol):
    """Further contents of a micrograph, such as `pretrain.harder_scenes.HarderScenes`."""

    def add_to(
        self, layout: Layout, settings: SimulationSettings, rng: np.random.Generator
    ) -> Layout:
        """Return the layout with what the scene adds, covers and takes away."""

    def draw(
        self,
        specimen: Specimen,
        layout: Layout,
        settings: SimulationSettings,
        model: ParticleModel,
        streams: Sequence[np.random.Generator],
    ) -> None:
        """Draw what the scene has added; streams are for its lumps, its protein, its areas."""
