"""Micrographs: found anywhere, matched to names, read whatever their format, or refused."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    MicrographReadError,
)
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.reading import group_by_micrograph

IMAGE = np.arange(12, dtype=np.int16).reshape(3, 4)  # 3 rows, 4 columns
UID = "012345678901234567890_"


def write_mrc(path: Path, data: np.ndarray = IMAGE, pixel_size: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(data)
        mrc.voxel_size = pixel_size
    return path


def named(*names: str) -> Micrographs:
    return Micrographs(tuple(Micrograph(n, Path("/data") / n) for n in names))


class TestRead:
    @pytest.mark.parametrize(
        ("mode", "dtype"),
        [(0, np.int8), (1, np.int16), (2, np.float32), (6, np.uint16), (12, np.float16)],
    )
    def test_mrc_modes(self, tmp_path: Path, mode: int, dtype: type) -> None:
        data = (IMAGE - 5 if mode in (0, 1, 2, 12) else IMAGE).astype(dtype)
        path = write_mrc(tmp_path / "a.mrc", data)
        with mrcfile.open(path, header_only=True) as mrc:
            assert mrc.header.mode == mode
        image = Micrograph("a", path).read()
        assert image.dtype == np.float32
        assert image.tolist() == data.tolist()  # mode 0 is signed; row 0 is the file's first
        assert Micrograph("a", path).shape_px() == (3, 4)

    def test_big_endian_and_extended_header(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mrc"
        with mrcfile.new(path) as mrc:
            mrc.set_data(IMAGE.astype(">i2"))
            mrc.set_extended_header(np.zeros(64, dtype="V1"))
        assert Micrograph("a", path).read().tolist() == IMAGE.tolist()

    @pytest.mark.parametrize(
        ("suffix", "dtype"),
        [(".tif", np.uint16), (".tiff", np.float32), (".png", np.uint8), (".png", np.uint16)],
    )
    def test_tiff_and_png(self, tmp_path: Path, suffix: str, dtype: type) -> None:
        path, data = tmp_path / f"a{suffix}", IMAGE.astype(dtype)
        if suffix == ".png":
            Image.fromarray(data).save(path)
        else:
            tifffile.imwrite(path, data)
        assert Micrograph("a", path).read().tolist() == IMAGE.tolist()

    def test_jpeg_is_read_as_grey(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((16, 24, 3), 100, np.uint8)).save(tmp_path / "a.jpg")
        image = Micrograph("a", tmp_path / "a.jpg").read()
        assert image.shape == (16, 24)
        assert np.abs(image - 100).max() <= 1

    def test_flip_reverses_the_rows(self, tmp_path: Path) -> None:
        path = write_mrc(tmp_path / "a.mrc")
        flipped = Micrographs.find(path, flip_y=True)
        assert flipped.items[0].read().tolist() == IMAGE[::-1].tolist()

    def test_section_of_a_stack(self, tmp_path: Path) -> None:
        write_mrc(tmp_path / "s.mrcs", np.stack([IMAGE, IMAGE + 100]))
        micrographs = Micrographs.find(tmp_path)
        assert micrographs.names == ["000001@s.mrcs", "000002@s.mrcs"]
        assert micrographs["000002@s.mrcs"].read().tolist() == (IMAGE + 100).tolist()

    def test_truncated_mrc(self, tmp_path: Path) -> None:
        path = write_mrc(tmp_path / "a.mrc")
        path.write_bytes(path.read_bytes()[:-2])
        with pytest.raises(
            MicrographReadError, match=r"truncated or damaged: .* 4 x 3 x 1"
        ) as e:
            Micrograph("a", path).read()
        assert "(1048 bytes), the file has 1046" in str(e.value)

    def test_mode_101_says_what_to_do(self, tmp_path: Path) -> None:
        path = write_mrc(tmp_path / "a.mrc")
        data = bytearray(path.read_bytes())
        data[12:16] = (101).to_bytes(4, "little")
        path.write_bytes(data)
        with pytest.raises(
            MicrographReadError, match=r"MRC mode 101 \(packed 4-bit: unpack it"
        ):
            Micrograph("a", path).read()

    def test_complex_mrc(self, tmp_path: Path) -> None:
        path = write_mrc(tmp_path / "a.mrc", IMAGE.astype(np.complex64))
        with pytest.raises(
            MicrographReadError, match=r"MRC mode 4 \(.* transform\); readable are 0"
        ):
            Micrograph("a", path).read()

    @pytest.mark.parametrize("name", ["a.mrc", "a.tif", "a.png", "a.jpg"])
    @pytest.mark.parametrize("content", [b"", b"junk" * 100], ids=["empty", "junk"])
    def test_what_is_no_image(self, tmp_path: Path, name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MicrographReadError, match=name):
            Micrograph("a", tmp_path / name).read()

    def test_volume_and_colour_are_not_cut_to_a_plane(self, tmp_path: Path) -> None:
        write_mrc(tmp_path / "a.mrc", np.stack([IMAGE, IMAGE]))
        with pytest.raises(
            MicrographReadError, match="expected one 2-D image, got 2 sections of 4 x 3 pix"
        ):
            Micrograph("a", tmp_path / "a.mrc").read()
        tifffile.imwrite(tmp_path / "c.tif", np.zeros((5, 6, 3), np.uint8), photometric="rgb")
        with pytest.raises(MicrographReadError, match="picture in colour"):
            Micrograph("c", tmp_path / "c.tif").read()

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(MicrographNotFoundError, match=r"gone\.mrc does not exist"):
            Micrograph("a", tmp_path / "gone.mrc").read()
        with pytest.raises(MicrographNotFoundError, match="does not exist"):
            Micrograph("a", tmp_path).read()


class TestFind:
    def test_directory_with_subfolders(self, tmp_path: Path) -> None:
        write_mrc(tmp_path / "g2" / "b.mrc")
        write_mrc(tmp_path / "g1" / "a.mrc")
        (tmp_path / "notes.txt").touch()
        (tmp_path / ".hidden.mrc").touch()
        assert Micrographs.find(tmp_path).names == ["g1/a.mrc", "g2/b.mrc"]

    def test_mrc_wins_over_its_thumbnail(self, tmp_path: Path) -> None:
        write_mrc(tmp_path / "a.mrc")
        (tmp_path / "a.png").touch()
        assert Micrographs.find(tmp_path).names == ["a.mrc"]

    def test_glob_file_and_list(self, tmp_path: Path) -> None:
        a, b = write_mrc(tmp_path / "a.mrc"), write_mrc(tmp_path / "b.mrc")
        assert Micrographs.find(tmp_path / "*.mrc").names == [str(a), str(b)]
        assert Micrographs.find([b, a]).names == [str(b), str(a)]

    def test_star_gives_names_paths_and_pixel_size(self, tmp_path: Path) -> None:
        write_mrc(tmp_path / "M" / "a.mrc", pixel_size=9.0)
        write_mrc(tmp_path / "M" / "b.mrc", pixel_size=9.0)
        star = tmp_path / "micrographs.star"
        star.write_text(
            "data_\nloop_\n_rlnMicrographName\n_rlnMicrographPixelSize\n"
            "M/a.mrc 1.5\nM/b.mrc 0\n"
        )
        a, b = Micrographs.find(star)
        assert (a.name, a.path, a.pixel_size_ang) == ("M/a.mrc", tmp_path / "M/a.mrc", 1.5)
        assert b.pixel_size_ang == 9.0  # told by the header only

    def test_pixel_size_of_header_or_user(self, tmp_path: Path) -> None:
        write_mrc(tmp_path / "a.mrc", pixel_size=1.25)
        write_mrc(tmp_path / "b.mrc")
        assert [m.pixel_size_ang for m in Micrographs.find(tmp_path)] == [1.25, None]
        told = Micrographs.find(tmp_path, pixel_size_ang=3.0)
        assert [m.pixel_size_ang for m in told] == [3.0, 3.0]

    def test_unreadable_file_is_found_and_fails_when_read(self, tmp_path: Path) -> None:
        (tmp_path / "a.mrc").write_bytes(b"short")
        (micrograph,) = Micrographs.find(tmp_path)
        assert micrograph.pixel_size_ang is None
        with pytest.raises(MicrographReadError):
            micrograph.read()

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(MicrographNotFoundError, match="no micrographs in"):
            Micrographs.find(tmp_path)
        with pytest.raises(MicrographNotFoundError, match="nothing is there"):
            Micrographs.find(tmp_path / "gone")
        with pytest.raises(MicrographNotFoundError, match=r"gone\.star does not exist"):
            Micrographs.find(tmp_path / "gone.star")
        (tmp_path / "a.txt").touch()
        with pytest.raises(
            MicrographReadError, match=r"a\.txt is no micrograph: expected one of"
        ):
            Micrographs.find(tmp_path / "a.txt")


class TestResolve:
    @pytest.mark.parametrize(
        ("have", "name"),
        [
            ("MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/a.mrc"),
            ("Movies/a.mrc", "MotionCorr/job002/Movies/a.mrc"),
            ("MotionCorr/job002/Movies/a.mrc", "Movies/a.mrc"),
            ("a.mrc", "Other/a.mrc"),
            ("Movies/a.mrc", "a"),
            ("Movies/a.mrc", "Movies/a_autopick"),
            ("Movies/a.mrc", "AutoPick/job006/Movies/a_manualpick.star"),
            ("Movies/a.tif", "a.mrc"),
            (f"J10/{UID}a.mrc", "Movies/a.mrc"),
            ("Movies/a.mrc", f"J10/motioncorrected/{UID}a.mrc"),
            ("Movies/a.mrc", "C:\\Movies\\a.mrc"),
            ("dose.weighted/a.b.mrc", "a.b"),
        ],
        ids=[
            "full name", "name is longer", "name is a suffix", "base name", "no extension",
            "pick file", "pick file with extension", "other format", "uid on disk",
            "uid in name", "backslashes", "dots",
        ],
    )  # fmt: skip
    def test_one_fits(self, have: str, name: str) -> None:
        micrographs = named("Movies/other.mrc", have)
        assert micrographs.resolve(name).name == have

    def test_full_name_wins_over_base_name(self) -> None:
        assert named("x/a.mrc", "y/a.mrc").resolve("y/a.mrc").name == "y/a.mrc"

    def test_path_suffix_wins_over_base_name(self) -> None:
        micrographs = named("g1/Movies/a.mrc", "g2/Movies/a.mrc")
        assert micrographs.resolve("job/g2/Movies/a.mrc").name == "g2/Movies/a.mrc"

    @pytest.mark.parametrize("name", ["a.mrc", "a", "g3/a", f"{UID}a.mrc"])
    def test_ambiguity_lists_the_candidates(self, name: str) -> None:
        with pytest.raises(AmbiguousMicrographError, match="fits 2 micrographs") as raised:
            named("g1/a.mrc", "g2/a.mrc", "b.mrc").resolve(name)
        assert "/data/g1/a.mrc\n  /data/g2/a.mrc\n" in str(raised.value)
        assert "b.mrc" not in str(raised.value)

    def test_unknown_name_says_what_there_is(self) -> None:
        with pytest.raises(MicrographNotFoundError, match="among the 2 micrographs") as raised:
            named("a.mrc", "b.mrc").resolve("c.mrc")
        assert "'c.mrc'" in str(raised.value)
        assert "(a.mrc, b.mrc)" in str(raised.value)

    def test_resolve_all_collects_what_is_missing_but_raises_ambiguity(self) -> None:
        micrographs = named("g1/a.mrc", "g2/a.mrc", "b.mrc")
        found, missing = micrographs.resolve_all(["b.mrc", "c.mrc"])
        assert found["b.mrc"].name == "b.mrc"
        assert list(missing) == ["c.mrc"]
        with pytest.raises(AmbiguousMicrographError):
            micrographs.resolve_all(["a.mrc"])


def test_rows_of_one_micrograph_are_together_however_it_is_spelled() -> None:
    micrographs = Micrographs.named(["Micrographs/a.mrc", "Micrographs/b.mrc"])
    names = ["a", "Micrographs/b.mrc", "Micrographs/a.mrc", "gone.mrc", "a"]
    picks = Picks.from_arrays(names, x=[1.0] * 5, y=[1.0] * 5)
    groups = group_by_micrograph(micrographs, picks)
    assert {g.micrograph.name: g.rows.tolist() for g in groups if g.micrograph} == {
        "Micrographs/a.mrc": [0, 2, 4],
        "Micrographs/b.mrc": [1],
    }
    assert [g.name for g in groups if g.micrograph is None] == ["gone.mrc"]


def test_names_that_mean_one_micrograph_are_one() -> None:
    names = ["a", "b/m.mrc", "Micrographs/a.mrc", "c/m.mrc", "a_autopick", "m.mrc"]
    assert Micrographs.distinct(names).names == [
        "b/m.mrc", "Micrographs/a.mrc", "c/m.mrc", "m.mrc",
    ]  # fmt: skip


def test_an_image_found_twice_is_one_micrograph() -> None:
    twice = Micrographs(tuple(Micrograph(n, Path("a.mrc")) for n in ("a.mrc", "x/a.mrc")))
    for name in ("a.mrc", "x/a.mrc", "a"):
        groups = group_by_micrograph(twice, Picks.from_arrays(name, x=[1.0], y=[1.0]))
        assert [g.micrograph.name for g in groups if g.micrograph] == ["a.mrc"]


def test_a_set_knows_where_it_was_found(spot_project, monkeypatch) -> None:
    monkeypatch.chdir(spot_project.root)
    found = Micrographs.find(
        ["Micrographs/m0.mrc", "Micrographs/m[12].mrc"], pixel_size_ang=1.5, flip_y=True
    )
    search = found.search_paths
    root = Path.cwd()
    assert search.paths == (f"{root}/Micrographs/m0.mrc", f"{root}/Micrographs/m[12].mrc")
    again = Micrographs.find(
        search.paths, pixel_size_ang=search.pixel_size_ang, flip_y=search.flip_y
    )
    assert [m.path.name for m in again] == [m.path.name for m in found]
    assert {m.pixel_size_ang for m in again} == {1.5}
    assert Micrographs.named(["a"]).search_paths is None
