"""What a simulated project shall hold: one frozen record, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.shapes import ParticleModel

ShapeName = Literal["lobes", "barrel", "ring", "y"]
PixelType = Literal["float32", "float16"]

SHAPE_DIAMETER_ANG = 160.0
# All further difficulties at once, for ``SimulationSettings(**HARDER)``.
HARDER: dict[str, Any] = {  # float and bool by name
    "overlap_share": 0.15,
    "denatured_share": 0.08,
    "speckle_chance": 0.3,
    "crystalline_chance": 0.25,
    "empty_chance": 0.25,
    "dirt_chance": 0.7,
    "defocus_spread_ang": 80.0,
}
CHANCES = (
    "carbon_chance", "speckle_chance", "crystalline_chance", "empty_chance", "dirt_chance",
)  # fmt: skip


@dataclass(frozen=True)
class SimulationSettings:
    """How many micrographs, of what, and which difficulties they hold.

    Parameters
    ----------
    n_micrographs : int
        Number of micrographs, by default 6.
    n_particles : int
        Whole particles in open ice on each micrograph, by default 150. Fewer are placed
        where they do not fit without overlap; those on carbon are not counted.
    shape_px : tuple of int
        Micrograph size (ny, nx) in pixels, by default (1920, 2048): not square, so that
        swapped axes show.
    pixel_size_ang : float
        Pixel size in Å, by default 1.8.
    shape : {"lobes", "barrel", "ring", "y"}
        The particle (see `shapes`), by default "lobes".
    structure : str or Path, optional
        An atomic model or a map (see `structures`) to take as the particle; wins over
        `shape`.
    diameter_ang : float, optional
        Longest extent of the particle in Å, by default 160 for a shape and the structure's
        own for a structure. Given beside a structure it does not scale the structure (only
        a map without a voxel size); it is the diameter that spacing and picks follow.
    false_share : float
        Share of the picks that are no good particle, in [0, 1), by default 0.35.
    recall : float
        Share of the whole particles that the imitated picker finds, by default 0.9.
    labels_per_class : int
        Hand labels of each class in ``labels.star``, by default 20.
    defocus_um : tuple of float
        Range of underfocus in µm, by default (2.0, 3.5).
    voltage_kv, spherical_aberration_mm, amplitude_contrast : float
        Microscope, by default 300 kV, 2.7 mm, 0.1.
    envelope_b_ang2 : float
        B factor of the image's envelope ``exp(-B k² / 4)`` in Å², by default 120.
    dose_e_per_ang2 : float
        Detected electrons per Å² where nothing absorbs, by default 50.
    ice_thickness_ang : tuple of float
        Range of the mean ice thickness of a micrograph in Å, by default (300, 600).
    carbon_chance : float
        Chance of a micrograph to show carbon film, by default 0.75.
    seed : int
        Everything random follows from it, by default 0. Micrograph i is the same whatever
        the number of micrographs.
    pixel_type : {"float32", "float16"}
        MRC mode 2 (default) or 12.
    ctf, shot_noise, solvent_noise, ice_gradient : bool
        Switches of image formation, by default all True.
    carbon, ice_crystals, ice_balls, aggregates, broken : bool
        Switches of what else lies on the grid, by default all True.
    overlap_share : float
        Share of the particles that get a second one over or beside them, by default 0.
        Those nearer than half a diameter count as whole no longer.
    denatured_share : float
        Lumps of unfolded protein, as a share of `n_particles`, by default 0.
    speckle_chance, crystalline_chance, empty_chance, dirt_chance : float
        Chances of a micrograph to show clusters of small specks of ethane or frost, an
        area of crystalline ice, an area of thin ice without particles (which are taken
        away, not put elsewhere), and dirt on its carbon; by default all 0.
    defocus_spread_ang : float
        Standard deviation of the defocus within one exposure (energy spread and lens
        currents), by default 0: left to `envelope_b_ang2`. Microscopes have 40 to 120 Å.
    detector_mtf : bool
        Blur the counted electrons, noise and all, as an indirect detector does
        (`ctf.detector_mtf`), by default False.
    low_pass_ang, flatten_ang : float
        Smooth the finished image, and take its uneven ground away, as renderings often
        have it (`ctf.low_pass`, `ctf.flattening`), by default 0: not at all.
        EMPIAR-10017's denoised pictures look like 75 Å and 900 Å.

    Raises
    ------
    SettingsError
        A number is out of its range; the message names it.
    """

    n_micrographs: int = 6
    n_particles: int = 150
    shape_px: tuple[int, int] = (1920, 2048)
    pixel_size_ang: float = 1.8
    shape: ShapeName = "lobes"
    structure: str | Path | None = None
    diameter_ang: float | None = None
    false_share: float = 0.35
    recall: float = 0.9
    labels_per_class: int = 20
    defocus_um: tuple[float, float] = (2.0, 3.5)
    voltage_kv: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.1
    envelope_b_ang2: float = 120.0
    dose_e_per_ang2: float = 50.0
    ice_thickness_ang: tuple[float, float] = (300.0, 600.0)
    carbon_chance: float = 0.75
    seed: int = 0
    pixel_type: PixelType = "float32"
    ctf: bool = True
    shot_noise: bool = True
    solvent_noise: bool = True
    ice_gradient: bool = True
    carbon: bool = True
    ice_crystals: bool = True
    ice_balls: bool = True
    aggregates: bool = True
    broken: bool = True
    overlap_share: float = 0.0
    denatured_share: float = 0.0
    speckle_chance: float = 0.0
    crystalline_chance: float = 0.0
    empty_chance: float = 0.0
    dirt_chance: float = 0.0
    defocus_spread_ang: float = 0.0
    detector_mtf: bool = False
    low_pass_ang: float = 0.0
    flatten_ang: float = 0.0

    def __post_init__(self) -> None:
        """Check every number once, so that nothing below asks again."""
        _check(self.n_micrographs >= 1, "n_micrographs", self.n_micrographs, "1 or more")
        _check(self.n_particles >= 0, "n_particles", self.n_particles, "0 or more")
        _check(
            self.labels_per_class >= 0, "labels_per_class", self.labels_per_class, "0 or more"
        )
        _check(self.seed >= 0, "seed", self.seed, "0 or more")
        if self.diameter_ang is not None:
            _check(
                self.diameter_ang > 0, "diameter_ang", self.diameter_ang, "a number above 0"
            )
        for name in ("pixel_size_ang", "voltage_kv", "dose_e_per_ang2"):
            _check(getattr(self, name) > 0, name, getattr(self, name), "a number above 0")
        for name in (
            "denatured_share", "defocus_spread_ang", "low_pass_ang", "flatten_ang",
        ):  # fmt: skip
            _check(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("recall", "amplitude_contrast", "overlap_share", *CHANCES):
            _check(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        _check(0 <= self.false_share < 1, "false_share", self.false_share, "0 up to, not 1")
        _check(self.envelope_b_ang2 >= 0, "envelope_b_ang2", self.envelope_b_ang2, "0 or more")
        for name in ("defocus_um", "ice_thickness_ang"):
            low, high = getattr(self, name)
            _check(0 < low <= high, name, (low, high), "(low, high) with 0 < low <= high")
        for name, kind in (("shape", ShapeName), ("pixel_type", PixelType)):
            value, known = getattr(self, name), get_args(kind)
            _check(value in known, name, value, "one of " + ", ".join(known))
        if self.structure is not None and self.diameter_ang is None:
            return  # checked by `for_model`
        # a pick's box has to fit somewhere
        least = 4 * self.diameter_px
        _check(
            min(self.shape_px) >= least,
            "shape_px",
            self.shape_px,
            f"both sides at least 4 particle diameters ({least:.0f} px)",
        )

    @property
    def particle_ang(self) -> float:
        """Particle diameter in Å: the one given, or the default of the shapes.

        Raises
        ------
        SettingsError
            Only the structure's file tells it (see `for_model`).
        """
        if self.diameter_ang is not None:
            return self.diameter_ang
        if self.structure is not None:
            raise SettingsError(
                f"the diameter of {self.structure} is not known before it is read: "
                "settings.for_model(project_model(settings)) knows it."
            )
        return SHAPE_DIAMETER_ANG

    @property
    def diameter_px(self) -> float:
        """Particle diameter in pixels (see `particle_ang`)."""
        return self.particle_ang / self.pixel_size_ang

    def for_model(self, model: ParticleModel) -> SimulationSettings:
        """Return the settings with the diameter of a model, where none was given.

        Raises
        ------
        SettingsError
            The micrograph is smaller than four of the model's diameters.
        """
        if self.diameter_ang is not None:
            return self
        return replace(self, diameter_ang=model.diameter_ang)


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise SettingsError(f"simulation setting {name} is {value!r}: expected {expected}.")
