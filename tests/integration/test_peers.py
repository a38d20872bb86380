"""Topaz and the starfile package read what we write, and the other way round.

Every place is told in words of its own: x and y differ, the micrographs are not square, and the
names hold what breaks parsers: dots, leading zeros, a blank where the format has room for it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from peers import peer

from napari_pickeroptimizer.io import read_picks, write_picks

STAR = """
data_

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnAutopickFigureOfMerit #4
M/a.b_0.1.mrc 11 20 0.5
M/a.b_0.1.mrc 30 43 -1.5
M/0002.mrc 50 64 2.25
"""
NAMES = ["a.b_0.1", "a.b_0.1", "0002"]  # as Topaz calls them: no folder, no ending
XY = [[11, 20], [30, 43], [50, 64]]
SCORES = [0.5, -1.5, 2.25]
HEIGHT = 100

Row = tuple[str, int, int]


@pytest.fixture
def star(tmp_path: Path) -> Path:
    path = tmp_path / "picks.star"
    path.write_text(STAR)
    return path


def rows(names: list[str], xy: list[list[int]]) -> list[Row]:
    return sorted((n, x, y) for n, (x, y) in zip(names, xy, strict=True))


EXPECTED = rows(NAMES, XY)


def rows_of(path: Path) -> list[Row]:
    """Return what we read: names without folder and ending, x and y."""
    picks = read_picks(path)
    yx = picks.coords_yx_px()
    assert np.array_equal(yx, np.rint(yx))
    names = [n.rpartition("/")[2].removesuffix(".mrc") for n in picks.table["micrograph"]]
    return rows(names, yx[:, ::-1].astype(int).tolist())


def rows_of_topaz(text: str) -> list[Row]:
    """Return the rows of a table that Topaz wrote, taken apart here."""
    header, *lines = (line.split("\t") for line in text.splitlines())
    assert header[:3] == ["image_name", "x_coord", "y_coord"]
    return sorted((line[0].rpartition("/")[2], int(line[1]), int(line[2])) for line in lines)


class TestTopaz:
    def test_finds_the_places_in_our_star(self, star: Path, tmp_path: Path) -> None:
        write_picks(read_picks(star), tmp_path / "kept.star")
        peer("topaz", tmp_path, "convert", "kept.star", "--to", "coord", "-o", "t.txt")
        text = (tmp_path / "t.txt").read_text()
        assert rows_of_topaz(text) == EXPECTED
        assert [float(line.split("\t")[3]) for line in text.splitlines()[1:]] == SCORES

    def test_finds_the_places_in_our_table(self, run, star: Path, tmp_path: Path) -> None:
        assert run("convert", star, tmp_path / "ours.txt")[0] == 0
        peer("topaz", tmp_path, "convert", "ours.txt", "-o", "theirs.star")
        assert rows_of(tmp_path / "theirs.star") == EXPECTED
        assert sorted(read_picks(tmp_path / "theirs.star").table["picker_score"]) == sorted(
            SCORES
        )

    def test_thresholds_our_table_by_its_scores(self, run, star: Path, tmp_path: Path) -> None:
        run("convert", star, tmp_path / "ours.txt")
        text = peer("topaz", tmp_path, "convert", "ours.txt", "-t", "0")
        assert rows_of_topaz(text) == [EXPECTED[0], EXPECTED[1]]

    def test_finds_the_centres_of_our_boxes(self, run, star: Path, tmp_path: Path) -> None:
        run("convert", star, tmp_path / "boxes", "--to", "box", "--box-size", 8)
        files = sorted((tmp_path / "boxes").rglob("*.box"))
        assert len(files) == 2
        peer("topaz", tmp_path, "convert", *files, "-o", "theirs.txt")
        assert rows_of_topaz((tmp_path / "theirs.txt").read_text()) == EXPECTED

    def test_scales_as_we_do(self, run, star: Path, tmp_path: Path) -> None:
        scale = 8
        run("convert", star, tmp_path / "ours.txt")
        run("convert", star, tmp_path / "scaled.txt", "--scale", scale)
        text = peer("topaz", tmp_path, "convert", "ours.txt", "-x", scale)
        assert rows_of_topaz(text) == rows_of(tmp_path / "scaled.txt")
        assert rows_of_topaz(text) == sorted((n, scale * x, scale * y) for n, x, y in EXPECTED)

    @pytest.mark.parametrize(
        ("output", "options"),
        [
            ("t.txt", []),
            ("t.star", ["--image-ext", ".mrc"]),
            ("boxes/", ["--boxsize", "8"]),
            ("info/", []),  # of EMAN2
        ],
    )
    def test_writes_what_we_read(
        self, run, star: Path, tmp_path: Path, output: str, options: list[str]
    ) -> None:
        run("convert", star, tmp_path / "ours.txt")
        if output.endswith("/"):
            (tmp_path / output).mkdir()
        peer("topaz", tmp_path, "convert", "ours.txt", "-o", output, *options)
        assert rows_of(tmp_path / output) == EXPECTED

    def test_reverses_rows_as_we_do(self, run, star: Path, tmp_path: Path) -> None:
        """By Topaz's own function: --invert-y of its programs stops at an error (0.3.20)."""
        flip = ("--flip-y", "--height", HEIGHT)
        run("convert", star, tmp_path / "ours", "--to", "box", "--box-size", 8, *flip)
        program = (
            "import json, numpy; from topaz.utils.conversions import coordinates_to_boxes; "
            f"print(json.dumps(coordinates_to_boxes(numpy.array({XY}), 8, 8, "
            f"shape=({HEIGHT}, 80), invert_y=True).tolist()))"
        )
        theirs = json.loads(peer("python", tmp_path, "-c", program))
        ours = [
            [int(value) for value in line.split()[:4]]
            for place in ("M/a.b_0.1.box", "M/0002.box")
            for line in (tmp_path / "ours" / place).read_text().splitlines()
        ]
        assert ours == theirs


READ = """
import json, sys
import starfile

blocks = starfile.read(sys.argv[1], always_dict=True)
print(json.dumps({
    name: block.to_dict("list") if hasattr(block, "columns") else block
    for name, block in blocks.items()
}))
"""


class TestStarfile:
    def read(self, path: Path) -> dict[str, dict[str, list[object]]]:
        blocks: dict[str, dict[str, list[object]]] = json.loads(
            peer("python", path.parent, "-c", READ, path.name)
        )
        return blocks

    def test_finds_the_values_of_a_new_star(self, run, star: Path, tmp_path: Path) -> None:
        run("convert", star, tmp_path / "all.csv")
        run("convert", tmp_path / "all.csv", tmp_path / "new.star")
        (block,) = self.read(tmp_path / "new.star").values()
        assert block == {
            "rlnMicrographName": ["M/a.b_0.1.mrc", "M/a.b_0.1.mrc", "M/0002.mrc"],
            "rlnCoordinateX": [11, 30, 50],
            "rlnCoordinateY": [20, 43, 64],
            "rlnAutopickFigureOfMerit": SCORES,
        }

    def test_finds_our_columns_beside_those_of_the_source(self, tmp_path: Path) -> None:
        source = tmp_path / "particles.star"
        source.write_text(
            "# version 30001\n\ndata_optics\n\nloop_ \n_rlnOpticsGroup #1 \n"
            '_rlnOpticsGroupName #2 \n1 "grid one" \n \n\n# version 30001\n\ndata_particles\n\n'
            "loop_ \n_rlnMicrographName #1 \n_rlnCoordinateX #2 \n_rlnCoordinateY #3 \n"
            '_rlnOpticsGroup #4 \n"M/my grid/a.mrc" 10.5 20 1 \n"M/my grid/a.mrc" 30 40.25 1 \n \n'
        )
        scored = read_picks(source).with_columns(
            predicted=np.array([1, 2], np.int8), probability_1=[0.75, 0.25]
        )
        write_picks(scored, tmp_path / "scored.star")
        blocks = self.read(tmp_path / "scored.star")
        assert blocks["optics"] == {
            "rlnOpticsGroup": [1], "rlnOpticsGroupName": ["grid one"],
        }  # fmt: skip
        assert blocks["particles"] == {
            "rlnMicrographName": ["M/my grid/a.mrc"] * 2,
            "rlnCoordinateX": [10.5, 30],
            "rlnCoordinateY": [20, 40.25],
            "rlnOpticsGroup": [1, 1],
            "rlnParticleSelectionType": [1, 2],
            "poParticleProbability": [0.75, 0.25],
            "poDecidedBy": ["score", "score"],
        }

    def test_writes_what_we_read(self, star: Path, tmp_path: Path) -> None:
        program = (
            "import starfile; b = starfile.read('picks.star'); "
            "starfile.write({'particles': b}, 'theirs.star')"
        )
        peer("python", tmp_path, "-c", program)
        assert rows_of(tmp_path / "theirs.star") == EXPECTED
