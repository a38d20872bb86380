"""The layouts of other programs, written small: `test_real_formats.py` for everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from layouts import (
    LAYOUTS,
    Layout,
    not_picks,
    places,
    relion_4_manualpick,
    relion_5_manualpick,
    relion_select_of_classes,
)

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.io.star import StarDocument
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs

every_layout = pytest.mark.parametrize("write", LAYOUTS, ids=lambda write: write.__name__)
Write = Callable[[Path], Layout]


@every_layout
def test_all_programs_tell_the_same_picks(write: Write, tmp_path: Path) -> None:
    layout = write(tmp_path)
    picks = read_picks(layout.path)
    expected = places()
    np.testing.assert_allclose(
        picks.coords_yx_px(),
        np.concatenate([np.column_stack([p.y, p.x]) for p in expected.values()]),
    )
    by_name = [(name, len(p.x)) for name, p in expected.items()]
    stems = picks.table["micrograph"].map(lambda n: Path(n).stem.rpartition("_")[2])
    assert [(n, int((stems == n).sum())) for n, _ in by_name] == by_name
    assert ("picker_score" in picks.table) == layout.has_scores
    scores = np.concatenate([p.score for p in expected.values()])
    found = picks.table.get("picker_score", scores)
    np.testing.assert_allclose(np.asarray(found, float), scores)


@every_layout
def test_all_files_come_back_byte_by_byte(write: Write, tmp_path: Path) -> None:
    layout = write(tmp_path / "project")
    picks = read_picks(layout.path)
    out = tmp_path / "project" / "External" / "job099"
    if layout.path in layout.files:  # one table: one file
        out = out / layout.path.name
        out.parent.mkdir(parents=True)
    written = write_picks(picks, out, columns={})
    names = {file.name: file for file in written}
    assert {file.name for file in layout.files} <= set(names)
    for file in layout.files:
        assert names[file.name].read_bytes() == file.read_bytes(), file


@every_layout
def test_dropping_picks_drops_their_lines_only(write: Write, tmp_path: Path) -> None:
    layout = write(tmp_path / "project")
    picks = read_picks(layout.path)
    kept = np.arange(len(picks)) % 2 == 0
    out = tmp_path / "project" / "External" / "job099"
    if layout.path in layout.files:
        out = out / layout.path.name
        out.parent.mkdir(parents=True)
    written = {f.name: f for f in write_picks(picks.select(kept), out, columns={})}
    dropped = 0
    for file in layout.files:
        before = file.read_bytes().splitlines(keepends=True)
        after = written[file.name].read_bytes().splitlines(keepends=True)
        left = iter(before)
        assert all(line in left for line in after), file  # in their order
        dropped += len(before) - len(after)
    assert dropped == (~kept).sum()


@every_layout
def test_picks_find_their_micrographs(write: Write, tmp_path: Path) -> None:
    """By whole names or by the end of a name, as cryoSPARC's and Topaz's need it."""
    picks = read_picks(write(tmp_path / "project").path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    names = {Path(name).stem for name in picks.table["micrograph"]}
    assert len(names) == 3
    for name in names:
        with mrcfile.new(folder / f"{name}.mrc") as mrc:
            mrc.set_data(np.zeros((8, 8), np.float32))
    micrographs = Micrographs.find(folder)
    for name in picks.table["micrograph"].unique():
        assert micrographs.resolve(name).path.is_file()


@pytest.mark.parametrize("subfolder", ["", "Movies/grid1/"])
def test_results_of_a_select_job_are_picks_or_micrographs(
    tmp_path: Path, subfolder: str
) -> None:
    """The folder of selected classes is its particles; selected micrographs are none of picks."""
    picks = read_picks(relion_select_of_classes(tmp_path).path.parent)
    assert len(picks) == sum(len(p.x) for p in places().values())
    name = f"MotionCorr/job002/{subfolder}m0.mrc"
    (tmp_path / name).parent.mkdir(parents=True)
    with mrcfile.new(tmp_path / name) as mrc:
        mrc.set_data(np.ones((8, 8), np.float32))
    selected = tmp_path / "Select" / "job010" / "micrographs_selected.star"
    selected.parent.mkdir()
    selected.write_text(
        "# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n"
        "_rlnMicrographPixelSize #2\n1 1.77\n\n# version 30001\n\ndata_micrographs\n\nloop_\n"
        f"_rlnMicrographName #1\n_rlnOpticsGroup #2\n{name} 1\n"
    )
    with pytest.raises(PickerOptimizerError, match="is a micrographs STAR"):
        read_picks(selected)
    (micrograph,) = Micrographs.find(selected)
    assert (micrograph.name, micrograph.pixel_size_ang) == (name, 1.77)
    assert micrograph.shape_px() == (8, 8)


def test_classes_of_manual_picks_are_labels(tmp_path: Path) -> None:
    assert set(read_picks(relion_5_manualpick(tmp_path).path).labels) == {1}
    assert set(read_picks(relion_4_manualpick(tmp_path / "4").path).labels) == {0}


def test_what_is_no_pick_file_is_refused_by_name(tmp_path: Path) -> None:
    refused = not_picks(tmp_path)
    assert refused
    for kind, (file, words) in refused.items():
        with pytest.raises(PickerOptimizerError) as error:
            read_picks(file)
        assert words in str(error.value), kind
        assert file.name in str(error.value), kind


def test_every_star_survives_as_a_document(tmp_path: Path) -> None:
    n_loops = 0
    for write in LAYOUTS:
        layout = write(tmp_path / write.__name__)
        for file in sorted((tmp_path / write.__name__).rglob("*.star")):
            if file.name.startswith("coords_suffix"):
                continue  # RELION's name for a text file
            document = StarDocument.read(file)
            assert document.text().encode(document.encoding) == file.read_bytes(), file
            for block in (b for b in document.blocks if b.is_loop):
                assert document.render(block, np.arange(len(block))) == document.text(), file
                n_loops += 1
        assert layout.files
    assert n_loops > 20


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        (np.int8, (12, 20)),
        (np.int16, (12, 20)),
        (np.uint16, (12, 20)),
        (np.float16, (12, 20)),
        (np.float32, (12, 20)),
        (np.float32, (1, 20)),  # a line, as Leginon's radial averages are
    ],
)
def test_mrc_files_of_all_modes_read(tmp_path: Path, dtype: type, shape: tuple) -> None:
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(data)
    np.testing.assert_array_equal(
        Micrograph("a", tmp_path / "a.mrc").read(), data.astype(np.float32)
    )


def test_an_mrc_of_an_old_program_reads(tmp_path: Path) -> None:
    """Without the MAP mark and machine stamp, which came with MRC2000."""
    data = np.arange(240, dtype=np.float32).reshape(12, 20)
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(data)
    content = bytearray((tmp_path / "a.mrc").read_bytes())
    content[208:216] = bytes(8)
    (tmp_path / "old.mrc").write_bytes(content)
    np.testing.assert_array_equal(Micrograph("old", tmp_path / "old.mrc").read(), data)
