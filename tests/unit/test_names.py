"""Which micrograph a name means: what it points to counts, never its last part alone."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    MicrographReadError,
    StandInWarning,
)
from napari_pickeroptimizer.io import images
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.reading import group_by_micrograph, read_micrographs


def image(path: Path, grey: float = 0.0, sections: int = 0) -> Path:
    """Write an image of one grey value; or a stack, one grey higher in each section."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.full((3, 4), grey, dtype=np.float32)
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.stack([data + i for i in range(sections)]) if sections else data)
        mrc.voxel_size = 1.8
    return path


def grey_of(micrographs: Micrographs, name: str) -> float:
    return float(micrographs.resolve(name).read()[0, 0])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two jobs with a micrograph of one name, of grey 2 and 3, below the working directory."""
    monkeypatch.chdir(tmp_path)
    for job in (2, 3):
        image(tmp_path / f"MotionCorr/job00{job}/Micrographs/a.mrc", job)
    return tmp_path


class TestFoldersCount:
    @pytest.mark.parametrize("job", [2, 3])
    @pytest.mark.parametrize("whole", [True, False], ids=["absolute", "from the project"])
    @pytest.mark.parametrize(
        "given",
        [
            ["MotionCorr"],
            ["MotionCorr/job002", "MotionCorr/job003"],
            ["MotionCorr/job002/Micrographs", "MotionCorr/job003/Micrographs"],
            ["MotionCorr/job002/Micrographs/a.mrc", "MotionCorr/job003/Micrographs/a.mrc"],
            ["MotionCorr/*/*/a.mrc"],
            ["MotionCorr/**/*.mrc"],
            ["."],
        ],
    )
    def test_a_path_means_its_own_file_wherever_the_search_began(
        self, project: Path, given: list[str], whole: bool, job: int
    ) -> None:
        name = f"MotionCorr/job00{job}/Micrographs/a.mrc"
        assert grey_of(Micrographs.find(given), str(project / name) if whole else name) == job

    def test_a_name_that_ends_several_paths_is_ambiguous(self, project: Path) -> None:
        micrographs = Micrographs.find(["MotionCorr/job002", "MotionCorr/job003"])
        with pytest.raises(AmbiguousMicrographError, match="fits 2 micrographs") as raised:
            micrographs.resolve("Micrographs/a.mrc")
        assert "job002" in str(raised.value)
        assert "job003" in str(raised.value)

    def test_a_file_of_another_folder_does_not_stand_in(self, project: Path) -> None:
        micrographs = Micrographs.find("MotionCorr")
        with pytest.raises(MicrographNotFoundError, match="of another folder"):
            micrographs.resolve("MotionCorr/job004/Micrographs/a.mrc")

    def test_nor_where_the_file_that_is_named_is_there_but_was_not_given(
        self, project: Path
    ) -> None:
        micrographs = Micrographs.find("MotionCorr/job002")
        with pytest.raises(
            MicrographNotFoundError, match=r"It is .*job003/Micrographs/a\.mrc"
        ):
            micrographs.resolve("MotionCorr/job003/Micrographs/a.mrc")

    def test_copies_as_large_stand_in_with_a_warning(self, project: Path) -> None:
        image(project / "denoised/a.mrc", 7)
        micrographs = Micrographs.find("denoised")
        name = "MotionCorr/job003/Micrographs/a.mrc"
        assert grey_of(micrographs, name) == 7
        with pytest.warns(
            StandInWarning, match=r"1 of 2 .*denoised/a\.mrc for .*job003"
        ) as told:
            found, _ = micrographs.resolve_all([name, "a"])
        assert len(told) == 1
        assert set(found) == {name, "a"}

    @pytest.mark.parametrize(
        ("copy", "given", "shape"),
        [
            ("binned/a.mrc", "binned", (2, 2)),  # its pixels are others
            ("below/denoised/a.mrc", "below", (3, 4)),  # its name tells a folder
            ("other/Micrographs/a.mrc", "other/Micrographs", (3, 4)),  # another job's
            ("broken/a.mrc", "broken", None),
        ],
    )
    def test_others_do_not(
        self, project: Path, copy: str, given: str, shape: tuple[int, int] | None
    ) -> None:
        path = image(project / copy)
        if shape is None:
            path.write_bytes(b"no image")
        elif shape != (3, 4):
            with mrcfile.open(path, "r+") as mrc:
                mrc.set_data(np.zeros(shape, np.float32))
        with pytest.raises(
            MicrographNotFoundError, match=r"It is .*job003/Micrographs/a\.mrc"
        ):
            Micrographs.find(given).resolve("MotionCorr/job003/Micrographs/a.mrc")

    def test_a_copy_without_folders_stands_in(self, tmp_path: Path) -> None:
        image(tmp_path / "scratch/a.mrc", 7)
        assert grey_of(Micrographs.find(tmp_path / "scratch"), "job002/Movies/a.mrc") == 7

    def test_the_folders_of_pick_files_are_none_of_a_micrograph(self, tmp_path: Path) -> None:
        image(tmp_path / "Micrographs/a.mrc", 7)
        micrographs = Micrographs.find(tmp_path)
        for name in ("boxes/a", "AutoPick/job006/Movies/a_autopick"):
            assert grey_of(micrographs, name) == 7


class TestTwoNames:
    def test_of_different_folders_never_share_a_file(self, tmp_path: Path) -> None:
        image(tmp_path / "mics/a.mrc")
        micrographs = Micrographs.find(tmp_path / "mics")
        for names in (["g1/a.mrc", "g2/a.mrc"], ["g1/a", "g2/a"]):
            with pytest.raises(
                AmbiguousMicrographError, match="of different folders"
            ) as raised:
                group_by_micrograph(micrographs, Picks.from_arrays(names, x=[1, 2], y=[1, 2]))
            assert all(repr(name) in str(raised.value) for name in names)

    def test_the_one_whose_folder_it_is_has_the_file(self, tmp_path: Path) -> None:
        image(tmp_path / "g1/a.mrc")
        names = ["g2/a.mrc", "g1/a.mrc", "a", "g3/a.mrc"]
        found, missing = Micrographs.find(tmp_path / "g1").resolve_all(names)
        assert list(found) == ["g1/a.mrc", "a"]
        assert list(missing) == ["g2/a.mrc", "g3/a.mrc"]
        assert "of another folder" in missing["g2/a.mrc"]

    def test_nor_do_those_of_picks_and_labels(self, tmp_path: Path) -> None:
        image(tmp_path / "mics/a.mrc")
        labels = Picks.from_arrays("g2/a.mrc", x=[1.0], y=[1.0], label=1)
        picks = Picks.from_arrays("g1/a.mrc", x=[1.0], y=[1.0])
        with pytest.raises(AmbiguousMicrographError, match="of different folders"):
            group_by_micrograph(Micrographs.find(tmp_path / "mics"), labels, beside=picks)
        image(tmp_path / "g1/a.mrc")
        (group,) = group_by_micrograph(Micrographs.find(tmp_path / "g1"), labels, beside=picks)
        assert (group.name, group.micrograph) == ("g2/a.mrc", None)

    def test_pick_files_of_one_micrograph_may_lie_anywhere(self, tmp_path: Path) -> None:
        image(tmp_path / "mics/a.mrc")
        names = ["Movies/a.mrc", "boxes/all/a"]
        picks = Picks.from_arrays(names, x=[1, 2], y=[1, 2])
        labels = Picks.from_arrays("labels/a", x=[1.0], y=[1.0], label=1)
        micrographs = Micrographs.find(tmp_path / "mics")
        assert len(group_by_micrograph(micrographs, picks)) == 1
        (group,) = group_by_micrograph(micrographs, labels, beside=picks)
        assert group.micrograph == micrographs.items[0]

    def test_that_say_the_same_share_it(self, tmp_path: Path) -> None:
        image(tmp_path / "mics/a.mrc")
        names = ["Movies/a.mrc", "job002/Movies/a.mrc", "a", "a.mrc", "a_autopick"]
        found, missing = Micrographs.find(tmp_path / "mics").resolve_all(names)
        assert (list(found), missing) == (names, {})


class TestLinks:
    def test_a_job_and_its_alias_are_one(self, project: Path) -> None:
        (project / "MotionCorr/best").symlink_to("job003")
        micrographs = Micrographs.find("MotionCorr")
        assert micrographs.names == ["job002/Micrographs/a.mrc", "job003/Micrographs/a.mrc"]
        for given in ("MotionCorr", "MotionCorr/job003", "MotionCorr/best"):
            alias = "MotionCorr/best/Micrographs/a.mrc"
            assert grey_of(Micrographs.find(given), alias) == 3

    def test_an_alias_of_a_job_that_was_not_given_is_not_found(self, project: Path) -> None:
        (project / "MotionCorr/best").symlink_to("job003")
        with pytest.raises(MicrographNotFoundError):
            Micrographs.find("MotionCorr/job002").resolve("MotionCorr/best/Micrographs/a.mrc")

    def test_one_file_by_several_ways_is_one_by_each_of_its_names(
        self, tmp_path: Path
    ) -> None:
        image(tmp_path / "raw/a.mrc", 5)
        (tmp_path / "raw/b.mrc").symlink_to("a.mrc")
        (tmp_path / "also").symlink_to("raw")
        places = [tmp_path / "raw", tmp_path / "also/a.mrc", tmp_path / "raw/../raw/a.mrc"]
        micrographs = Micrographs.find(places)
        assert micrographs.names == ["a.mrc"]
        names = ["a.mrc", "b.mrc", "b", "raw/a.mrc", "also/a.mrc"]
        (group,) = group_by_micrograph(
            micrographs, Picks.from_arrays(names, x=[1.0] * 5, y=[1.0] * 5)
        )
        assert group.rows.tolist() == [0, 1, 2, 3, 4]

    def test_loops_are_visited_once(self, tmp_path: Path) -> None:
        image(tmp_path / "m/a.mrc")
        for name in "bcde":
            (tmp_path / "m" / name).symlink_to(".")
        (tmp_path / "m/up").symlink_to("..")
        (tmp_path / "m/self.mrc").symlink_to("self.mrc")
        for given in (tmp_path / "m", f"{tmp_path}/**/*.mrc"):
            names = {Path(name).name for name in Micrographs.find(given).names}
            assert names == {"a.mrc", "self.mrc"}
            assert len(Micrographs.find(given)) == 2


class TestSlices:
    def test_a_number_before_the_at_is_a_slice_anything_else_a_name(
        self, tmp_path: Path
    ) -> None:
        image(tmp_path / "lab@host/m.mrc", 10)
        image(tmp_path / "lab@host/m@2.mrc", 20)
        image(tmp_path / "stacks/s.mrcs", 30, sections=3)
        greys = {
            "lab@host/m.mrc": 10,
            "lab@host/m@2.mrc": 20,
            "000001@stacks/s.mrcs": 30,
            "2@stacks/s.mrcs": 31,
            "000003@s.mrcs": 32,
        }
        listing = tmp_path / "micrographs.star"
        rows = "\n".join(name for name in greys if "s.mrcs" not in name)
        listing.write_text(f"data_\nloop_\n_rlnMicrographName\n{rows}\nstacks/s.mrcs\n")
        for given in ([tmp_path], [tmp_path / "lab@host", tmp_path / "stacks"], [listing]):
            micrographs = Micrographs.find(given)
            assert {name: grey_of(micrographs, name) for name in greys} == greys

    def test_listed_slices(self, tmp_path: Path) -> None:
        image(tmp_path / "s.mrcs", 30, sections=3)
        listing = tmp_path / "micrographs.star"
        listing.write_text("data_\nloop_\n_rlnMicrographName\n000002@s.mrcs\n000007@s.mrcs\n")
        micrographs = Micrographs.find(listing)
        assert grey_of(micrographs, "2@s.mrcs") == 31
        with pytest.raises(MicrographReadError):
            micrographs.resolve("000007@s.mrcs").read()

    @pytest.mark.parametrize(
        "name", ["s.mrcs", "4@s.mrcs", "0@s.mrcs", "x@s.mrcs", "²@s.mrcs"]
    )
    def test_a_slice_is_never_guessed(self, tmp_path: Path, name: str) -> None:
        image(tmp_path / "s.mrcs", sections=3)
        with pytest.raises(MicrographNotFoundError):
            Micrographs.find(tmp_path).resolve(name)

    def test_a_single_image_has_one_slice(self, tmp_path: Path) -> None:
        image(tmp_path / "a.mrc", 5)
        micrographs = Micrographs.find(tmp_path)
        assert grey_of(micrographs, "000001@a.mrc") == 5
        with pytest.raises(MicrographNotFoundError):
            micrographs.resolve("000002@a.mrc")
        listing = tmp_path / "micrographs.star"
        listing.write_text("data_\nloop_\n_rlnMicrographName\n000002@a.mrc\n")
        with pytest.raises(MicrographReadError, match="slice 2"):
            Micrographs.find(listing).items[0].read()

    def test_a_file_that_looks_like_a_slice(self, tmp_path: Path) -> None:
        image(tmp_path / "12@host/m.mrc", 10)
        listing = tmp_path / "micrographs.star"
        listing.write_text("data_\nloop_\n_rlnMicrographName\n12@host/m.mrc\n")
        for given in (tmp_path, listing):
            assert grey_of(Micrographs.find(given), "12@host/m.mrc") == 10
        image(tmp_path / "host/m.mrc")
        with pytest.raises(AmbiguousMicrographError, match="slice 12"):
            Micrographs.find(listing)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_what_is_no_file_is_passed_over_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image(tmp_path / "m/a.mrc")
    os.mkfifo(tmp_path / "m/fifo.mrc")
    os.mkfifo(tmp_path / "m/stack.mrcs")
    (tmp_path / "m/zero.mrc").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path / "m")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket.mrc")
        names = ["a.mrc", "fifo.mrc", "stack.mrcs", "zero.mrc", "socket.mrc"]
        micrographs = Micrographs.find(tmp_path / "m")
        assert {m.name: m.pixel_size_ang for m in micrographs}["fifo.mrc"] is None
        picks = Picks.from_arrays(names, x=[1.0] * 5, y=[1.0] * 5)
        events = list(read_micrographs(group_by_micrograph(micrographs, picks)))
    assert [e.group.name for e in events] == names
    reasons = [getattr(e, "reason", "") for e in events]
    assert reasons[0].endswith("are no numbers.")  # it was read: its grey is one and the same
    assert all(reason.endswith("a FIFO, socket or device.") for reason in reasons[1:])


class TestCost:
    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """Paths of the MRC headers that are opened."""
        paths: list[Path] = []
        really = images.MrcHeader.read

        def read(path: Path) -> object:
            paths.append(path)
            return really(path)

        monkeypatch.setattr(images.MrcHeader, "read", read)
        return paths

    def test_no_header_is_opened_before_its_pixel_size_is_asked_for(
        self, tmp_path: Path, opened: list[Path]
    ) -> None:
        for name in "abc":
            image(tmp_path / f"m/{name}.mrc")
        listing = tmp_path / "micrographs.star"
        listing.write_text("data_\nloop_\n_rlnMicrographName\nm/a.mrc\nm/b.mrc\n")
        for given in (tmp_path / "m", f"{tmp_path}/m/*.mrc", tmp_path / "m/a.mrc", listing):
            found = Micrographs.find(given)
            group_by_micrograph(found, Picks.from_arrays("a.mrc", x=[1.0], y=[1.0]))
            told = Micrographs.find(given, pixel_size_ang=2.5)
            assert {m.pixel_size_ang for m in told} == {2.5}
            assert opened == []
        assert Micrographs.find(tmp_path / "m")["b.mrc"].pixel_size_ang == pytest.approx(1.8)
        assert opened == [tmp_path / "m/b.mrc"]

    def test_alike_names_in_thousands_of_folders(self) -> None:
        names = [f"squares/s{i}/a.mrc" for i in range(4000)]
        elsewhere = [f"elsewhere/t{i}/a.mrc" for i in range(4000)]
        start = time.process_time()
        micrographs = Micrographs.distinct(names)
        found, missing = micrographs.resolve_all([*names, *elsewhere])
        assert time.process_time() - start < 20  # it was minutes, and grew as the square
        assert [m.name for m in found.values()] == names
        assert list(missing) == elsewhere
