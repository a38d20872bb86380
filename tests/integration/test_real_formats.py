"""Files as real programs wrote them: they come back byte by byte, or are refused clearly."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.errors import (
    MicrographReadError,
    PickerOptimizerError,
    PickFormatError,
)
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


MAPS = ("mrc_odd/mrcfile/EMD-3001.map.bz2", "mrc_odd/mrcfile/EMD-3197.map.bz2")


def test_every_image_reads_as_mrcfile_reads_it_or_is_refused(
    formats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted({*formats.rglob("*.mrc"), *formats.rglob("*.map*")})
    table = []
    for file in files:
        name = file.relative_to(formats).as_posix()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = mrcfile.read(file)
        if name in MAPS:
            with pytest.raises(MicrographReadError, match="three-dimensional map") as refused:
                Micrograph(name, file).read()
            table.append(f"{name}: {str(refused.value).removeprefix(str(file))}")
        else:
            image = Micrograph(name, file).read()
            assert np.array_equal(image, np.atleast_2d(expected)), name
            assert np.isfinite(image).all()
            assert image.std() > 0
            table.append(f"{name}: {image.shape} {expected.dtype}")
    assert len(files) == 17
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *table, ""]))


def test_a_map_under_a_micrographs_name_is_refused_by_its_header(
    formats: Path, tmp_path: Path
) -> None:
    for map_file, says in zip(
        MAPS, ("axes in the order", "three-dimensional map"), strict=True
    ):
        file = tmp_path / "a.mrc.bz2"
        file.write_bytes((formats / map_file).read_bytes())
        with pytest.raises(MicrographReadError, match=says):
            Micrograph("a", file).read()
