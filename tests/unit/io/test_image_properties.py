"""Any image file is read, or refused with our own error, in bounded time and memory."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from fuzzing import bounded, edited, edits_with
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.image_names import image_suffix
from napari_pickeroptimizer.io.images import (
    image_shape_px,
    mrcs_sections,
    open_image,
    open_pixel_size_ang,
    stored_image,
)

GREYS = np.arange(12 * 9).reshape(12, 9)
MRC_TYPES = ("int8", "int16", "float32", "uint16", "float16")
SUFFIXES = (".png", ".tif", ".mrc", ".mrcs", ".mrc.gz", ".tif.bz2")
# what programs write into headers, and what they should not
WORDS = [
    *(n.to_bytes(4, "little", signed=True) for n in (0, 1, -1, 3, 2**31 - 1, -(2**31), 65536)),
    *(np.float32(x).tobytes() for x in (np.nan, np.inf, -1.8, 1e30, 1e-30)),
    b"\xff" * 8, b"MAP ", b"CCP4", b"\x44\x44\0\0", b"\x11\x11\0\0",
]  # fmt: skip
MOST_PX = 4 * GREYS.size


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One small image as each kind of file."""
    root = tmp_path_factory.mktemp("images")
    for kind in MRC_TYPES:
        with mrcfile.new(root / f"{kind}.mrc") as mrc:
            mrc.set_data(GREYS.astype(kind))
            mrc.voxel_size = 1.8
    with mrcfile.new(root / "stack.mrcs") as mrc:
        mrc.set_data(np.stack([GREYS, GREYS]).astype(np.float32))
    image = Image.fromarray(GREYS.astype(np.uint8))
    image.save(root / "a.png")
    image.save(root / "plain.tif")
    image.save(root / "packed.tif", compression="tiff_adobe_deflate")
    image.save(root / "lzw.tif", compression="tiff_lzw", tiffinfo={317: 2})
    tifffile.imwrite(root / "big.tif", GREYS.astype(np.float16), bigtiff=True)
    whole = (root / "float32.mrc").read_bytes()
    (root / "a.mrc.gz").write_bytes(gzip.compress(whole, mtime=0))
    (root / "a.tif.bz2").write_bytes(bz2.compress((root / "plain.tif").read_bytes()))
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def test_the_files_that_are_spoilt_here_are_good(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    assert len(files) == 13
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert np.array_equal(open_image(tmp_path / name, 0), GREYS), name


@pytest.mark.filterwarnings("ignore")  # what the libraries say of damaged files is no matter
@bounded
@given(st.data(), st.lists(edits_with(WORDS) | edits_with(WORDS, 0.2), max_size=3))
def test_an_image_is_read_or_refused(
    files: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    changes,
) -> None:
    name = data.draw(st.sampled_from(sorted(files)))
    suffix = data.draw(st.sampled_from((image_suffix(name), *SUFFIXES)))
    path = tmp_path_factory.mktemp("fuzzed") / f"fuzzed{suffix}"
    path.write_bytes(edited(files[name], changes))
    size = open_pixel_size_ang(path)
    assert size is None or 0 < size < 1e4
    assert mrcs_sections(path) >= 1
    try:
        shape = image_shape_px(path, 0)
        image = open_image(path, 0)
        stored = stored_image(path, 0)
    except MicrographReadError:
        return
    assert image.shape == shape
    assert 0 < image.size <= MOST_PX + len(files[name])
    if stored is not None:
        assert np.array_equal(np.asarray(stored), image, equal_nan=True)
