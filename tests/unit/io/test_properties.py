"""Properties of all table readers and writers, of any input that hypothesis thinks of.

The number of inputs is that of `fuzzing.py`.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fuzzing import bounded, edited, edits_with
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_pickeroptimizer.errors import PickerOptimizerError, PickFormatError
from napari_pickeroptimizer.io import read_picks, write_new_star, write_picks
from napari_pickeroptimizer.io.micrographs_star import read_micrographs_star
from napari_pickeroptimizer.io.star import StarDocument
from napari_pickeroptimizer.picks import Picks

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")

# -- readers: any bytes are read, or refused with one of our own errors --------------------

PARTICLES = b"""
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
'group 1' 1 1.5

data_particles

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnMicrographName #3
_rlnAutopickFigureOfMerit #4
_rlnOpticsGroup #5
1 2 a.mrc 0.5 1
3.5 4 "b c.mrc" <NA> 1
"""
COORDINATES = b"data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n3 4e1\n5 6\n"
LIST = (
    b"data_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    b"Movies/a.mrc a.star\nMovies/b.mrc b.star\n"
)
NAMES = b"data_micrographs\n\nloop_\n_rlnMicrographName #1\na.mrc\ndata_1.mrc\n'_b.mrc'\n"
CS_FIELDS = [
    ("uid", "<u8"), ("location/micrograph_path", "S8"), ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
]  # fmt: skip


def cs_table(rows: list) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(rows, dtype=CS_FIELDS))
    return buffer.getvalue()


CS = cs_table([(1, b"a.mrc", (8, 9), 0.5, 0.25, 0.5), (2, b"b.mrc", (8, 9), 0.125, 0.75, -3)])
GROUP = (
    b"group:\n  name: picks\nresults:\n  location:\n    metafile: '>member.cs'\n"
    b"    num_items: 2\n    type: particle.location\n  ctf:\n    metafile: '>member.cs'\n"
    b"    num_items: 2\n"
)
SEEDS = {
    "particles.star": PARTICLES,
    "a_autopick.star": COORDINATES,
    "autopick.star": LIST,
    "coords_suffix_autopick.star": b"Micrographs/micrographs.star\n",
    "names.star": NAMES,
    "a.box": b"10\t20\t100\t100\t0.5\n30\t40\t100\t100\tnan\n",
    "helix.box": b"10 20 100 100 -1\n30 40 100 100 -2\n",
    "a.csv": b"micrograph,x,y,label,score\na.mrc,1,2,particle,0.5\n'b.mrc',3.5,4,,\n",
    "b.csv": b'\xef\xbb\xbfx;y;probability;decided_by\r\n1;2;0.5;score\r\n"3";4;;label\r\n',
    "a.cbox": b"\ndata_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n"
    b"_CoordinateX #1\n_CoordinateY #2\n_CoordinateZ #3\n_Width #4\n_Height #5\n_Depth #6\n"
    b"_Confidence #7\n_filamentid #8\n1.5 2 <NA> 220.0 220 <NA> 0.8 <NA>\n"
    b"3 4 <NA> 10 10 <NA> nan <NA>\n\ndata_cryolo_include\n\nloop_\n_slice_index #1\n",
    "old.cbox": b"2038.9\t3839.5\t200\t200\t0.125\t211\t190\n1\t2\t4\t4\t<NA>\t4\t4\n",
    "a_info.json": b'{\n"apix": 1.5,\n"boxes": [\n[1, 2.5, "manual"],\n[3, 4, "auto_x", -0.5]\n],\n'
    b'"ctf": {"a": [1, null, true, "x\\u00e9"]}\n}\n',
    "topaz.txt": b"image_name\tx_coord\ty_coord\tscore\na\t1\t2\t-0.5\nb c\t3\t4\tnan\n",
    "a.pos": b"# XMIPP_STAR_1 * \n#\ndata_header\nloop_\n _pickingMicrographState\nSupervised\n"
    b"data_particles\nloop_\n _xcoor\n _ycoor\n 1 2 \n"
    b"data_particles_auto\nloop_\n _enabled\n _xcoor\n _ycoor\n _cost\n"
    b" 1 3 4 0.5 \n -1 5 6 0.25 \n 1 7 8 nan\n",
    "picks.cs": CS,
    "picks.csg": GROUP,
    "napari.csv": b"index,axis-0,axis-1\n0.0,20.0,10.0\n1.0,5.5,6.5\n",
}
TOKENS = [
    b"loop_\n", b"data_\n", b"data_x\n", b"_rlnCoordinateX\n", b"_a #1\n", b"'", b'"', b";\n",
    b"#", b"\0", b"\xff", b"1e999", b"nan", b",", b"\t", b"\r\n", b"\r", b"<NA>", b"-", b"_",
    b"9" * 400, b"\xef\xbb\xbf", b"@", b"../", b"~x/", b"\n\n", b"\x0c", b"\x1c", b"\x85",
    "\u2028".encode(), "\u00a0".encode(), b'""', b"'a' ", b"  ",
]  # fmt: skip
edits = edits_with(TOKENS)


def read_or_refused(read, path: Path):
    try:
        return read(path)
    except PickerOptimizerError:
        return None


def places(picks: Picks) -> pd.DataFrame:
    return picks.table.drop(columns=["source", "source_row"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fuzz")
    (root / "Micrographs").mkdir()
    (root / "Micrographs" / "micrographs.star").write_bytes(NAMES)
    for name in ("a", "b", "a_autopick", "data_1_autopick"):
        (root / f"{name}.star").write_bytes(COORDINATES)
    (root / "member.cs").write_bytes(CS)
    return root


@bounded
@given(st.sampled_from(sorted(SEEDS)), st.lists(edits, max_size=4))
def test_any_file_is_read_or_refused_and_what_was_read_can_be_written_and_read_again(
    folder: Path, name: str, changes
) -> None:
    kept = (folder / name).read_bytes() if (folder / name).exists() else None
    try:
        (folder / name).write_bytes(edited(SEEDS[name], changes))
        read_or_refused(read_micrographs_star, folder / name)
        picks = read_or_refused(read_picks, folder / name)
        if picks is None:
            return
        (folder / "out").mkdir(exist_ok=True)
        is_tree = picks.file_list is not None
        output = folder / "out" if is_tree else folder / "out" / name
        written = write_picks(picks, output)
        again = read_picks(written[-1])
        pd.testing.assert_frame_equal(places(again), places(picks), check_dtype=False)
    finally:
        (folder / name).unlink()
        if kept is not None:
            (folder / name).write_bytes(kept)


# -- writers: hostile names are read back identical, or refused ----------------------------

hostile_parts = st.sampled_from(
    [" ", "'", '"', "#", "_", ";", "data_", "loop_", "$", "@", ",", "\t", "\n", "\r", "\u00a0",
     "\u2028", "\x85", "\x1c", "\x0c", "\x07", "\ufeff", "=", "-", "a", "b.mrc", "\u00b5", "nan",
     "<NA>", "\udcff"]
)  # fmt: skip
hostile_names = st.lists(hostile_parts | st.text(max_size=2), min_size=1, max_size=5).map(
    "".join
)


TREE_TEXTS = {
    ".box": "10 20 8 8 0.5\n",
    ".star": "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n14 24\n",
    ".csv": "x,y\n14,24\n",
}


def has_no_place_in_a_row(name: str) -> bool:
    controls = any((ord(c) < 32 and c != "\t") or c == "\x7f" for c in name)
    return controls or any(0xD800 <= ord(c) < 0xE000 for c in name)


def has_no_place_in_a_star(name: str) -> bool:
    unquotable = all(f"{mark} " in name or f"{mark}\t" in name for mark in "\"'")
    return unquotable or has_no_place_in_a_row(name)


def read_back(write, output: Path) -> tuple[list[str], list[list[float]]] | str:
    """Return names and places that were read back, or that writing was refused."""
    try:
        write(output)
    except PickFormatError:
        return "refused, and something written" if output.exists() else "refused"
    again = read_picks(output)
    return again.table["micrograph"].tolist(), again.coords_yx_px().tolist()


@bounded
@given(st.lists(hostile_names, min_size=1, max_size=4))
def test_a_new_star_gives_names_back_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    x, y = np.arange(len(names)) + 0.5, np.arange(len(names)) * 2.25

    def write(output: Path) -> None:
        write_new_star(Picks.from_arrays(names, x, y, label=1), output)

    back = read_back(write, tmp_path_factory.mktemp("new") / "new.star")
    refused = any(map(has_no_place_in_a_star, names))
    assert back == ("refused" if refused else (names, np.column_stack([y, x]).tolist()))


@bounded
@given(st.lists(hostile_names, min_size=2, max_size=4))
def test_blocks_of_the_starfile_package_give_names_back_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    x = np.arange(len(names)) + 0.5
    names = [name.replace("\udcff", "") for name in names]  # no DataFrame has them
    block = pd.DataFrame({"rlnMicrographName": names, "rlnCoordinateX": x})
    picks = Picks.from_starfile(block.assign(rlnCoordinateY=1.5))
    output = tmp_path_factory.mktemp("frame") / "new.star"
    back = read_back(partial(write_picks, picks), output)
    refused = any(has_no_place_in_a_star(n) or n.splitlines() not in ([], [n]) for n in names)
    refused |= any("\t" in name for name in names)
    assert back == ("refused" if refused else (names, picks.coords_yx_px().tolist()))


@bounded
@given(hostile_names, st.sampled_from(sorted(TREE_TEXTS)))
def test_a_tree_of_files_with_hostile_names_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, suffix: str
) -> None:
    assume(not {"/", "\0", "\udcff"} & set(name))  # no file has them, or its name is no text
    root = tmp_path_factory.mktemp("tree")
    (root / "in").mkdir()
    for stem in (f"a{name}", "other"):
        (root / "in" / f"{stem}{suffix}").write_text(TREE_TEXTS[suffix])
    picks = read_picks(root / "in")
    write_picks(picks.with_labels(1), root / "out")
    again = read_picks(root / "out")
    assert again.table["micrograph"].tolist() == picks.table["micrograph"].tolist()
    assert again.coords_yx_px().tolist() == [[24.0, 14.0]] * 2


@bounded
@given(hostile_names, st.sampled_from([",", ";", "\t"]))
def test_added_text_of_a_csv_is_read_back_or_refused(
    tmp_path_factory: pytest.TempPathFactory, reason: str, delimiter: str
) -> None:
    root = tmp_path_factory.mktemp("csv")
    (root / "a.csv").write_text(delimiter.join("xy") + f"\n1{delimiter}2\n3{delimiter}4\n")
    picks = read_picks(root / "a.csv")
    columns = {"poSuggestionReason": np.array([reason, "plain"], dtype=object)}
    try:
        write_picks(picks, root / "out.csv", columns=columns)
        back = read_picks(root / "out.csv").table["suggestion_reason"].tolist()
    except PickFormatError:
        back = ["refused"]
    expected = [reason.strip(" \t"), "plain"]  # blanks around a value do not count
    assert back == (["refused"] if has_no_place_in_a_row(reason) else expected)


# -- the two paths of the STAR reader ------------------------------------------------------

values = st.lists(
    st.sampled_from(["1", "a.mrc", "'", '"', "#", "'a b'", '"c"', "it's", "x#1", "_", "data_",
                     "\u00a0", "\u2028", "\x85", "\ufeff", "-1e5", "<NA>", "\u00b5m", ";"])
    | st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)  # fmt: skip
gaps = st.sampled_from([" ", "\t", "  ", " \t "])
rows = st.tuples(
    st.sampled_from(["", " ", "\t"]), values, gaps, st.sampled_from(["", " ", "\r"])
)
N_PLAIN = 1200  # enough rows that pandas reads them


@bounded
@given(st.integers(1, 4), st.lists(rows, min_size=1, max_size=3))
def test_a_row_means_the_same_in_a_small_table_and_in_a_large_one(
    n_columns: int, rows
) -> None:
    odd = [indent + gap.join(fields) + end for indent, fields, gap, end in rows]
    plain = [" ".join(["p"] * n_columns)]
    labels = [f"_c{i} #{i + 1}" for i in range(n_columns)]

    def parsed(rows: list[str]) -> list[list[str]] | None:
        text = "\n".join(["data_", "", "loop_", *labels, *rows, ""])
        try:
            document = StarDocument.parse(text, Path("a.star"))
            block = document.blocks[0]
            table = document.strings(block, [f"c{i}" for i in range(n_columns)])
        except PickFormatError:
            return None
        return [list(row) for row in zip(*table.values(), strict=True)]

    small, large = parsed(plain + odd + plain), parsed(plain + odd + plain * N_PLAIN)
    more = [["p"] * n_columns] * (N_PLAIN - 1)
    assert large == (None if small is None else small + more)
