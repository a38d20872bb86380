from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.cli.simulate import simulate
from napari_pickeroptimizer.errors import SettingsError, StructureReadError
from napari_pickeroptimizer.simulate import (
    SimulationSettings,
    project_model,
    read_structure,
    simulate_micrograph,
)
from napari_pickeroptimizer.simulate.shapes import RESIDUE_VOLUME_ANG3
from napari_pickeroptimizer.simulate.structures import merged

CARBON, NITROGEN, OXYGEN = 2.5088, 2.2135, 1.9834  # Peng's factors at s = 0, in Å


def pdb_atom(
    atom: str,
    xyz: tuple[float, float, float],
    *,
    residue: str = "GLY",
    chain: str = "A",
    number: int = 1,
    record: str = "ATOM",
) -> str:
    x, y, z = xyz
    return (
        f"{record:6s}{1:5d}  {atom:3s} {residue:>3s} {chain}{number:4d}    "
        f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {atom[0]:>2s}"
    )


def write_pdb(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([*lines, "END", ""]))
    return path


GLYCINE = (
    pdb_atom("N", (0, 0, 0)),
    pdb_atom("CA", (2, 0, 0)),
    pdb_atom("O", (0, 3, 0)),
    pdb_atom("H", (50, 50, 50)),  # hydrogen and water do not count
    pdb_atom("O", (90, 0, 0), residue="HOH", number=2, record="HETATM"),
)
TWO_COPIES = (
    "REMARK 350 BIOMOLECULE: 1",
    "REMARK 350 APPLY THE FOLLOWING TO CHAINS: A",
    "REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000",
    "REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000",
    "REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000",
    "REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000        0.00000",
    "REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000",
    "REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000       10.00000",
)


def test_a_residue_is_one_point_weighted_by_its_atoms_scattering(tmp_path: Path) -> None:
    two = (*GLYCINE, pdb_atom("N", (0, 0, 30), number=3), pdb_atom("CA", (0, 0, 30), number=3),
           pdb_atom("C", (0, 0, 30), number=3), pdb_atom("O", (0, 0, 30), number=3))  # fmt: skip
    model = read_structure(write_pdb(tmp_path / "a.pdb", *two))
    first, second = NITROGEN + CARBON + OXYGEN, NITROGEN + 2 * CARBON + OXYGEN
    np.testing.assert_allclose(model.weights, np.array([first, second]) / 18.4, rtol=1e-3)
    expected = np.array([2 * CARBON, 3 * OXYGEN, 0]) / first - [0, 0, 30]
    np.testing.assert_allclose(model.points_ang[0] - model.points_ang[1], expected, atol=2e-3)
    assert model.diameter_ang == pytest.approx(np.linalg.norm(expected), abs=2e-3)
    # the centre of mass is the origin
    np.testing.assert_allclose(model.weights @ model.points_ang, 0, atol=1e-9)


def test_a_trace_of_ca_weighs_as_its_residues(tmp_path: Path) -> None:
    lines = [pdb_atom("CA", (4 * i, 0, 0), residue="TRP", number=i + 1) for i in range(2)]
    model = read_structure(write_pdb(tmp_path / "a.pdb", *lines))
    np.testing.assert_allclose(model.weights, (204.2 - 18) / 110, rtol=0.01)


def test_the_first_biological_assembly_is_built(tmp_path: Path) -> None:
    other = pdb_atom("CA", (99, 99, 99), chain="B", number=7)
    model = read_structure(write_pdb(tmp_path / "a.pdb", *TWO_COPIES, *GLYCINE, other))
    assert len(model.points_ang) == 2  # chain A twice, chain B not at all
    apart = model.points_ang[1] - model.points_ang[0]
    total = NITROGEN + CARBON + OXYGEN
    np.testing.assert_allclose(
        apart, [-2 * 2 * CARBON / total, -2 * 3 * OXYGEN / total, 10], atol=2e-3
    )


def test_an_assembly_of_chains_that_are_not_there_is_passed_over(tmp_path: Path) -> None:
    remarks = [line.replace("CHAINS: A", "CHAINS: Q") for line in TWO_COPIES]
    model = read_structure(write_pdb(tmp_path / "a.pdb", *remarks, *GLYCINE))
    assert len(model.points_ang) == 1


def test_mmcif_and_packed_files_tell_the_same(tmp_path: Path) -> None:
    gemmi = pytest.importorskip("gemmi")
    plain = write_pdb(tmp_path / "a.pdb", *TWO_COPIES, *GLYCINE)
    structure = gemmi.read_structure(str(plain))
    structure.setup_entities()
    (tmp_path / "b.cif").write_text(structure.make_mmcif_document().as_string())
    (tmp_path / "c.ent.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "d.pdb.bz2").write_bytes(bz2.compress(plain.read_bytes()))
    expected = read_structure(plain)
    for name in ("b.cif", "c.ent.gz", "d.pdb.bz2"):
        found = read_structure(tmp_path / name)
        np.testing.assert_allclose(found.points_ang, expected.points_ang, atol=2e-3)
        np.testing.assert_allclose(found.weights, expected.weights)


def write_map(path: Path, data: np.ndarray, voxel_ang: float) -> Path:
    with mrcfile.new(path) as mrc:
        mrc.set_data(data.astype(np.float32))
        mrc.voxel_size = voxel_ang
    return path


@pytest.fixture
def brick() -> np.ndarray:
    """40 x 24 x 16 Å (x, y, z) in voxels of 2 Å, and a speck of noise."""
    data = np.zeros((20, 24, 32))
    data[6:14, 6:18, 6:26] = 1.0
    data[1, 1, 1] = 5.0
    return data


def test_a_map_becomes_a_protein_of_the_volume_above_the_threshold(
    tmp_path: Path, brick: np.ndarray
) -> None:
    model = read_structure(write_map(tmp_path / "a.mrc", brick, 2.0))
    assert model.weights.sum() == pytest.approx(40 * 24 * 16 / RESIDUE_VOLUME_ANG3, rel=0.2)
    assert np.ptp(model.points_ang, axis=0) == pytest.approx([38, 22, 14], abs=4.1)
    np.testing.assert_allclose(model.weights @ model.points_ang, 0, atol=1e-9)


def test_a_map_may_have_any_axis_order(tmp_path: Path, brick: np.ndarray) -> None:
    expected = read_structure(write_map(tmp_path / "a.mrc", brick, 2.0))
    turned = write_map(tmp_path / "b.map", brick.transpose(2, 0, 1), 2.0)
    with mrcfile.open(turned, mode="r+") as mrc:
        # sections run along x, rows along z, columns along y
        mrc.header.maps, mrc.header.mapr, mrc.header.mapc = 1, 3, 2
    found = read_structure(turned)
    np.testing.assert_allclose(
        np.ptp(found.points_ang, axis=0), np.ptp(expected.points_ang, axis=0)
    )


def test_a_map_without_voxel_size_is_scaled_to_the_given_diameter(
    tmp_path: Path, brick: np.ndarray
) -> None:
    path = write_map(tmp_path / "a.mrc", brick, 0.0)
    with pytest.raises(StructureReadError, match="no voxel size"):
        read_structure(path)
    assert read_structure(path, diameter_ang=300.0).diameter_ang == pytest.approx(300, rel=0.1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xyz", b"", "no structure by its name"),
        ("a.pdb", b"nothing\n", "no atoms"),
        ("a.cif", b"data_a\n_cell.length_a 3", "no atoms"),
        ("b.cif", b"data_a\nloop_\n_a.b\n_a.c\n1\n", "cannot be read"),
        ("a.pdb.gz", b"not gzip", "cannot be unpacked"),
        ("a.pdb.bz2", b"not bzip2", "cannot be unpacked"),
        ("a.mrc", b"too short", "cannot be read"),
        ("a.mrc.gz", b"not gzip", "cannot be read"),
    ],
)
def test_a_bad_file_is_named_in_the_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(StructureReadError, match=message) as caught:
        read_structure(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_file_of_water_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StructureReadError, match="does not exist"):
        read_structure(tmp_path / "none.pdb")
    with pytest.raises(StructureReadError, match="but water"):
        read_structure(write_pdb(tmp_path / "a.pdb", GLYCINE[-1]))


@pytest.mark.parametrize("voxel_ang", [0.01, 100.0, 1e6])
def test_voxels_that_no_map_has_are_refused_before_they_are_made_smaller(
    tmp_path: Path, brick: np.ndarray, voxel_ang: float
) -> None:
    with pytest.raises(StructureReadError, match=r"its voxels would be of .* 0\.1 to 25 Å"):
        read_structure(write_map(tmp_path / "a.mrc", brick, voxel_ang))


def test_a_map_whose_values_cannot_be_told_apart_is_refused(
    tmp_path: Path, brick: np.ndarray
) -> None:
    path = write_map(tmp_path / "a.mrc", (brick > 0) * 1e-43, 2.0)
    with pytest.raises(StructureReadError, match="no map from which a particle can be told"):
        read_structure(path)


def test_a_map_without_contrast_or_with_nan_is_refused(tmp_path: Path) -> None:
    path = write_map(tmp_path / "a.mrc", np.ones((4, 4, 4)), 1.0)
    with pytest.raises(StructureReadError, match="flat"):
        read_structure(path)
    content = bytearray(path.read_bytes())
    content[1024:1028] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    with pytest.raises(StructureReadError, match="no numbers"):
        read_structure(path)


def test_an_image_is_no_map(tmp_path: Path) -> None:
    with pytest.raises(StructureReadError, match="no map"):
        read_structure(write_map(tmp_path / "a.mrc", np.ones((4, 5)), 1.0))


def test_merging_keeps_mass_and_centre() -> None:
    rng = np.random.default_rng(0)
    points, weights = rng.uniform(0, 100, (5000, 3)), rng.uniform(0.5, 2, 5000)
    fewer, heavier = merged(points, weights, 800)
    assert 200 < len(fewer) <= 800
    assert heavier.sum() == pytest.approx(weights.sum())
    np.testing.assert_allclose(heavier @ fewer, weights @ points)


@pytest.fixture
def tetramer(tmp_path: Path) -> Path:
    """Four Cα traces of 60 residues each on a square of 60 Å."""
    rng = np.random.default_rng(0)
    corners = {"A": (0, 0, 0), "B": (0, 40, 0), "C": (40, 0, 0), "D": (40, 40, 0)}
    lines = [
        pdb_atom("CA", tuple(corner + rng.normal(0, 9, 3)), residue="LEU", chain=c, number=i)
        for c, corner in corners.items()
        for i in range(1, 61)
    ]
    return write_pdb(tmp_path / "tetramer.pdb", *lines)


def test_a_structure_wins_over_the_shape_and_tells_the_diameter(tetramer: Path) -> None:
    settings = SimulationSettings(
        structure=tetramer, pixel_size_ang=5.0, shape_px=(200, 240), n_particles=5
    )
    with pytest.raises(SettingsError, match="not known before it is read"):
        _ = settings.diameter_px
    model = project_model(settings)
    assert settings.for_model(model).diameter_px == pytest.approx(model.diameter_ang / 5)
    simulated = simulate_micrograph(settings, np.random.default_rng(0))
    given = simulate_micrograph(settings, np.random.default_rng(0), model)
    np.testing.assert_array_equal(simulated.image, given.image)
    assert len(simulated.truth) == 5


def test_a_given_diameter_does_not_scale_an_atomic_model(tetramer: Path) -> None:
    plain = project_model(SimulationSettings(structure=tetramer))
    given = project_model(SimulationSettings(structure=tetramer, diameter_ang=200.0))
    np.testing.assert_array_equal(plain.points_ang, given.points_ang)


def test_a_structure_too_large_for_the_micrograph_is_refused(tetramer: Path) -> None:
    settings = SimulationSettings(structure=tetramer, pixel_size_ang=1.0, shape_px=(200, 240))
    with pytest.raises(SettingsError, match="shape_px"):
        simulate_micrograph(settings, np.random.default_rng(0))


def test_the_command_takes_a_structure(
    tetramer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate(
        tmp_path / "out",
        micrographs=1,
        particles=3,
        structure=tetramer,
        harder=True,
        as_json=True,
    )
    said = json.loads(capsys.readouterr().out)
    model = read_structure(tetramer)
    assert said["diameter_px"] == pytest.approx(model.diameter_ang / said["pixel_size_ang"])
    assert (tmp_path / "out/Micrographs/simulated_0001.mrc").is_file()
