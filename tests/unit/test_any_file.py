"""Any file is understood or refused in words, in memory that is bounded by its size."""

from __future__ import annotations

import bz2
import gzip
import json
import struct
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from fuzzing import bounded_few, edited, edits_with
from hypothesis import given
from hypothesis import strategies as st
from pick_file_samples import SAMPLES
from safetensors.numpy import save

from napari_pickeroptimizer.conversion import inspect_path, planned
from napari_pickeroptimizer.conversion.convert import WRITABLE
from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.images import open_image
from napari_pickeroptimizer.io.micrograph_files import find_micrograph_files
from napari_pickeroptimizer.io.pick_format import Given
from napari_pickeroptimizer.io.registry import SUFFIXES
from napari_pickeroptimizer.pretrain.regions import read_regions
from napari_pickeroptimizer.simulate import read_structure

pytestmark = pytest.mark.filterwarnings("ignore")  # what libraries say of damaged files

MEGABYTE = 2**20
# what modules, caches and parsers take; a parser may hold a file some times over
LEAST_BYTES, TIMES_THE_FILE = 24 * MEGABYTE, 60
TOKENS = [
    b"loop_\n", b"data_\n", b"_rlnCoordinateX\n", b"'", b'"', b";", b"#", b"\0", b"\xff", b"1e999",
    b"nan", b",", b"\t", b"\r", b"<NA>", b"9" * 400, b"\xef\xbb\xbf", b"[" * 3000, b"{", b"}", b":",
    b"2147483648", b"4294967296", b"-1", b"metafile: '>a.cs'\n", b"'S2147483647'", b"(2147483648,)",
    b'"boxes"', b"null", b"\n\n", b"  num_items: 99999999999999999999\n",
]  # fmt: skip
edits = edits_with(TOKENS) | edits_with(TOKENS, 0.2)


@contextmanager
def bounded_memory(n_bytes: int) -> Iterator[None]:
    """Fail where Python and NumPy take more memory than a file of this size may need."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LEAST_BYTES + TIMES_THE_FILE * n_bytes, f"{peak / MEGABYTE:.0f} MB"


@pytest.mark.parametrize("suffix", SUFFIXES)
@bounded_few
@given(data=st.data(), changes=st.lists(edits, min_size=1, max_size=4))
def test_a_spoilt_pick_file_is_inspected_and_converted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject, changes
) -> None:
    sample = data.draw(SAMPLES[suffix])
    folder = tmp_path_factory.mktemp("any")
    path = sample.write(folder)
    spoilt = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = edited(spoilt.read_bytes(), changes)
    spoilt.write_bytes(content)
    target = data.draw(st.sampled_from(WRITABLE))
    with bounded_memory(len(content)):
        with suppress(PickerOptimizerError):
            inspect_path(str(path))
        with suppress(PickerOptimizerError):
            find_micrograph_files(path)
        with suppress(PickerOptimizerError):
            picks = read_picks(path)
            shapes = dict.fromkeys(picks.rows_by_micrograph(), (4096, 4096))
            output = folder / "out" / f"a{target.suffixes[0]}"
            planned(picks, output, target, given=Given(64, shapes)).write()


CARD = {
    "class_ids": [1, 2], "class_names": ["particle", "carbon"], "backbone": "resnet18_half",
    "boxes": {"diameter_px": 90}, "pixel_size_ang": 1.5, "versions": {},
}  # fmt: skip
MODEL = save({"w": np.zeros(4, np.float32)}, {"card": json.dumps(CARD)})
ATOM = "ATOM      1  {:3s} GLY A   1    {:8.3f}   0.000   0.000  1.00  0.00           C\n"
PDB = "".join(ATOM.format("CA", float(x)) for x in range(0, 40, 4)).encode() + b"END\n"
REGIONS = b'{"a.mrc": {"carbon": [[[0, 0], [9, 0], [9, 9]]], "ice": [[5, 5, 2]]}}'


def small_map(folder: Path) -> bytes:
    values = np.zeros((12, 12, 12), np.float32)
    values[4:8, 4:8, 4:8] = 1
    with mrcfile.new(folder / "whole.map") as mrc:
        mrc.set_data(values)
        mrc.voxel_size = 4.0
    return (folder / "whole.map").read_bytes()


OTHERS: dict[str, Callable[[Path], object]] = {
    "a.safetensors": lambda path: inspect_path(str(path)),
    "a.pdb": read_structure,
    "a.cif": read_structure,
    "a.cif.gz": read_structure,
    "a.mrc": read_structure,
    "regions.json": read_regions,
}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    gemmi = pytest.importorskip("gemmi")
    cif = gemmi.read_pdb_string(PDB).make_mmcif_document().as_string().encode()
    data = [MODEL, PDB, cif, gzip.compress(cif, mtime=0)]
    data += [small_map(tmp_path_factory.mktemp("map")), REGIONS]
    return dict(zip(OTHERS, data, strict=True))


def test_the_other_files_that_are_spoilt_here_are_good(
    others: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
        assert OTHERS[name](tmp_path / name)


@bounded_few
@given(st.sampled_from(sorted(OTHERS)), st.lists(edits, min_size=1, max_size=3))
def test_a_spoilt_structure_model_or_list_of_regions_is_read_or_refused(
    others: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, changes
) -> None:
    path = tmp_path_factory.mktemp("spoilt") / name
    path.write_bytes(edited(others[name], changes))
    with bounded_memory(path.stat().st_size), suppress(PickerOptimizerError):
        OTHERS[name](path)


# -- small files that claim to be large --------------------------------------------------------

HUGE = 2**31


def npy(dtype: object, shape: tuple[int, ...], body: bytes = b"") -> bytes:
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


PLACES = [("uid", "<u8"), ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4")]


def mrc(nx: int, ny: int, nz: int, *, extended: int = 0, body: int = 64) -> bytes:
    words = np.zeros(256, "<i4")
    words[:4], words[23] = (nx, ny, nz, 2), extended
    words[52] = int.from_bytes(b"MAP ", "little")
    return words.tobytes() + bytes(body)


def tiff(width: int, height: int, compression: int, strip: bytes) -> bytes:
    tags = [
        (256, width), (257, height), (258, 8), (259, compression), (262, 1), (273, 8), (277, 1),
        (278, height), (279, len(strip)),
    ]  # fmt: skip
    strip += bytes(len(strip) % 2)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(strip))
    return start + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


ZEROS = bytes(64 * MEGABYTE)
CLAIMS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "rows of a .cs": ("a.cs", lambda: npy(PLACES, (HUGE,), bytes(64))),
    "a negative number of rows": ("a.cs", lambda: npy(PLACES, (-HUGE,))),
    "a column of many numbers": ("a.cs", lambda: npy([*PLACES, ("a", "<f4", (HUGE,))], (0,))),
    "a column of long text": ("a.cs", lambda: npy([*PLACES, ("a", "S2147483647")], (1,))),
    "many columns": ("a.cs", lambda: npy([(f"c{i}", "u1") for i in range(3000)], (HUGE,))),
    "nested lists": ("a.cs", lambda: npy("[" * 60000, (1,))),
    "items of a .csg": (
        "a.csg",
        lambda: b"results:\n  a:\n    metafile: '>b.cs'\n    num_items: 99999999999\n",
    ),
    "blanks in a .csg": ("a.csg", lambda: b"  metafile: a" + b" " * 30000 + b"x\n"),
    "nested lists of JSON": ("a.json", lambda: b'{"boxes": ' + b"[" * 100000),
    "a long number of JSON": ("a.json", lambda: b'{"boxes": [[' + b"9" * 100000 + b", 1]]}"),
    "columns of an .mrc": ("a.mrc", lambda: mrc(HUGE - 1, HUGE - 1, HUGE - 1)),
    "an extended header": ("a.mrc", lambda: mrc(2, 2, 1, extended=HUGE - 1)),
    "a packed .mrc": ("a.mrc.gz", lambda: gzip.compress(mrc(16384, 16384, 1), mtime=0)),
    "a packed .mrc that ends early": (
        "a.mrc.bz2", lambda: bz2.compress(mrc(4096, 4096, 1, body=0) + ZEROS[: 2**20]),
    ),
    "a packed TIFF of zeros": ("a.tif.bz2", lambda: bz2.compress(b"II*\0" + ZEROS)),
    "columns of a TIFF": ("a.tif", lambda: tiff(16384, 16384, 1, bytes(64))),
    "columns of an LZW TIFF": ("a.tif", lambda: tiff(16384, 16384, 5, bytes(64))),
    "columns of a deflated TIFF": ("a.tif", lambda: tiff(16384, 16384, 8, gzip.zlib.compress(b""))),
    "more columns than are read": ("a.tif", lambda: tiff(HUGE - 1, HUGE - 1, 1, bytes(64))),
    "the header of a model": ("a.safetensors", lambda: struct.pack("<Q", HUGE) + b"{}"),
    "a header of 2^63 bytes": ("a.safetensors", lambda: struct.pack("<Q", 2**63) + b"{}"),
    "voxels of a map": ("map.mrc", lambda: mrc(1200, 1200, 1200)),
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_small_file_that_claims_to_be_large_takes_little_memory(
    tmp_path: Path, claim: str
) -> None:
    name, made = CLAIMS[claim]
    path = tmp_path / name
    path.write_bytes(made())
    n_bytes = path.stat().st_size
    assert n_bytes < MEGABYTE
    readers: list[Callable[[Path], object]] = [lambda p: inspect_path(str(p)), read_picks]
    if name.startswith("map"):
        readers = [read_structure]
    elif name.endswith((".mrc", ".gz", ".bz2", ".tif")):
        readers = [lambda p: open_image(p, 0)]
    for read in readers:
        with bounded_memory(n_bytes), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(PickerOptimizerError, match=path.name):
                read(path)
