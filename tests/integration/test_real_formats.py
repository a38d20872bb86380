"""Files as real programs wrote them: they come back byte by byte, or are refused clearly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickerOptimizerError, PickFormatError
from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.io.star import StarDocument
from napari_pickeroptimizer.micrographs import Micrograph

# At least so many of the files in formats/ hold picks.
LEAST_STARS, LEAST_BOXES = 39, 14


@pytest.fixture(scope="module")
def formats(shared_data: Path) -> Path:
    return shared_data / "formats"


def round_trip(files: list[Path], folder: Path) -> tuple[dict[Path, int], dict[Path, str]]:
    """Return the number of picks of each file that reads, and the others' messages."""
    read: dict[Path, int] = {}
    refused: dict[Path, str] = {}
    for i, file in enumerate(files):
        try:
            picks = read_picks(file)
        except PickerOptimizerError as error:
            refused[file] = str(error)
            continue
        output = folder / f"{i}{file.suffix}"
        write_picks(picks, output, columns={})
        assert output.read_bytes() == file.read_bytes(), file
        read[file] = len(picks)
    return read, refused


def test_every_star_comes_back_or_is_refused_by_name(formats: Path, tmp_path: Path) -> None:
    files = sorted(formats.rglob("*.star"))
    read, refused = round_trip(files, tmp_path)
    assert len(read) >= LEAST_STARS
    assert len(read) + len(refused) == len(files)
    for file, message in refused.items():
        assert str(file) in message
        assert len(message) > len(str(file)) + 20
    tomograms = {f.name for f, m in refused.items() if "of a tomogram" in m}
    assert {"tomograms.star", "one_loop.star", "particles.star"} <= tomograms


def test_every_box_comes_back_or_is_refused_by_name(formats: Path, tmp_path: Path) -> None:
    read, refused = round_trip(sorted(formats.rglob("*.box")), tmp_path)
    assert len(read) >= LEAST_BOXES
    assert {f.name for f in refused} == {
        "2d_corrupt_has_string.box",
        "2d_corrupt_unqual_columns.box",
        "2d_empty.box",
        "2d.box",  # links that became text files
        "2d_0.box",
    }


def test_every_star_survives_as_a_document(formats: Path) -> None:
    for file in sorted(formats.rglob("*.star")):
        try:
            document = StarDocument.read(file)
        except PickFormatError:
            continue
        assert document.text().encode(document.encoding) == file.read_bytes(), file
        for block in document.blocks:
            rows = np.arange(len(block))
            if block.is_loop:
                assert document.render(block, rows) == document.text(), file


def test_values_of_files_that_differ_in_everything(formats: Path) -> None:
    relion = read_picks(formats / "roodmus/analysis_test_inputs/relion_subset/Extract/job007")
    assert len(relion) == 269
    assert relion.table["micrograph"].nunique() == 1
    scipion = read_picks(formats / "scipion/esrf/input_particles.star")
    assert (len(scipion), scipion.table["micrograph"].nunique()) == (2021, 16)
    windows = read_picks(formats / "cryolo/pyStarDB/ActinLifeAct_00072.star")
    assert windows.coords_yx_px()[:2].tolist() == [[3304.5, 3545.5], [4001.3, 3906.925]]
    corner = read_picks(formats / "cryolo/napari-boxmanager/2d_left.box")
    centre = read_picks(formats / "cryolo/napari-boxmanager/2d_center.box")
    assert corner.coords_yx_px().tolist() == centre.coords_yx_px().tolist()


def test_lists_and_picks_of_a_real_project(shared_data: Path, tmp_path: Path) -> None:
    """Topaz's boxes and the same picks as RELION coordinates agree; trees come back."""
    boxes = shared_data / "empiar10017" / "picks" / "topaz"
    picks = read_picks(boxes)
    assert len(picks) == 4731
    first = sorted(boxes.glob("*.box"))[0]
    x, y, w, h, score = (float(t) for t in first.read_text().split()[:5])
    assert picks.coords_yx_px()[0].tolist() == [y + h / 2, x + w / 2]
    assert picks.table["picker_score"][0] == score
    for file in write_picks(picks, tmp_path / "all"):
        assert file.read_bytes() == (boxes / file.name).read_bytes()
    labels = read_picks(shared_data / "empiar10017" / "labels")
    assert np.bincount(labels.labels).tolist() == [0, 1384, 399]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mrc_odd/leginon/08mar13e_00010gr_00004sq_v02_00005hl.mrc", (512, 512)),
        ("mrc_odd/leginon/holetemplate.mrc", (200, 200)),
        ("mrc_odd/leginon/radpow.mrc", (1, 256)),
        ("cryolo/napari-boxmanager/2d_0.mrc", (100, 100)),
    ],
)
def test_mrc_files_of_old_programs_read(
    formats: Path, name: str, shape: tuple[int, int]
) -> None:
    image = Micrograph(name, formats / name).read()
    assert image.shape == shape
    assert np.isfinite(image).all()
    assert image.std() > 0
