"""Image files: whatever a file is, it is an image of bounded size or refused with a reason."""

from __future__ import annotations

import io
import random
import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from fuzzing import peak_gigabytes
from PIL import Image

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.images import (
    image_shape_px,
    mrcs_sections,
    open_image,
    open_pixel_size_ang,
    stored_image,
)
from napari_pickeroptimizer.io.stored_image import MAX_IMAGE_PX

IMAGE = np.arange(30, dtype=np.float32).reshape(5, 6)  # 5 rows, 6 columns


def write_mrc(path: Path, data: np.ndarray = IMAGE, **words: int | float) -> Path:
    """Write an MRC file, and set 4-byte words of its header: ``at_28=1`` is mx."""
    with mrcfile.new(path) as mrc:
        mrc.set_data(data)
        mrc.voxel_size = 2.0
    with path.open("r+b") as file:
        for at, value in words.items():
            file.seek(int(at.removeprefix("at_")))
            file.write(struct.pack("<i" if isinstance(value, int) else "<f", value))
    return path


def is_refused(path: Path, section: int = 0) -> str:
    """Check that an image is refused on reading, in parts too; return the reason."""
    with pytest.raises(MicrographReadError) as refused:
        open_image(path, section)
    with pytest.raises(MicrographReadError):
        stored_image(path, section)
    return str(refused.value)


class TestMrcHeader:
    @pytest.mark.parametrize(
        "words",
        [
            {"at_0": 200_000, "at_4": 200_000},
            {"at_0": 2**31 - 1, "at_4": 2**31 - 1, "at_8": 2**31 - 1},  # overflows 64 bits
            {"at_0": -6},
            {"at_4": 0},
            {"at_92": -2000},  # the extended header
            {"at_92": 2**31 - 1},
        ],
    )
    def test_sizes_that_the_file_does_not_hold_are_refused(self, tmp_path, words) -> None:
        path = write_mrc(tmp_path / "a.mrc", **words)
        assert "truncated or damaged" in is_refused(path)
        with pytest.raises(MicrographReadError, match="truncated or damaged"):
            image_shape_px(path, 0)

    def test_a_stack_has_no_more_sections_than_the_file_holds(self, tmp_path) -> None:
        assert mrcs_sections(write_mrc(tmp_path / "a.mrcs", at_8=2**31 - 1)) == 1

    def test_an_image_beyond_the_limit_is_refused_unread(self, tmp_path) -> None:
        path = write_mrc(tmp_path / "a.mrc", at_0=20_000, at_4=20_000)
        with path.open("r+b") as file:
            file.truncate(1024 + 4 * 20_000**2)  # sparse
        assert "20000 x 20000" in is_refused(path)
        assert str(MAX_IMAGE_PX) in is_refused(path)

    @pytest.mark.parametrize("axes", [(2, 1, 3), (1, 3, 2), (3, 2, 1), (1, 1, 3), (9, 2, 3)])
    def test_other_axes_than_columns_rows_sections_are_refused(self, tmp_path, axes) -> None:
        words = {f"at_{64 + 4 * i}": axis for i, axis in enumerate(axes)}
        assert f"{axes}" in is_refused(write_mrc(tmp_path / "a.mrc", **words))

    def test_axes_that_are_not_set_are_the_usual_ones(self, tmp_path) -> None:
        path = write_mrc(tmp_path / "a.mrc", at_64=0, at_68=0, at_72=0)
        assert open_image(path, 0).tolist() == IMAGE.tolist()


BYTES = np.array([[0, 1, 100], [127, 128, 255]], np.uint8)


class TestBytes:
    """Mode 0: signed in the standard, unsigned where IMOD or the values say so."""

    @pytest.mark.parametrize(
        ("words", "signed"),
        [
            ({"at_76": -128.0, "at_80": 127.0}, True),
            ({"at_76": 0.0, "at_80": -1.0}, True),  # statistics that are not set
            ({"at_152": 1146047817, "at_156": 0}, False),
            ({"at_152": 1146047817, "at_156": 1}, True),
            ({"at_152": 1146047817, "at_156": 4}, False),  # another flag
            ({"at_76": 0.0, "at_80": 255.0}, False),
            ({"at_76": 0.0, "at_80": 3000.0}, True),  # statistics of other data
        ],
    )
    def test_signed_or_unsigned(self, tmp_path, words, signed) -> None:
        path = write_mrc(tmp_path / "a.mrc", BYTES.view(np.int8), **words)
        expected = BYTES.view(np.int8) if signed else BYTES
        assert open_image(path, 0).tolist() == expected.tolist()

    def test_two_pixels_a_byte_are_refused(self, tmp_path) -> None:
        path = write_mrc(tmp_path / "a.mrc", BYTES.view(np.int8), at_152=1146047817, at_156=16)
        assert "packed 4-bit" in is_refused(path)


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ({}, 2.0),
        ({"at_28": 1, "at_32": 1, "at_36": 1}, None),  # mx, my, mz: one interval
        ({"at_28": 0, "at_32": 0}, None),
        ({"at_28": -6, "at_32": -5}, None),
        ({"at_40": 0.0, "at_44": 0.0}, None),  # the cell
        ({"at_40": -12.0, "at_44": -10.0}, None),
        ({"at_40": float("nan"), "at_44": float("inf")}, None),
        ({"at_40": 7560.0, "at_44": 7560.0}, None),  # 1,260 Å
        ({"at_40": 1e-6, "at_44": 1e-6}, None),
        ({"at_28": 1, "at_32": 5}, 2.0),  # y tells
    ],
)
def test_a_pixel_size_that_is_missing_or_absurd_is_unknown(tmp_path, words, size) -> None:
    assert open_pixel_size_ang(write_mrc(tmp_path / "a.mrc", **words)) == size


def test_a_file_that_shrinks_after_it_was_opened_is_an_error(tmp_path) -> None:
    image = np.ones((300, 300), np.float32)
    tifffile.imwrite(tmp_path / "a.tif", image)
    for path in (write_mrc(tmp_path / "a.mrc", image), tmp_path / "a.tif"):
        stored = stored_image(path, 0)
        assert stored is not None
        assert stored[298:300, 0:2].tolist() == [[1, 1], [1, 1]]
        with path.open("r+b") as file:
            file.truncate(5000)
        with pytest.raises(MicrographReadError, match="has been cut"):
            stored[298:300]


@pytest.mark.parametrize(
    ("dtype", "n", "is_used"),
    [("<f4", 30, True), ("<f4", 40, True), ("<f4", 29, False), ("<i2", 30, False)],
)
def test_an_image_is_read_into_memory_that_fits_and_is_the_same_in_any(
    tmp_path, dtype, n, is_used
) -> None:
    image = np.arange(30).reshape(5, 6).astype(dtype)
    stored = stored_image(write_mrc(tmp_path / "a.mrc", image), 0)
    assert stored is not None
    memory = np.zeros(n, np.float32)
    read = stored.read(memory)
    np.testing.assert_array_equal(read, image)
    assert np.shares_memory(read, memory) is is_used
    np.testing.assert_array_equal(replace(stored, flip_y=True).read(memory), image[::-1])
    with (tmp_path / "a.mrc").open("r+b") as file:
        file.truncate(1030)
    with pytest.raises(MicrographReadError, match="has been cut"):
        stored.read(memory)


@pytest.mark.parametrize("flip_y", [False, True])
def test_parts_of_a_stored_image_are_those_of_the_whole(tmp_path, flip_y) -> None:
    stored = stored_image(write_mrc(tmp_path / "a.mrc"), 0)
    assert stored is not None
    stored, whole = replace(stored, flip_y=flip_y), IMAGE[::-1] if flip_y else IMAGE
    assert stored[1:3].tolist() == whole[1:3].tolist()
    assert stored[2:5, 1:4].tolist() == whole[2:5, 1:4].tolist()
    assert stored[3:3].shape == (0, 6)
    np.testing.assert_array_equal(stored, whole)


def png_bomb(path: Path, side: int) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(10**6), 9)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def tiff_bomb(path: Path, side: int, packed: bytes) -> Path:
    tags = [
        (256, side), (257, side), (258, 8), (259, 8), (262, 1),
        (273, 8), (277, 1), (278, side), (279, len(packed)),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = struct.pack("<I", 8 + len(packed))
    path.write_bytes(
        b"II*\0" + start + packed + struct.pack("<H", len(tags)) + entries + bytes(4)
    )
    return path


class TestBombs:
    def test_pictures_that_say_they_are_enormous(self, tmp_path) -> None:
        assert "60000 x 60000" in is_refused_picture(png_bomb(tmp_path / "a.png", 60_000))
        packed = zlib.compress(bytes(10**6), 9)
        assert "60000 x 60000" in is_refused(tiff_bomb(tmp_path / "a.tif", 60_000, packed))

    def test_a_small_tiff_whose_strip_unpacks_to_much_more(self, tmp_path) -> None:
        packed = zlib.compress(bytes(80 * 2**20), 1)
        assert "unpacks to more" in is_refused_picture(
            tiff_bomb(tmp_path / "a.tif", 100, packed)
        )

    @pytest.mark.parametrize("compression", ["zlib", "lzma"])
    def test_compressed_images_in_one_strip_are_read(self, tmp_path, compression) -> None:
        image = np.random.default_rng(0).integers(0, 255, (700, 900), dtype=np.uint8)
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, image, compression=compression, rowsperstrip=700)
        np.testing.assert_array_equal(open_image(path, 0), image)
        assert stored_image(path, 0) is None

    def test_numbers_that_are_no_grey_levels(self, tmp_path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", IMAGE.astype(np.complex64))
        assert "no real numbers" in is_refused(tmp_path / "a.tif")


def is_refused_picture(path: Path) -> str:
    """As `is_refused`, of files that cannot be read in parts."""
    with pytest.raises(MicrographReadError) as refused:
        open_image(path, 0)
    return str(refused.value)


def valid_files() -> dict[str, bytes]:
    image = np.random.default_rng(1).integers(0, 255, (40, 50), dtype=np.uint8)
    files = {}
    for suffix in (".png", ".jpg"):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, {".png": "PNG", ".jpg": "JPEG"}[suffix])
        files[suffix] = stream.getvalue()
    for name, options in {"plain": {}, "zlib": {"compression": "zlib"}}.items():
        stream = io.BytesIO()
        tifffile.imwrite(stream, image, **options)
        files[f"{name}.tif"] = stream.getvalue()
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, 50, 40, 1, 2)
    struct.pack_into("<3i3f", header, 28, 50, 40, 1, 100.0, 80.0, 2.0)
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    header[208:216] = b"MAP DD\0\0"
    files[".mrc"] = files[".mrcs"] = bytes(header) + image.astype("<f4").tobytes()
    return files


FILES = valid_files()


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Flip bytes (mostly of the header), cut, or repeat a part."""
    damage = bytearray(data)
    match rng.randrange(4):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            at = rng.randrange(len(data))
            return data[:at] + data[rng.randrange(len(data)) :]
        case 2:
            for _ in range(rng.randint(1, 8)):
                damage[rng.randrange(len(damage))] = rng.randrange(256)
        case _:
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(0, min(220, len(damage) - 4))
                damage[at : at + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4), rng.randbytes(4)]
                )
    return bytes(damage)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_give_an_image_or_our_own_error(tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    path = tmp_path / f"a{name}"
    before = peak_gigabytes()
    for _ in range(300):
        path.write_bytes(damaged(FILES[name], rng))
        open_pixel_size_ang(path)
        assert mrcs_sections(path) >= 1
        with suppress(MicrographReadError):
            ny, nx = open_image(path, 0).shape
            assert 0 < ny * nx <= MAX_IMAGE_PX
        with suppress(MicrographReadError):
            assert image_shape_px(path, 0)
        with suppress(MicrographReadError):
            stored_image(path, 0)
    assert peak_gigabytes() - before < 2
