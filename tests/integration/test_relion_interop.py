"""RELION reads what we write, and finds every particle where we say it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from relion_programs import relion

from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.io.star import StarDocument

NX, NY = 320, 200  # not square: x and y mixed up would leave the image
BOX = 32
PIXEL_SIZE = 2.0
# (x, y) in pixels, 0-based, far from any symmetry of the image; those at odd rows are false.
PARTICLES = {
    "a": [(60, 40), (200, 50), (250, 120), (100, 150), (280, 70)],
    "b": [(50, 100), (150, 30), (270, 160), (90, 60)],
    "c": [(40, 90)],
}
TRUE = {"a": [0, 2, 3], "b": [1, 2], "c": []}

OPTICS = """
# version 30001

data_optics

loop_ 
_rlnOpticsGroupName #1 
_rlnOpticsGroup #2 
_rlnMicrographOriginalPixelSize #3 
_rlnVoltage #4 
_rlnSphericalAberration #5 
_rlnAmplitudeContrast #6 
_rlnMicrographPixelSize #7 
opticsGroup1 1 2.0 300.0 2.7 0.1 2.0 
 

# version 30001

data_micrographs

loop_ 
_rlnMicrographName #1 
_rlnOpticsGroup #2 
"""  # noqa: W291, W293 (RELION's own spaces)
COORDINATES = (
    "\n# version 30001\n\ndata_\n\nloop_ \n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n"
    "_rlnClassNumber #3 \n_rlnAnglePsi #4 \n_rlnAutopickFigureOfMerit #5 \n"
)
LIST = (
    "\n# version 30001\n\ndata_coordinate_files\n\nloop_ \n_rlnMicrographName #1 \n"
    "_rlnMicrographCoordinates #2 \n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A RELION project: three micrographs, one bright spot a true pick, nothing at others."""
    job = tmp_path / "AutoPick" / "job006"
    (job / "Movies").mkdir(parents=True)
    folder = tmp_path / "MotionCorr" / "job002" / "Movies"
    folder.mkdir(parents=True)
    row, column = np.mgrid[:NY, :NX]
    listed, micrographs = LIST, OPTICS
    for name, centres in PARTICLES.items():
        image = np.zeros((NY, NX), np.float32)
        for i in TRUE[name]:
            x, y = centres[i]
            # longer in x than in y, and a fainter neighbour: a mirrored image would show
            image += np.exp(-((column - x) ** 2) / 18 - (row - y) ** 2 / 8)
            image += 0.5 * np.exp(-((column - x - 6) ** 2 + (row - y - 8) ** 2) / 4)
        with mrcfile.new(folder / f"{name}.mrc") as mrc:
            mrc.set_data(image)
            mrc.voxel_size = PIXEL_SIZE
        rows = "".join(
            f"{x:12.6f} {y:12.6f} {0:12d} {0.0:12.6f} {1.5:12.6f} \n" for x, y in centres
        )
        (job / "Movies" / f"{name}_autopick.star").write_text(f"{COORDINATES}{rows} \n")
        micrographs += f"MotionCorr/job002/Movies/{name}.mrc 1 \n"
        listed += (
            f"MotionCorr/job002/Movies/{name}.mrc "
            f"AutoPick/job006/Movies/{name}_autopick.star \n"
        )
    (job / "autopick.star").write_text(listed + " \n")
    (job / "coords_suffix_autopick.star").write_text("micrographs.star\n")
    (tmp_path / "micrographs.star").write_text(micrographs + " \n")
    return tmp_path


def keep_true(project: Path, source: str = "autopick.star") -> None:
    """Write the true picks to External/job010/kept, with our columns."""
    picks = read_picks(project / "AutoPick" / "job006" / source)
    true = np.concatenate([np.isin(np.arange(len(PARTICLES[m])), TRUE[m]) for m in PARTICLES])
    assert len(picks) == len(true)
    scored = picks.with_columns(
        predicted=np.where(true, 1, 2).astype(np.int8), probability_1=np.where(true, 0.9, 0.1)
    )
    write_picks(scored.select(true), project / "External" / "job010" / "kept")


def extract(project: Path, kept: str = "External/job010/kept/") -> np.ndarray:
    """Extract with RELION from our coordinate files; return the (n, BOX, BOX) particles."""
    relion(
        "relion_preprocess", project, "--i", "micrographs.star", "--coord_dir", kept,
        "--coord_suffix", "_autopick.star", "--part_star", "Extract/job011/particles.star",
        "--part_dir", "Extract/job011/", "--extract", "--extract_size", str(BOX),
    )  # fmt: skip
    stacks = sorted((project / "Extract" / "job011").rglob("*.mrcs"))
    # a stack of one particle comes as a plain image
    return np.concatenate([mrcfile.read(s).reshape(-1, BOX, BOX) for s in stacks])


@pytest.mark.parametrize("source", ["autopick.star", "coords_suffix_autopick.star"])
def test_extracted_particles_are_centred(project: Path, source: str) -> None:
    keep_true(project, source)
    particles = extract(project)
    assert len(particles) == sum(len(t) for t in TRUE.values())
    average = particles.mean(axis=0)
    assert average.max() == pytest.approx(1.0, abs=0.02)  # each particle is there, in place
    peak = np.unravel_index(np.argmax(average), average.shape)
    assert peak == (BOX // 2, BOX // 2)
    around = average[peak[0] - 3 : peak[0] + 4, peak[1] - 3 : peak[1] + 4]
    offsets = np.mgrid[-3:4, -3:4]
    centre_of_mass = (offsets * around).sum(axis=(1, 2)) / around.sum()
    assert np.abs(centre_of_mass).max() < 0.5
    # not mirrored, x not taken for y: the neighbour is where it was put
    assert average[BOX // 2 + 8, BOX // 2 + 6] == pytest.approx(0.5, abs=0.05)
    assert average[BOX // 2 + 6, BOX // 2 + 8] < 0.3


def test_this_test_would_see_a_flip(project: Path) -> None:
    keep_true(project)
    for file in (project / "External" / "job010" / "kept").rglob("*_autopick.star"):
        flipped = []
        for line in file.read_text().split("\n"):
            values = line.split()
            if len(values) > 5:
                values[1] = str(NY - 1 - float(values[1]))
            flipped.append(" ".join(values))
        file.write_text("\n".join(flipped))
    assert extract(project).mean(axis=0).max() < 0.5


def test_our_columns_come_through_extraction(project: Path) -> None:
    keep_true(project)
    extract(project)
    particles = read_picks(project / "Extract" / "job011" / "particles.star")
    assert particles.table["predicted"].tolist() == [1] * 5
    assert particles.table["decided_by"].tolist() == ["score"] * 5
    assert particles.labels.tolist() == [0] * 5  # decisions are no labels
    assert particles.table["x"].tolist() == [60, 250, 100, 150, 270]
    assert particles.table["y"].tolist() == [40, 120, 150, 30, 160]
    document = StarDocument.read(project / "Extract" / "job011" / "particles.star")
    (block,) = document.blocks_with("poParticleProbability")
    probability = document.numbers(block, ["poParticleProbability"])["poParticleProbability"]
    assert probability.tolist() == [0.9] * 5


@pytest.fixture
def kept_star(project: Path) -> Path:
    """kept.star of extracted particles: one table with optics, our columns added."""
    keep_true(project)
    extract(project)
    picks = read_picks(project / "Extract" / "job011" / "particles.star")
    scored = picks.with_columns(
        predicted=np.ones(5, np.int8), probability_1=[0.95, 0.85, 0.75, 0.65, 0.55]
    )
    (output,) = write_picks(scored.select(np.arange(4)), project / "kept.star")
    return output


def test_star_handler_selects_and_keeps_our_columns(project: Path, kept_star: Path) -> None:
    relion(
        "relion_star_handler", project, "--i", kept_star.name, "--o", "selected.star",
        "--select", "rlnCoordinateX", "--minval", "99",
    )  # fmt: skip
    selected = read_picks(project / "selected.star")
    assert selected.table["x"].tolist() == [250, 100, 150]
    document = StarDocument.read(project / "selected.star")
    assert [b.name for b in document.blocks] == ["optics", "particles"]
    values = document.strings(
        document.blocks[1], ["rlnParticleSelectionType", "poParticleProbability"]
    )
    assert [float(v) for v in values["rlnParticleSelectionType"]] == [1, 1, 1]
    assert [float(v) for v in values["poParticleProbability"]] == [0.85, 0.75, 0.65]


def test_star_handler_combines_kept_files(project: Path, kept_star: Path) -> None:
    shutil.copy(kept_star, project / "again.star")
    relion(
        "relion_star_handler", project, "--i", "kept.star again.star", "--o", "all.star",
        "--combine",
    )  # fmt: skip
    combined = StarDocument.read(project / "all.star")
    (block,) = combined.blocks_with("poParticleProbability")
    assert len(block) == 8
    probability = combined.numbers(block, ["poParticleProbability"])["poParticleProbability"]
    assert sorted(probability.tolist()) == sorted([0.95, 0.85, 0.75, 0.65] * 2)


def values_of(path: Path, *labels: str) -> dict[str, list[float]]:
    """Return columns of the only table that has them, by our reader of any table."""
    document = StarDocument.read(path)
    (block,) = document.blocks_with(*labels)
    return {k: v.tolist() for k, v in document.numbers(block, labels).items()}


PARTICLES_3_0 = """
data_

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnImageName #4
_rlnDetectorPixelSize #5
_rlnMagnification #6
_rlnVoltage #7
_rlnSphericalAberration #8
_rlnAmplitudeContrast #9
_rlnOriginX #10
_rlnOriginY #11
M/a.mrc 10.5 20 000001@a.mrcs 5.0 25000 300 2.7 0.1 0.5 -1.5
M/a.mrc 30 40 000002@a.mrcs 5.0 25000 300 2.7 0.1 0.5 -1.5
M/b.mrc 50 60 000003@a.mrcs 5.0 25000 300 2.7 0.1 0.5 -1.5
"""


def test_convert_star_brings_kept_particles_of_3_0_to_3_1(tmp_path: Path) -> None:
    (tmp_path / "particles.star").write_text(PARTICLES_3_0)
    with mrcfile.new(tmp_path / "a.mrcs") as mrc:
        mrc.set_data(np.zeros((3, BOX, BOX), np.float32))
        mrc.voxel_size = PIXEL_SIZE
    picks = read_picks(tmp_path / "particles.star").with_columns(
        predicted=np.array([1, 2, 1], np.int8), probability_1=[0.9, 0.1, 0.8]
    )
    write_picks(picks.select([0, 2]), tmp_path / "kept.star")
    relion("relion_convert_star", tmp_path, "--i", "kept.star", "--o", "new.star")
    assert values_of(
        tmp_path / "new.star", "rlnCoordinateX", "rlnCoordinateY", "poParticleProbability"
    ) == {
        "rlnCoordinateX": [10.5, 50],
        "rlnCoordinateY": [20, 60],
        "poParticleProbability": [0.9, 0.8],
    }
    assert values_of(tmp_path / "new.star", "rlnImagePixelSize") == {
        "rlnImagePixelSize": [PIXEL_SIZE]
    }
    again = read_picks(tmp_path / "new.star")
    assert again.table["micrograph"].tolist() == ["M/a.mrc", "M/b.mrc"]
    assert again.table["predicted"].tolist() == [1, 1]


def test_printtable_reads_our_coordinate_files_and_list(project: Path) -> None:
    """`relion_star_handler` takes neither, of RELION's own making either (3.1.3)."""
    keep_true(project)
    kept = "External/job010/kept"
    told = relion(
        "relion_star_printtable", project, f"{kept}/Movies/a_autopick.star", "data_",
        "rlnCoordinateX", "rlnCoordinateY",
    )  # fmt: skip
    assert [float(v) for v in told.split()] == [60, 40, 250, 120, 100, 150]
    told = relion(
        "relion_star_printtable", project, f"{kept}/autopick.star", "data_coordinate_files",
        "rlnMicrographName",
    )  # fmt: skip
    assert told.split() == [f"MotionCorr/job002/Movies/{name}.mrc" for name in "ab"]


def test_extraction_takes_what_convert_makes_of_one_table(
    run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table without folders, as other programs write it, becomes coordinate files."""
    monkeypatch.chdir(project)
    lines = ["micrograph,x,y"]
    for name, centres in PARTICLES.items():
        lines += [f"{name}.mrc,{x},{y}" for x, y in (centres[i] for i in TRUE[name])]
    Path("all.csv").write_text("\n".join(lines) + "\n")
    convert = ("convert", "all.csv", "Coords", "--to", "star", "-m", "micrographs.star")
    assert run(*convert)[0] == 0
    average = extract(project, "Coords/").mean(axis=0)
    assert average.max() == pytest.approx(1.0, abs=0.02)
    assert np.unravel_index(np.argmax(average), average.shape) == (BOX // 2, BOX // 2)
    extracted = values_of(
        project / "Extract/job011/particles.star", "rlnCoordinateX", "rlnCoordinateY"
    )
    assert extracted["rlnCoordinateX"] == [60, 250, 100, 150, 270]
