"""Simulation of one micrograph: objects to exit wave, to image, to counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from napari_pickeroptimizer.simulate import background, ctf, junk, shapes
from napari_pickeroptimizer.simulate.layout import lay_out
from napari_pickeroptimizer.simulate.picks import imitate_picker
from napari_pickeroptimizer.simulate.scene import Specimen
from napari_pickeroptimizer.simulate.structures import read_structure

if TYPE_CHECKING:
    import pandas as pd

    from napari_pickeroptimizer.simulate.regions import Kind, Layout, Placed
    from napari_pickeroptimizer.simulate.scene import Scene
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

# Protein minus the ice that it displaces, in V; and the spread of one residue's atoms.
PROTEIN_CONTRAST_V = 2.5
RESIDUE_SIGMA_ANG = 2.6
# How lumps of ice are made, and their mean free path in Å.
ICE_LUMPS: dict[Kind, tuple[junk.Lump, float]] = {
    "crystal": (junk.crystal_thickness_ang, junk.CRYSTAL_MEAN_FREE_PATH_ANG),
    "drop": (junk.drop_thickness_ang, junk.DROP_MEAN_FREE_PATH_ANG),
}
# Stream number of what all micrographs of a project share; micrographs count from 0.
SHARED_STREAM = 2**32 - 1


@dataclass(frozen=True)
class SimulatedMicrograph:
    """A simulated image with its contents and picks.

    Parameters
    ----------
    image : (ny, nx) float32
        Counted electrons per pixel; protein is dark.
    truth : pandas.DataFrame
        x, y (px, 0-based centres) of every whole particle in open ice.
    picks : pandas.DataFrame
        What the imitated picker returns: x, y, picker_score, and the truth: class, kind.
    regions : Layout
        All objects; gives the class of a pick at any position.
    defocus_um : tuple of float
        Underfocus along both axes in µm, and the first axis' angle in degrees.
    """

    image: NDArray[np.float32]
    truth: pd.DataFrame
    picks: pd.DataFrame
    regions: Layout
    defocus_um: tuple[float, float, float]


def simulate_micrograph(
    settings: SimulationSettings,
    rng: np.random.Generator,
    model: shapes.ParticleModel | None = None,
    scene: Scene | None = None,
) -> SimulatedMicrograph:
    """Simulate one micrograph with its picks.

    The exit wave ``exp(iφ - t/2Λ)`` of all objects passes the lens (``exp(iχ)``), is squared
    to an intensity, damped by envelope and detector, and counted (Poisson).

    Parameters
    ----------
    settings : SimulationSettings
        The contents.
    rng : numpy.random.Generator
        Everything random on this micrograph follows from it.
    model : ParticleModel, optional
        The particle, where it has been read already (`project_model`).
    scene : Scene, optional
        What lies on the micrograph beside the settings' contents.

    Raises
    ------
    StructureReadError
        The structure cannot be read.
    SettingsError
        The structure is too large for the micrograph.

    Examples
    --------
    >>> from napari_pickeroptimizer.simulate import SimulationSettings
    >>> settings = SimulationSettings(n_particles=4, shape_px=(256, 320), diameter_ang=90.0)
    >>> micrograph = simulate_micrograph(settings, np.random.default_rng(1))
    >>> micrograph.image.shape, len(micrograph.truth)
    ((256, 320), 4)
    """
    if model is None:
        model = project_model(settings)
    settings = settings.for_model(model)
    # one stream for each purpose: a switch changes what it switches, and nothing else
    for_layout, for_object, for_ice, for_noise, for_count, for_picks, for_lens = rng.spawn(7)
    layout = lay_out(settings, for_layout, scene)
    mean_um = for_lens.uniform(*settings.defocus_um)
    astigmatism_um = for_lens.uniform(0, 0.03)
    defocus_um = (
        mean_um + astigmatism_um / 2,
        mean_um - astigmatism_um / 2,
        for_lens.uniform(0, 180),
    )
    pad_px, _ = padded(settings)
    wave = exit_wave(settings, layout, model, scene, for_object, for_ice, for_noise)
    intensity = image_intensity(settings, wave, defocus_um)
    ny, nx = settings.shape_px
    intensity = intensity[pad_px : pad_px + ny, pad_px : pad_px + nx]
    counts = intensity * np.float32(settings.dose_e_per_ang2 * settings.pixel_size_ang**2)
    if settings.shot_noise:
        counts = for_count.poisson(np.maximum(counts, 0))
    image = np.ascontiguousarray(counts, dtype=np.float32)
    image = _rendered(image, settings)
    picks = imitate_picker(image, layout, settings, for_picks)
    return SimulatedMicrograph(image, layout.whole_particles(), picks, layout, defocus_um)


def _rendered(image: NDArray[np.float32], settings: SimulationSettings) -> NDArray[np.float32]:
    """Apply the detector, and the processing of published images."""
    if not (settings.detector_mtf or settings.low_pass_ang or settings.flatten_ang):
        return image
    # mirrored at its rim, where filters would mix it with the opposite side
    pad_px = min(96, min(image.shape) // 2)
    wide = np.pad(image, pad_px, mode="symmetric")
    shape_px, pixel_ang = (wide.shape[0], wide.shape[1]), settings.pixel_size_ang
    spectrum = scipy.fft.rfft2(wide)
    if settings.detector_mtf:
        spectrum *= ctf.detector_mtf(shape_px)
    if settings.low_pass_ang:
        spectrum *= ctf.low_pass(shape_px, pixel_ang, settings.low_pass_ang)
    if settings.flatten_ang:
        spectrum *= ctf.flattening(shape_px, pixel_ang, settings.flatten_ang)
    wide = scipy.fft.irfft2(spectrum, s=shape_px)
    return np.ascontiguousarray(wide[pad_px:-pad_px, pad_px:-pad_px], dtype=np.float32)


def padded(settings: SimulationSettings) -> tuple[int, tuple[int, int]]:
    """Return margin and (ny, nx) of the canvas; the margin avoids Fourier wrap-around."""
    margin = int(np.ceil(0.75 * settings.diameter_px))
    ny, nx = (scipy.fft.next_fast_len(n + 2 * margin, real=True) for n in settings.shape_px)
    return margin, (ny, nx)


def exit_wave(
    settings: SimulationSettings,
    layout: Layout,
    model: shapes.ParticleModel,
    scene: Scene | None,
    for_object: np.random.Generator,
    for_ice: np.random.Generator,
    for_noise: np.random.Generator,
) -> NDArray[np.complex64]:
    """Return the electron wave behind the specimen, on the padded canvas.

    Protein and the noise of water and carbon are weak phase objects with a fixed share of
    amplitude contrast; films and ice lumps shift the phase strongly and absorb.
    """
    _, canvas_px = padded(settings)
    sigma = ctf.interaction_rad_per_v_ang(settings.voltage_kv)
    for_protein, for_lumps = for_object.spawn(2)
    specimen = Specimen(
        weak_rad=protein_phase_rad(settings, _turned_particles(layout, model, for_protein)),
        strong_rad=np.zeros(canvas_px, dtype=np.float32),
        absorbed=np.zeros(canvas_px, dtype=np.float32),
        ice_ang=background.ice_thickness_ang(
            canvas_px, settings.ice_thickness_ang, for_ice, gradient=settings.ice_gradient
        ),
    )
    add_lumps(specimen, ICE_LUMPS, layout, settings, for_lumps)
    if scene is not None:
        streams = for_lumps.spawn(1) + for_object.spawn(2)
        scene.draw(specimen, layout, settings, model, streams)
    specimen.absorbed += specimen.ice_ang / np.float32(background.ICE_MEAN_FREE_PATH_ANG)
    for_water, for_carbon = for_noise.spawn(2)
    if settings.solvent_noise:
        specimen.weak_rad += np.sqrt(specimen.ice_ang) * background.water_phase_noise_rad(
            canvas_px, settings.pixel_size_ang, sigma, for_water
        )
    if layout.carbon is not None:
        depth_px = layout.carbon.depth_px(*pixels(settings))
        rim_px = layout.carbon.rim_ang / settings.pixel_size_ang
        film = np.float32(layout.carbon.thickness_ang) * junk.smooth_step(depth_px, rim_px)
        specimen.strong_rad += film * np.float32(
            sigma * background.CARBON_ATOMS_PER_ANG3 * background.CARBON_ATOM_V_ANG3
        )
        specimen.absorbed += film / np.float32(background.CARBON_MEAN_FREE_PATH_ANG)
        specimen.weak_rad += np.sqrt(film) * background.carbon_phase_noise_rad(
            canvas_px, settings.pixel_size_ang, sigma, for_carbon
        )
    contrast, weak = settings.amplitude_contrast, specimen.weak_rad
    phase = specimen.strong_rad + np.float32(np.sqrt(1 - contrast**2)) * weak
    amplitude = np.exp(-specimen.absorbed / 2 - np.float32(contrast) * weak)
    wave = np.empty(canvas_px, dtype=np.complex64)
    wave.real, wave.imag = amplitude * np.cos(phase), amplitude * np.sin(phase)
    return wave


def image_intensity(
    settings: SimulationSettings,
    wave: NDArray[np.complex64],
    defocus_um: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Return the expected image (1 = nothing in the beam) of an exit wave."""
    canvas_px = (wave.shape[0], wave.shape[1])
    if settings.ctf:
        spectrum = scipy.fft.fft2(wave)
        spectrum *= ctf.lens_transfer(
            canvas_px,
            settings.pixel_size_ang,
            defocus_um=defocus_um,
            voltage_kv=settings.voltage_kv,
            spherical_aberration_mm=settings.spherical_aberration_mm,
        )
        wave = scipy.fft.ifft2(spectrum, overwrite_x=True)
    damped = scipy.fft.rfft2(wave.real**2 + wave.imag**2)
    damped *= ctf.detector_transfer(
        canvas_px, settings.pixel_size_ang, settings.envelope_b_ang2
    )
    if settings.defocus_spread_ang:
        damped *= ctf.focal_envelope(
            canvas_px,
            settings.pixel_size_ang,
            defocus_spread_ang=settings.defocus_spread_ang,
            voltage_kv=settings.voltage_kv,
        )
    return np.asarray(scipy.fft.irfft2(damped, s=canvas_px), dtype=np.float32)


def project_model(settings: SimulationSettings) -> shapes.ParticleModel:
    """Return the particle of a project: the same on all its micrographs.

    Raises
    ------
    StructureReadError
        The structure cannot be read.
    """
    if settings.structure is not None:
        return read_structure(settings.structure, diameter_ang=settings.diameter_ang)
    rng = np.random.default_rng([settings.seed, SHARED_STREAM])
    return shapes.particle_model(settings.shape, settings.particle_ang, rng)


def _turned_particles(
    layout: Layout, model: shapes.ParticleModel, rng: np.random.Generator
) -> Iterator[tuple[Placed, shapes.ParticleModel, Rotation]]:
    """Yield whole, damaged and overlapping particles, each with its random turn."""
    taken_away = set(layout.emptied)
    for placed in sorted((*layout.objects, *layout.emptied), key=lambda o: o.order):
        if placed.kind not in ("particle", "broken", "aggregate", "overlap"):
            continue
        # four normal numbers are a uniformly random rotation
        rotation = Rotation.from_quat(rng.standard_normal(4))
        # in aggregates every second one is damaged
        cut = placed.kind == "broken" or (placed.kind == "aggregate" and rng.random() < 0.5)
        projected = shapes.broken_model(model, rng) if cut else model
        if placed not in taken_away:
            yield placed, projected, rotation


def protein_phase_rad(
    settings: SimulationSettings,
    particles: Iterable[tuple[Placed, shapes.ParticleModel, Rotation]],
) -> NDArray[np.float32]:
    """Return the phase (ny, nx) of projected particles on the padded canvas."""
    pad_px, canvas_px = padded(settings)
    residues = np.zeros(canvas_px)
    for placed, model, rotation in particles:
        centre = (placed.y + pad_px, placed.x + pad_px)
        shapes.project_at(residues, model, centre, rotation, settings.pixel_size_ang)
    one_residue = (
        ctf.interaction_rad_per_v_ang(settings.voltage_kv)
        * PROTEIN_CONTRAST_V
        * shapes.RESIDUE_VOLUME_ANG3
        / settings.pixel_size_ang**2
    )
    blurred = gaussian_filter(
        residues.astype(np.float32), RESIDUE_SIGMA_ANG / settings.pixel_size_ang
    )
    return np.asarray(blurred * np.float32(one_residue), dtype=np.float32)


def add_lumps(
    specimen: Specimen,
    lumps: dict[Kind, tuple[junk.Lump, float]],
    layout: Layout,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> None:
    """Add the lumps of some kinds, each with its mean free path in Å."""
    pad_px, _ = padded(settings)
    per_ang = ctf.interaction_rad_per_v_ang(settings.voltage_kv) * background.ICE_POTENTIAL_V
    for placed in layout.objects:
        if placed.kind not in lumps:
            continue
        make, path_ang = lumps[placed.kind]
        thickness, darkness = make(placed.radius_px, settings.pixel_size_ang, rng)
        centre = (placed.y + pad_px, placed.x + pad_px)
        junk.add_at(specimen.strong_rad, thickness * np.float32(per_ang), centre)
        junk.add_at(specimen.absorbed, thickness * darkness / np.float32(path_ang), centre)


def pixels(settings: SimulationSettings) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return y (ny, 1) and x (1, nx) of the canvas's pixels, in those of the micrograph."""
    pad_px, canvas_px = padded(settings)
    y = (np.arange(canvas_px[0], dtype=np.float32) - pad_px)[:, None]
    x = (np.arange(canvas_px[1], dtype=np.float32) - pad_px)[None, :]
    return y, x
