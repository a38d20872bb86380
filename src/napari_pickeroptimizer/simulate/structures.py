"""Particles from files: atomic models (PDB, mmCIF) and maps (MRC) as clouds of residues.

Both become what the analytic shapes are, a `ParticleModel`: points with weights, a weight of
1 being an average amino-acid residue (110 Da, 133 Å³).
"""

from __future__ import annotations

import bz2
import gzip
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label, zoom

from napari_pickeroptimizer.errors import StructureReadError
from napari_pickeroptimizer.simulate.shapes import (
    RESIDUE_MASS_DA,
    RESIDUE_VOLUME_ANG3,
    ParticleModel,
    longest_extent,
)

if TYPE_CHECKING:
    import gemmi

ATOM_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
MAP_SUFFIXES = (".mrc", ".map", ".ccp4")
PACKED_SUFFIXES = (".gz", ".bz2")

# More points than these are merged on a grid: 200 projections then take well below a second.
MAX_POINTS = 20_000
MAX_OPERATORS = 2_000
# An average residue (C 4.9, N 1.35, O 1.47, S 0.035; hydrogen left out, as most files lack
# it) in Å: the sum of its atoms' electron scattering factors at s = 0.
RESIDUE_SCATTERING_ANG = 18.4
WATER_MASS_DA = 18.0
# A residue of fewer heavy atoms is a trace (Cα or P only); the smallest whole one has four.
TRACE_ATOMS = 3
# Maps: detail finer than this (standard deviation) is smoothed away before the threshold,
# and voxels are made smaller than this, so that their grid does not show in projections.
ENVELOPE_SIGMA_ANG = 3.0
LARGEST_VOXEL_ANG = 4.5
# No map of a particle has other voxels; to make much larger ones smaller takes all memory.
VOXEL_SIZES_ANG = (0.1, 25.0)
# Islands smaller than this share of the largest one are noise.
DUST = 0.02


def read_structure(path: str | Path, *, diameter_ang: float | None = None) -> ParticleModel:
    """Read a particle from an atomic model or a map.

    *Atomic models* (``.pdb``, ``.ent``, ``.cif``, ``.mmcif``): the first model's first
    biological assembly, or all of its chains where the file declares none. Water and
    hydrogen are left out. Each residue becomes one point at its atoms' centre, both centre
    and weight by the atoms' electron scattering factors (Peng) at s = 0: a nucleotide weighs
    2.8 residues. Of traces (Cα or P only) the weight is the residue's mass over 110 Da.

    *Maps* (``.mrc``, ``.map``, ``.ccp4``; protein positive): smoothed to a standard
    deviation of 3 Å, then every voxel above Otsu's threshold, less islands below 2 % of the
    largest, is a point, its weight in proportion to the smoothed value. The weights' sum is
    that of a protein of the voxels' volume (133 Å³ a residue).

    More than 20,000 points (viruses) are merged on a cubic grid, as fine as fits. Any of
    the files may be packed (``.gz``, ``.bz2``). The result depends on nothing but the file.

    Parameters
    ----------
    path : str or Path
        The file.
    diameter_ang : float, optional
        Longest extent in Å: the scale of a map whose header has no voxel size. Not used
        for any other file.

    Raises
    ------
    StructureReadError
        The file is missing, of an unknown kind, damaged or empty; its map has no voxel
        size; or gemmi is not installed.
    """
    path = Path(path)
    suffix = structure_suffix(path)
    if suffix in MAP_SUFFIXES:
        return _read_map(path, diameter_ang)
    return _read_atoms(path, is_cif=suffix in (".cif", ".mmcif"))


def structure_suffix(path: Path) -> str:
    """Return the suffix of a structure file without that of its compression.

    Raises
    ------
    StructureReadError
        The file is missing or of an unknown kind.
    """
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in ATOM_SUFFIXES + MAP_SUFFIXES:
        raise StructureReadError(
            f"{path} is no structure by its name; readable are "
            + ", ".join(ATOM_SUFFIXES + MAP_SUFFIXES)
            + ", each also as .gz and .bz2."
        )
    if not path.is_file():
        raise StructureReadError(f"{path} does not exist, or is no file.")
    return suffix


# ------------------------------------------------------------------ atomic models


def _read_atoms(path: Path, *, is_cif: bool) -> ParticleModel:
    try:
        import gemmi
    except ImportError as error:
        raise StructureReadError(
            f"{path} is an atomic model, which needs the package gemmi: "
            "pip install 'napari-pickeroptimizer[simulate]'."
        ) from error
    text = _text(path)
    try:
        if is_cif:
            block = gemmi.cif.read_string(text)[0]
            structure = gemmi.make_structure_from_block(block)
        else:
            structure = gemmi.read_pdb_string(text)
    except (ValueError, RuntimeError, IndexError) as error:
        raise StructureReadError(
            f"{path} cannot be read as an atomic model: {error}."
        ) from error
    if not len(structure) or not structure[0].count_atom_sites():
        raise StructureReadError(f"{path} holds no atoms.")
    structure.setup_entities()
    structure[0].remove_alternative_conformations()
    chains = _residue_points(structure[0])
    if not chains:
        raise StructureReadError(f"{path} holds no atoms but water.")
    points = _assembled(structure, chains)
    return _model(points[:, :3], points[:, 3])


def _text(path: Path) -> str:
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}  # no common type
    try:
        with openers.get(path.suffix.lower(), open)(path, "rb") as file:
            content: bytes = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise StructureReadError(f"{path} cannot be unpacked: {error}.") from error
    # only names and remarks are ever outside ASCII
    return content.decode("utf-8", errors="replace")


def _residue_points(model: gemmi.Model) -> list[tuple[str, str, NDArray[np.float64]]]:
    """Return (chain, subchain, (n, 4) x, y, z and weight) of each subchain's residues."""
    found = []
    for chain in model:
        for subchain in chain.subchains():
            points = [_residue_point(r) for r in subchain if not r.is_water()]
            rows = [point for point in points if point is not None]
            if rows:
                found.append((chain.name, subchain.subchain_id(), np.array(rows)))
    return found


def _residue_point(residue: gemmi.Residue) -> tuple[float, float, float, float] | None:
    """Return a residue's scattering centre and weight, None where it has no heavy atom."""
    x = y = z = total = 0.0
    n = 0
    for atom in residue:
        name = atom.element.name
        if name in ("H", "D"):
            continue
        factor, position = _scattering_ang(name), atom.pos
        x += factor * position.x
        y += factor * position.y
        z += factor * position.z
        total += factor
        n += 1
    if not n:
        return None
    return x / total, y / total, z / total, _weight(residue, n, total)


def _weight(residue: gemmi.Residue, n_atoms: int, scattering_ang: float) -> float:
    import gemmi

    if n_atoms < TRACE_ATOMS:
        info = gemmi.find_tabulated_residue(residue.name)
        if info.is_amino_acid() or info.is_nucleic_acid():
            return float((info.weight - WATER_MASS_DA) / RESIDUE_MASS_DA)
    return scattering_ang / RESIDUE_SCATTERING_ANG


@cache
def _scattering_ang(element: str) -> float:
    """Return an element's electron scattering factor at s = 0, carbon's where unknown."""
    import gemmi

    # None for the heaviest and unknown elements, against what gemmi's types say
    coefficients: Any = gemmi.Element(element).c4322
    value = 0.0 if coefficients is None else float(coefficients.calculate_sf(0.0))
    return value or _scattering_ang("C")


def _assembled(
    structure: gemmi.Structure, chains: list[tuple[str, str, NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """Return the points of the first biological assembly, of all chains where there is none."""
    whole = np.concatenate([rows for _, _, rows in chains])
    if not structure.assemblies:
        return whole
    copies = []
    for generator in structure.assemblies[0].generators:
        members = [
            rows
            for name, subchain, rows in chains
            if name in generator.chains or subchain in generator.subchains
        ]
        if not members:
            continue
        unit = np.concatenate(members)
        for operator in list(generator.operators)[:MAX_OPERATORS]:
            turn = np.array(operator.transform.mat.tolist())
            shift = np.array(operator.transform.vec.tolist())
            copies.append(np.column_stack([unit[:, :3] @ turn.T + shift, unit[:, 3]]))
    return np.concatenate(copies) if copies else whole


# ------------------------------------------------------------------ maps


def _read_map(path: Path, diameter_ang: float | None) -> ParticleModel:
    try:
        with warnings.catch_warnings():
            # old programs stamp the byte order wrongly; mrcfile finds it out, and warns
            warnings.simplefilter("ignore", RuntimeWarning)
            opened = mrcfile.open(path, permissive=True)
        with opened as mrc:
            if mrc.data is None:
                raise StructureReadError(f"{path} is no readable MRC map.")
            data = np.array(mrc.data, dtype=np.float32)
            size = mrc.voxel_size
            voxel_xyz_ang = np.array([size.x, size.y, size.z], dtype=np.float64)
            axes = [int(mrc.header[name]) for name in ("maps", "mapr", "mapc")]
    except (OSError, ValueError, EOFError, zlib.error) as error:
        if isinstance(error, StructureReadError):
            raise
        raise StructureReadError(f"{path} cannot be read as an MRC map: {error}.") from error
    if data.ndim != 3 or min(data.shape) < 2:
        raise StructureReadError(f"{path} is no map: its shape is {data.shape}.")
    if not np.isfinite(data).all() or np.ptp(data) == 0:
        raise StructureReadError(f"{path} is flat, or holds values that are no numbers.")
    if sorted(axes) == [1, 2, 3]:  # CCP4 maps may have x along their sections
        data = np.transpose(data, [axes.index(axis) for axis in (3, 2, 1)])
    scaled = bool((voxel_xyz_ang > 0).all() and np.isfinite(voxel_xyz_ang).all())
    if not scaled and diameter_ang is None:
        raise StructureReadError(
            f"{path} has no voxel size in its header: give the particle's diameter in Å."
        )
    voxel_zyx_ang = voxel_xyz_ang[::-1] if scaled else None
    try:
        return _map_model(data, voxel_zyx_ang, diameter_ang or 0.0)
    except ValueError as error:  # of a histogram of values that are nearly one, or too large
        raise StructureReadError(
            f"{path} is no map from which a particle can be told: {error}"
        ) from error


def _map_model(
    data_zyx: NDArray[np.float32],
    voxel_zyx_ang: NDArray[np.float64] | None,
    diameter_ang: float,
) -> ParticleModel:
    if voxel_zyx_ang is None:
        # a first look, in voxels: how long is what stands out?
        inside = _envelope(data_zyx)
        voxel_zyx_ang = np.full(
            3, diameter_ang / longest_extent(np.argwhere(inside).astype(np.float64))
        )
    least, most = VOXEL_SIZES_ANG
    if not ((least <= voxel_zyx_ang) & (voxel_zyx_ang <= most)).all():
        raise ValueError(
            f"its voxels would be of {voxel_zyx_ang.max():g} Å, where {least:g} to {most:g} Å were "
            "expected."
        )
    smooth = gaussian_filter(data_zyx, ENVELOPE_SIGMA_ANG / voxel_zyx_ang)
    finer = np.ceil(voxel_zyx_ang / LARGEST_VOXEL_ANG)
    if (finer > 1).any():
        before = np.array(smooth.shape)
        smooth = zoom(smooth, finer, order=1)
        voxel_zyx_ang = voxel_zyx_ang * (before - 1) / (np.array(smooth.shape) - 1)
    inside = _envelope(smooth)
    points_zyx = np.argwhere(inside) * voxel_zyx_ang
    value = smooth[inside].astype(np.float64)
    n_residues = len(value) * float(np.prod(voxel_zyx_ang)) / RESIDUE_VOLUME_ANG3
    # fine voxels need not each be a point
    n_most = round(min(MAX_POINTS, max(1_000.0, 3 * n_residues)))
    return _model(points_zyx[:, ::-1], value * (n_residues / value.sum()), n_most)


def _envelope(data: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which voxels lie above Otsu's threshold, without small islands."""
    islands, n = label(data > otsu_threshold(data))
    sizes = np.bincount(islands.ravel(), minlength=n + 1)
    sizes[0] = 0
    return np.asarray((sizes >= max(1.0, DUST * sizes.max()))[islands])


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """Return Otsu's threshold among 512 grey levels.

    Examples
    --------
    >>> 1 < otsu_threshold(np.array([0.0, 0.1, 0.9, 1.0, 5.0, 5.1])) < 5
    True
    """
    counts, edges = np.histogram(values, bins=512)
    if not (np.diff(edges) > 0).all():  # newer versions of numpy say so themselves
        raise ValueError("its values are too near to each other for 512 grey levels.")
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    mean_below = sums[:-1] / np.maximum(below, 1)
    mean_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below.astype(np.float64) * above * (mean_below - mean_above) ** 2
    return float(edges[1:-1][np.argmax(between)])


# ------------------------------------------------------------------ both


def _model(
    points_ang: NDArray[np.float64], weights: NDArray[np.float64], n_most: int = MAX_POINTS
) -> ParticleModel:
    """Centre the points, merge them if there are too many, and measure the diameter."""
    extent = longest_extent(points_ang)
    points_ang, weights = merged(points_ang, weights, n_most)
    return ParticleModel.centred(points_ang, weights, extent)


def merged(
    points_ang: NDArray[np.float64], weights: NDArray[np.float64], n_most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Merge points that share a cell of a cubic grid until at most `n_most` are left.

    Their weights add up and their centre of mass stays, in every cell and as a whole.
    """
    cell_ang = 4.0
    origin = points_ang.min(axis=0)
    result, total = points_ang, weights
    while len(result) > n_most:
        cell = np.floor((points_ang - origin) / cell_ang).astype(np.int64)  # (n, 3)
        member = np.unique(cell, axis=0, return_inverse=True)[1].ravel()
        total = np.bincount(member, weights).astype(np.float64)
        result = np.column_stack(
            [np.bincount(member, weights * column) / total for column in points_ang.T]
        )
        cell_ang *= 1.15
    return result, total
