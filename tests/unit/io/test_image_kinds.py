"""Micrographs as they come: each kind of file gives its pixels, or says what it is instead."""

from __future__ import annotations

import bz2
import gzip
import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.image_names import IMAGE_SUFFIXES, image_suffix
from napari_pickeroptimizer.io.images import (
    image_shape_px,
    mrcs_sections,
    open_image,
    open_pixel_size_ang,
    stored_image,
)
from napari_pickeroptimizer.micrographs import Micrographs

GREYS = np.arange(40 * 30).reshape(40, 30) % 120
NOISE = np.random.default_rng(0).normal(0, 50, (40, 30))
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
PACK = {".gz": gzip.compress, ".bz2": bz2.compress}


def mrc_bytes(
    image: np.ndarray, mode: int, order: str = "<", stamp: bytes = b"DD", extended: int = 0
) -> bytes:
    """Write an MRC file by hand, after the MRC2014 description."""
    nz, ny, nx = (1, *image.shape)[-3:]
    header = bytearray(1024)
    struct.pack_into(f"{order}10i", header, 0, nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)
    struct.pack_into(f"{order}3f", header, 40, 1.5 * nx, 1.5 * ny, 1.5 * nz)
    struct.pack_into(f"{order}3i", header, 64, 1, 2, 3)
    struct.pack_into(f"{order}i", header, 92, extended)
    header[208:216] = b"MAP " + stamp.ljust(4, b"\0")
    return bytes(header) + bytes(range(256)) * (extended // 256) + image.tobytes()


def refusal(path: Path, section: int = 0) -> str:
    with pytest.raises(MicrographReadError) as refused:
        open_image(path, section)
    message = str(refused.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("stamp", [b"DD", b"DA", b"\x11\x11", b"\0\0DD", b""])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_both_byte_orders_whatever_the_stamp_says(
    tmp_path: Path, mode: int, order: str, stamp: bytes
) -> None:
    path = tmp_path / "a.mrc"
    image = (NOISE if mode in (2, 12) else GREYS).astype(order + MODES[mode])
    path.write_bytes(mrc_bytes(image, mode, order, stamp, extended=1024))
    assert np.array_equal(open_image(path, 0), image)
    assert image_shape_px(path, 0) == (40, 30)
    assert open_pixel_size_ang(path) == 1.5
    stored = stored_image(path, 0)
    assert stored is not None
    assert np.array_equal(stored[3:7, 2:9], image[3:7, 2:9])


@pytest.mark.parametrize(
    ("mode", "says"), [(3, "Fourier"), (4, "Fourier"), (16, "colour"), (101, "packed 4-bit")]
)
def test_other_modes_are_refused_by_name(tmp_path: Path, mode: int, says: str) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc_bytes(NOISE.astype("c8"), mode))
    assert f"MRC mode {mode} " in refusal(path)
    assert says in refusal(path)


def test_a_file_with_room_for_more_images_than_its_header_says_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.mrc"
    image = NOISE.astype("f4")
    path.write_bytes(mrc_bytes(image, 2) + image.tobytes() * 3)
    assert "room for 3 more" in refusal(path)
    path.write_bytes(mrc_bytes(image, 2) + bytes(500))  # padding
    assert np.array_equal(open_image(path, 0), image)


class TestPacked:
    @pytest.mark.parametrize("packer", PACK)
    def test_mrc(self, tmp_path: Path, packer: str) -> None:
        path = tmp_path / f"A.MRC{packer}"
        image = NOISE.astype(">f4")
        path.write_bytes(PACK[packer](mrc_bytes(image, 2, ">", extended=512)))
        assert np.array_equal(open_image(path, 0), image)
        assert image_shape_px(path, 0) == (40, 30)
        assert open_pixel_size_ang(path) == 1.5
        assert stored_image(path, 0) is None
        open_image(path, 0)[0, 0] = 1  # as any other image, it may be changed

    @pytest.mark.parametrize("packer", PACK)
    def test_tiff(self, tmp_path: Path, packer: str) -> None:
        tifffile.imwrite(tmp_path / "a.tif", NOISE.astype("f2"))
        path = tmp_path / f"a.tif{packer}"
        path.write_bytes(PACK[packer]((tmp_path / "a.tif").read_bytes()))
        assert np.array_equal(open_image(path, 0), NOISE.astype("f2"))
        assert image_shape_px(path, 0) == (40, 30)
        assert stored_image(path, 0) is None

    def test_one_section_of_a_stack(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mrcs.gz"
        stack = np.stack([NOISE, NOISE + 1, NOISE + 2]).astype("f4")
        path.write_bytes(gzip.compress(mrc_bytes(stack, 2)))
        assert mrcs_sections(path) == 3
        found = Micrographs.find(tmp_path)
        assert found.names == [f"00000{i}@a.mrcs.gz" for i in (1, 2, 3)]
        assert np.array_equal(found["000003@a.mrcs.gz"].read(), stack[2])
        with pytest.raises(MicrographReadError, match="no slice 4"):
            open_image(path, 3)

    @pytest.mark.parametrize("packer", PACK)
    def test_what_is_cut_or_damaged_is_refused(self, tmp_path: Path, packer: str) -> None:
        path = tmp_path / f"a.mrc{packer}"
        whole = PACK[packer](mrc_bytes(NOISE.astype("f4"), 2))
        path.write_bytes(whole[:-200])
        assert "damaged" in refusal(path)
        path.write_bytes(PACK[packer](mrc_bytes(NOISE.astype("f4"), 2)[:-200]))
        assert "truncated" in refusal(path)
        path.write_bytes(mrc_bytes(NOISE.astype("f4"), 2))  # not packed at all
        assert "cannot be unpacked" in refusal(path)

    @pytest.mark.parametrize("packer", PACK)
    def test_sizes_that_no_such_file_can_hold_are_refused(
        self, tmp_path: Path, packer: str
    ) -> None:
        path = tmp_path / f"a.mrc{packer}"
        data = bytearray(mrc_bytes(np.zeros((40, 30), "f4"), 2))
        struct.pack_into("<2i", data, 0, 16_000, 16_000)
        path.write_bytes(PACK[packer](bytes(data)))
        assert "truncated or damaged" in refusal(path)
        tiff = tmp_path / f"a.tif{packer}"
        tiff.write_bytes(PACK[packer](bytes(30_000_000)))
        if tiff.stat().st_size * 1400 < 30_000_000:
            assert "unpacks to more" in refusal(tiff)
        else:
            assert "cannot be read as an image" in refusal(tiff)

    def test_in_a_folder_the_unpacked_one_is_taken_and_a_name_without_packer_fits(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a.mrc.gz").write_bytes(gzip.compress(mrc_bytes(NOISE.astype("f4"), 2)))
        (tmp_path / "a.png").write_bytes(b"")
        found = Micrographs.find(tmp_path)
        assert found.names == ["a.mrc.gz"]
        for name in ("a", "a.mrc", "Micrographs/a_autopick"):
            assert found.resolve(name).path == tmp_path / "a.mrc.gz"
        (tmp_path / "a.mrc").write_bytes(mrc_bytes(GREYS.astype("f4"), 2))
        assert Micrographs.find(tmp_path).names == ["a.mrc"]


TIFF_TYPES = ("u1", "u2", "i2", "i4", "f2", "f4", "f8")


class TestTiff:
    @pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
    @pytest.mark.parametrize("kind", TIFF_TYPES)
    def test_numbers_of_all_kinds(self, tmp_path: Path, kind: str, options: dict) -> None:
        image = (NOISE if kind[0] == "f" else GREYS).astype(kind)
        tifffile.imwrite(tmp_path / "a.tif", image, **options)
        assert np.array_equal(open_image(tmp_path / "a.tif", 0), image)

    @pytest.mark.parametrize("predictor", [1, 2])
    @pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4"])
    def test_lzw_as_libtiff_writes_it(self, tmp_path: Path, kind: str, predictor: int) -> None:
        image = (NOISE if kind == "f4" else GREYS).astype(kind)
        options = {"compression": "tiff_lzw", "tiffinfo": {317: predictor}}
        if kind == "f4" and predictor == 2:
            options["tiffinfo"] = {317: 3}
        Image.fromarray(image).save(tmp_path / "a.tif", **options)
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            assert tiff.pages[0].compression == 5
            assert tiff.pages[0].predictor == options["tiffinfo"][317]
        assert np.array_equal(open_image(tmp_path / "a.tif", 0), image)
        assert stored_image(tmp_path / "a.tif", 0) is None

    def test_lzw_in_many_strips(self, tmp_path: Path) -> None:
        image = np.random.default_rng(1).integers(0, 9, (701, 600), dtype=np.uint8)
        Image.fromarray(image).save(
            tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={278: 50}
        )
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            assert len(tiff.pages[0].dataoffsets) > 1  # how many is for Pillow to say
        assert np.array_equal(open_image(tmp_path / "a.tif", 0), image)

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("kind", ["u2", "f2", "f4"])
    def test_lzw_tiles_of_any_numbers(self, tmp_path: Path, kind: str, order: str) -> None:
        """Tiles that LZW packs one by one, put in place of those of an uncompressed file."""
        path = tmp_path / "a.tif"
        image = (GREYS if kind == "u2" else NOISE).astype(kind)
        tifffile.imwrite(path, image, tile=(16, 16), byteorder=order)
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            places, counts = page.tags[324], page.tags[325]
            compression = page.tags[259].valueoffset
            parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        data = bytearray(path.read_bytes())
        for i, (offset, size) in enumerate(parts):
            raw = np.frombuffer(bytes(data[offset : offset + size]), np.uint8)
            packed = lzw_packed(raw.reshape(16, -1), tmp_path / "tile.tif")
            for tag, value in ((places, len(data)), (counts, len(packed))):
                code, size = {3: ("H", 2), 4: ("I", 4)}[tag.dtype]
                struct.pack_into(f"{order}{code}", data, tag.valueoffset + size * i, value)
            data += packed
        struct.pack_into(f"{order}H", data, compression, 5)
        path.write_bytes(data)
        assert len(parts) == 6
        assert np.array_equal(open_image(path, 0), image)

    def test_a_cut_lzw_strip_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        Image.fromarray(GREYS.astype("u1")).save(path, compression="tiff_lzw")
        data = bytearray(path.read_bytes())
        with tifffile.TiffFile(path) as tiff:
            counts = tiff.pages[0].tags[279]
            offset, form = counts.valueoffset, "<H" if counts.dtype == 3 else "<I"
        struct.pack_into(form, data, offset, 40)
        path.write_bytes(data)
        refusal(path)

    def test_what_needs_imagecodecs_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, GREYS.astype("u1"))
        with tifffile.TiffFile(path) as tiff:
            place = tiff.pages[0].tags[259].valueoffset
        data = bytearray(path.read_bytes())
        struct.pack_into("<H", data, place, 50000)
        path.write_bytes(data)
        assert "packed by ZSTD" in refusal(path)
        assert "pip install imagecodecs" in refusal(path)

    def test_two_images_in_one_file_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(GREYS.astype("u1"))
            tiff.write(NOISE.astype("f4"))
        assert "holds 2 images" in refusal(path)


def lzw_packed(rows: np.ndarray, path: Path) -> bytes:
    """Pack bytes as libtiff does."""
    Image.fromarray(rows).save(path, compression="tiff_lzw", tiffinfo={278: len(rows), 317: 1})
    with tifffile.TiffFile(path) as tiff:
        ((offset, size),) = zip(
            tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts, strict=True
        )
    return path.read_bytes()[offset : offset + size]


class TestNoMicrograph:
    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("a_20261003_EER.eer", "is an EER movie"),
            ("20200925_EER_GainReference.gain", "is a gain reference"),
            ("K3-2.dm4", "DigitalMicrograph"),
            ("a.hdf", "EMAN2 HDF"),
            ("tilt.st", "tilt series"),
            ("map.map", "three-dimensional map"),
            ("map.map.bz2", "three-dimensional map"),
            ("gain.mrc", "gain reference"),
            ("x_gain.tif", "gain reference"),
            ("gain_ref_flipy.mrc", "gain reference"),
            ("SuperRef_sess1.mrc", "gain reference"),
            ("CountRef_sess1.mrc.gz", "gain reference"),
        ],
    )
    def test_names_that_say_what_a_file_is(self, tmp_path: Path, name: str, says: str) -> None:
        (tmp_path / name).write_bytes(mrc_bytes(NOISE.astype("f4"), 2))
        assert says in refusal(tmp_path / name)
        if not image_suffix(name):
            with pytest.raises(MicrographReadError, match=says):
                Micrographs.find(tmp_path / name)

    @pytest.mark.parametrize(
        "name", ["a_gain_corrected.mrc", "again.mrc", "gain_0001.mrc", "a_fractions.mrc"]
    )
    def test_names_of_micrographs_that_hold_such_a_word(
        self, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(mrc_bytes(NOISE.astype("f4"), 2))
        assert open_image(tmp_path / name, 0).shape == (40, 30)

    @pytest.mark.parametrize(
        ("name", "n", "says"),
        [
            ("a.mrc", 5, "a movie or a stack"),
            ("a_fractions.mrc", 5, "a movie by its name"),
            ("a.frames.mrcs", 5, "a movie by its name"),
            ("a.mrc", 40, "three-dimensional map"),
        ],
    )
    def test_stacks_that_are_no_micrographs(
        self, tmp_path: Path, name: str, n: int, says: str
    ) -> None:
        stack = np.stack([NOISE] * n).astype("f4")
        (tmp_path / name).write_bytes(mrc_bytes(stack, 2))
        assert says in refusal(tmp_path / name)
        assert f"{n} sections of 30 x 40" in refusal(tmp_path / name)

    def test_movies_and_colours_as_tiff(self, tmp_path: Path) -> None:
        movie = np.stack([GREYS] * 5).astype("u1")
        tifffile.imwrite(tmp_path / "a.tif", movie, photometric="minisblack")
        assert "motion-corrected average" in refusal(tmp_path / "a.tif")
        assert np.array_equal(open_image(tmp_path / "a.tif", 2), movie[2])
        colours = np.zeros((40, 30, 3), np.uint8)
        tifffile.imwrite(tmp_path / "b.tif", colours, photometric="rgb")
        assert "picture in colour (30 x 40 pixels" in refusal(tmp_path / "b.tif")


def test_every_suffix_has_one_meaning() -> None:
    assert len(set(IMAGE_SUFFIXES)) == len(IMAGE_SUFFIXES)
    assert [image_suffix(f"a{s.upper()}") for s in IMAGE_SUFFIXES] == list(IMAGE_SUFFIXES)


def test_mrcfile_agrees(tmp_path: Path) -> None:
    """Files that mrcfile writes, packed by it, read as it reads them."""
    for suffix, compression in ((".mrc", None), (".mrc.gz", "gzip"), (".mrc.bz2", "bzip2")):
        path = tmp_path / f"a{suffix}"
        with mrcfile.new(path, compression=compression) as mrc:
            mrc.set_data(NOISE.astype("f4"))
            mrc.set_extended_header(np.arange(64, dtype="f4"))
        assert np.array_equal(open_image(path, 0), mrcfile.read(path))
