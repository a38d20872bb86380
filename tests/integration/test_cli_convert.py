"""`inspect` and `convert` on files of all kinds: what is told and written; both start fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.conversion.convert import WRITABLE
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.model.bases import BUNDLED

STAR = """data_optics

loop_
_rlnOpticsGroup #1
_rlnMicrographPixelSize #2
1 1.250000

data_particles

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnAutopickFigureOfMerit #4
_rlnAnglePsi #5
_rlnOpticsGroup #6
M/a.mrc 10.5 20 0.5 30 1
M/a.mrc 30 40 1.5 60 1
M/b.mrc 50 60 2.5 90 1
"""
# In a fresh interpreter: a command, then what it imported.
PROBE = """
import sys
from napari_pickeroptimizer.cli import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    heavy = ("torch", "torchvision", "safetensors", "napari", "qtpy")
    print(left.code, [name for name in heavy if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "picks.star").write_text(STAR)
    (tmp_path / "M").mkdir()
    for name, ny in (("a", 100), ("b", 80)):
        with mrcfile.new(tmp_path / f"M/{name}.mrc") as mrc:
            mrc.set_data(np.zeros((ny, 90), np.int16))
            mrc.voxel_size = 1.25
    return tmp_path


class TestInspect:
    def test_picks_in_words(self, run, project: Path) -> None:
        code, out, err = run("inspect", project / "picks.star")
        assert (code, err) == (0, "")
        for told in (
            "picks.star: RELION STAR",
            "3 picks on 2 micrographs, in 1 file (1 to 2 on each)",
            "columns: x, y, micrograph, picker_score",
            "other columns: rlnAnglePsi, rlnOpticsGroup",
            "also in the file: data_optics",
            "x 10.5 to 50, y 20 to 60 (centres), with fractions of pixels",
            "the format gives the centre of a box",
            "score 0.5 to 2.5",
            "pixel size 1.25 Å",
            "as STAR: loses nothing",
            "fractions of pixels: 1 of 3 picks are rounded; needs --box-size",
        ):
            assert told in out

    def test_picks_as_json(self, run, project: Path) -> None:
        code, out, _ = run("inspect", project / "picks.star", "--json")
        (one,) = json.loads(out)["files"]
        assert code == 0
        assert one["kind"] == "picks"
        facts = one["facts"]
        assert (facts["picks"], facts["micrographs"], facts["files"]) == (3, 2, 1)
        assert facts["pixel_size_ang"] == 1.25
        assert facts["x"] == [10.5, 50]
        assert facts["places"] == "centre"
        assert [t["format"] for t in one["targets"]] == [f.name for f in WRITABLE]

    def test_boxes_know_their_size_and_that_they_are_corners(self, run, project: Path) -> None:
        (project / "a.box").write_text("1\t2\t64\t64\n3\t4\t64\t64\n")
        _, out, _ = run("inspect", project / "a.box")
        assert "boxes of 64 pixels" in out
        assert "the corner of a box" in out
        assert "needs --box-size" not in out

    def test_one_line_for_images_lists_and_models(self, run, project: Path) -> None:
        listing = project / "micrographs.star"
        listing.write_text("data_\nloop_\n_rlnMicrographName\nM/a.mrc\nM/b.mrc\nM/gone.mrc\n")
        image = project / "M/a.mrc"
        code, out, err = run("inspect", image, listing, project / "M", BUNDLED)
        assert (code, err) == (0, "")
        first, second, third, fourth = out.splitlines()
        assert first == f"{image}: micrograph, 90 x 100 pixels, int16, pixel size 1.25 Å"
        assert second.endswith("without picks, 3 micrographs, 2 of them are there")
        assert third.endswith("folder of micrographs, 2 micrographs, 2 of them are there")
        assert "model of this program" in fourth
        assert "resnet18_half" in fourth

    def test_what_cannot_be_read_is_told_with_the_rest(self, run, project: Path) -> None:
        (project / "x_gain.mrc").write_bytes((project / "M/a.mrc").read_bytes())
        (project / "no.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
        (project / "what.doc").write_bytes(b"")
        code, out, err = run(
            "inspect", project / "x_gain.mrc", project / "no.safetensors",
            project / "what.doc", project / "gone.star", project / "M/b.mrc",
        )  # fmt: skip
        assert code == 2
        assert out.startswith(f"{project / 'M/b.mrc'}: micrograph")
        for name, says in (
            ("x_gain.mrc", "gain reference"),
            ("no.safetensors", "is no model of this program"),
            ("what.doc", "is nothing that this program reads: expected picks (.star"),
            ("gone.star", "nothing is there"),
        ):
            (line,) = [line for line in err.splitlines() if name in line]
            assert says in line


class TestConvert:
    def test_losses_are_told_and_a_dry_run_writes_nothing(self, run, project: Path) -> None:
        output = project / "boxes"
        options = ("--to", "box", "--box-size", "8")
        code, out, err = run("convert", project / "picks.star", output, *options, "--dry-run")
        assert code == 0
        assert not output.exists()
        assert "BOX has no room for 2 other columns: rlnAnglePsi, rlnOpticsGroup." in err
        assert "BOX has no room for fractions of pixels: 1 of 3 picks are rounded." in err
        assert "nothing was written" in out
        code, out, _ = run("convert", project / "picks.star", output, *options)
        assert code == 0
        assert "3 picks written as BOX to 2 files" in out
        assert (output / "M/b.box").read_text().split() == ["46", "56", "8", "8", "2.500000"]

    def test_there_and_back_with_the_heights_of_the_micrographs(
        self, run, project: Path
    ) -> None:
        source, once, back = (project / f"{n}.star" for n in ("picks", "once", "back"))
        flip = ("--flip-y", "--micrographs", project / "M")
        assert run("convert", source, once, *flip)[0] == 0
        assert read_picks(once).table["y"].tolist() == [79, 59, 19]
        assert run("convert", once, back, *flip)[0] == 0
        assert back.read_text() == STAR.replace(" 20 ", " 20.000000 ").replace(
            " 40 ", " 40.000000 "
        ).replace(" 60 2.5", " 60.000000 2.5")

    def test_one_height_for_all(self, run, project: Path) -> None:
        output = project / "out.csv"
        options = ("--flip-y", "--height", 100, "--scale", 2, "--json")
        code, out, err = run("convert", project / "picks.star", output, *options)
        assert code == 0
        assert "pixel sizes and shifts in other columns stay" in err
        assert json.loads(out) == {
            "picks": 3,
            "format": "CSV",
            "lost": ["what is in the files besides the picks: data_optics"],
            "written": [str(output)],
        }
        assert read_picks(output).coords_yx_px().tolist() == [[158, 21], [118, 60], [78, 100]]

    def test_corners_that_a_table_calls_coordinates(self, run, project: Path) -> None:
        (project / "a.csv").write_text("x,y\n10,20\n")
        run("convert", project / "a.csv", project / "b.csv", "--corner", "--box-size", 8)
        assert read_picks(project / "b.csv").coords_yx_px().tolist() == [[24, 14]]
        (project / "a.box").write_text("10 20 64 64\n")
        run("convert", project / "a.box", project / "c.csv", "--centre")
        assert read_picks(project / "c.csv").coords_yx_px().tolist() == [[20, 10]]
        run("convert", project / "a.box", project / "d.csv", "--corner", "--scale", 0.5)
        assert read_picks(project / "d.csv").coords_yx_px().tolist() == [[26, 21]]

    def test_boxes_get_the_names_of_the_micrographs(self, run, project: Path) -> None:
        (project / "boxes").mkdir()
        (project / "boxes/a.box").write_text("6 16 8 8\n")
        output = project / "named.star"
        run("convert", project / "boxes", output, "--micrographs", project / "M/*.mrc")
        (name,) = read_picks(output).table["micrograph"]
        assert name == str(project / "M/a.mrc")

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("out.star", "--flip-y"), "give --micrographs or --height"),
            (("out.star", "--flip-y", "--height", "50"), "is at y = 60 on 'M/b.mrc'"),
            (("out.star", "--scale", "0"), "scale must be a positive number"),
            (("out.star", "--height", "9", "-m", "M"), "give one of --height"),
            (("out.star", "--corner"), "give --box-size"),
            (("out.box",), "needs --box-size"),
            (("out.cs",), "needs --micrographs"),
            (("out.box", "--box-size", "-4"), "--box-size must be positive"),
            (("picks.star", "--scale", "2"), "picks.star"),
        ],
    )
    def test_refusals_write_nothing(
        self, run, project: Path, monkeypatch: pytest.MonkeyPatch, options, says: str
    ) -> None:
        monkeypatch.chdir(project)
        before = sorted(p.name for p in project.iterdir())
        code, _, err = run("convert", "picks.star", *options)
        assert code == 2
        assert says in err
        assert sorted(p.name for p in project.iterdir()) == before
        assert (project / "picks.star").read_text() == STAR

    def test_an_output_that_is_there_stays(self, run, project: Path) -> None:
        output = project / "out.csv"
        output.write_text("mine")
        code, _, err = run("convert", project / "picks.star", output)
        assert code == 2
        assert "out.csv exists: choose another output, or --overwrite" in err
        assert output.read_text() == "mine"
        assert run("convert", project / "picks.star", output, "--overwrite")[0] == 0
        assert len(read_picks(output)) == 3


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_neither_command_imports_what_takes_seconds(project: Path, command: str) -> None:
    arguments = [str(project / "picks.star")]
    if command == "convert":
        arguments.append(str(project / "fast.csv"))
    else:
        arguments += [str(BUNDLED), str(project / "M/a.mrc")]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, command, *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "0 []"
