"""Settings of a simulation, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.shapes import ParticleModel

ShapeName = Literal["lobes", "barrel", "ring", "y"]
PixelType = Literal["float32", "float16"]

SHAPE_DIAMETER_ANG = 160.0


@dataclass(frozen=True)
class SimulationSettings:
    """Number and contents of the micrographs, and their difficulties.

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

    n_micrographs: int = setting(6, least=1)
    n_particles: int = setting(150, least=0)
    shape_px: tuple[int, int] = (1920, 2048)
    pixel_size_ang: float = setting(1.8, above=0)
    shape: ShapeName = setting("lobes", choices=ShapeName)
    structure: str | Path | None = None
    diameter_ang: float | None = setting(None, above=0)
    false_share: float = setting(0.35, least=0, below=1)
    recall: float = setting(0.9, least=0, most=1)
    labels_per_class: int = setting(20, least=0)
    defocus_um: tuple[float, float] = setting((2.0, 3.5), above=0)
    voltage_kv: float = setting(300.0, above=0)
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = setting(0.1, least=0, most=1)
    envelope_b_ang2: float = setting(120.0, least=0)
    dose_e_per_ang2: float = setting(50.0, above=0)
    ice_thickness_ang: tuple[float, float] = setting((300.0, 600.0), above=0)
    carbon_chance: float = setting(0.75, least=0, most=1)
    seed: int = setting(0, least=0)
    pixel_type: PixelType = setting("float32", choices=PixelType)
    ctf: bool = True
    shot_noise: bool = True
    solvent_noise: bool = True
    ice_gradient: bool = True
    carbon: bool = True
    ice_crystals: bool = True
    ice_balls: bool = True
    aggregates: bool = True
    broken: bool = True
    defocus_spread_ang: float = setting(0.0, least=0)
    detector_mtf: bool = False
    low_pass_ang: float = setting(0.0, least=0)
    flatten_ang: float = setting(0.0, least=0)

    def __post_init__(self) -> None:
        """Check every number."""
        check_ranges(self)
        for name in ("defocus_um", "ice_thickness_ang"):
            low, high = getattr(self, name)
            if low > high:
                raise SettingsError(f"{name} must be (low, high), got ({low}, {high}).")
        if self.structure is not None and self.diameter_ang is None:
            return  # checked by `for_model`
        # a pick's box has to fit somewhere
        least = 4 * self.diameter_px
        if min(self.shape_px) < least:
            raise SettingsError(
                f"shape_px must be at least 4 particle diameters ({least:.0f} px) along both "
                f"sides, got {self.shape_px}."
            )

    @property
    def particle_ang(self) -> float:
        """Particle diameter in Å: the one given, or the default of the shapes.

        Raises
        ------
        SettingsError
            It is only known from the structure file (see `for_model`).
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
        """Return the settings with the diameter of a model, if none was given.

        Raises
        ------
        SettingsError
            The micrograph is smaller than four of the model's diameters.
        """
        if self.diameter_ang is not None:
            return self
        return replace(self, diameter_ang=model.diameter_ang)
