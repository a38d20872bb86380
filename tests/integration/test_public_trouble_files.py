"""Files that users of other programs stumbled over in public, rebuilt small: what is right.

Each case has the address where it was told. The files here are written anew, with few rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io import read_picks, write_picks

GITHUB = "https://github.com/"
HEAD = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
PLACES = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n"


@dataclass(frozen=True)
class Trouble:
    """A file, or a folder of them, and the picks (micrograph, x, y, score) that it holds."""

    address: str
    what: str
    files: dict[str, str]
    picks: list[tuple[str, float, float, float | None]]
    pixel_size_ang: float | None = None
    path: str = field(default="")

    def __str__(self) -> str:
        return self.address.removeprefix(GITHUB).replace("/", "-")


READ = [
    Trouble(
        f"{GITHUB}3dem/relion/issues/527",
        "Windows line ends: the name of the table is taken as particles and a carriage return",
        {"a.star": "data_particles\r\n" + HEAD.partition("\n")[2].replace("\n", "\r\n")
         + "M/a.mrc 10 20\r\n"},
        [("M/a.mrc", 10, 20, None)],
    ),
    Trouble(
        f"{GITHUB}3dem/relion/issues/890",
        "written by hand after csparc2star: a blank line behind loop_, optics without MTF columns",
        {"a.star": "\ndata_optics\n\nloop_\n\n_rlnVoltage #1 \n_rlnOpticsGroup #2\n"
         "_rlnMicrographPixelSize #3 \n300.000000 1 0.84\n\ndata_particles\n\nloop_\n\n"
         "_rlnMicrographName #1 \n_rlnCoordinateX #2 \n_rlnCoordinateY #3  \n"
         "_rlnAutopickFigureOfMerit #4 \n_rlnClassNumber #5 \n_rlnAnglePsi #6\n"
         "Movies/grid5/a_DW.mrc 2996 3059 3 0 0.0\n"},
        [("Movies/grid5/a_DW.mrc", 2996, 3059, 3)], 0.84,
    ),
    Trouble(
        f"{GITHUB}3dem/relion/issues/999",
        "a job without autopick.star, and a suffix file made by hand to get on",
        {"AutoPick/job006/Movies/a_autopick.star": PLACES,
         "AutoPick/job006/coords_suffix_autopick.star": "Select/job004/micrographs.star\n",
         "Select/job004/micrographs.star": "data_micrographs\n\nloop_\n_rlnMicrographName #1\n"
         "MotionCorr/job002/Movies/a.mrc\nMotionCorr/job002/Movies/b.mrc\n"},
        [("MotionCorr/job002/Movies/a.mrc", 1, 2, None)], path="AutoPick/job006",
    ),
    Trouble(
        f"{GITHUB}3dem/relion/issues/274",
        "micrographs imported from outside the project",
        {"a.star": HEAD + "../micrographs/a.mrc 1 2\n../others/a.mrc 3 4\n"},
        [("../micrographs/a.mrc", 1, 2, None), ("../others/a.mrc", 3, 4, None)],
    ),
    Trouble(
        f"{GITHUB}3dem/relion/issues/1079",
        "names that are numbers with leading zeros",
        {"a.star": HEAD + "00255 1 2\n00256 3 4\n"},
        [("00255", 1, 2, None), ("00256", 3, 4, None)],
    ),
    Trouble(
        f"{GITHUB}tbepler/topaz/issues/13",
        "empty box files of micrographs without picks, between others",
        {"a.box": "1 2 4 4\n", "b.box": "", "c.box": "5 6 4 4\n"},
        [("a", 3, 4, None), ("c", 7, 8, None)], path=".",
    ),
    Trouble(
        f"{GITHUB}tbepler/topaz/issues/7",
        "the score's column has another name in STAR files of Topaz 0.1",
        {"a.star": "data_images\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
         "_rlnCoordinateY #3\n_rlnParticleScore #4\na.mrc\t1\t2\t-0.5\n"},
        [("a.mrc", 1, 2, -0.5)],
    ),
    Trouble(
        f"{GITHUB}tbepler/topaz/issues/84",
        "micrographs of one name in nested folders",
        {"M/10Feb/a_topazpicks.star": PLACES, "M/11Feb/a_topazpicks.star": PLACES},
        [("10Feb/a_topazpicks", 1, 2, None), ("11Feb/a_topazpicks", 1, 2, None)], path="M",
    ),
    Trouble(
        f"{GITHUB}MPI-Dortmund/cryolo/issues/19",
        "boxes with corners outside the image, and fractions of pixels",
        {"a.box": "1398.989192\t917.069071\t500.0\t500.0\n-14.25\t-28.5\t500.0\t500.0\n"},
        [("a", 1648.989192, 1167.069071, None), ("a", 235.75, 221.5, None)],
    ),
    Trouble(
        f"{GITHUB}I2PC/scipion/issues/104",
        "corners of boxes taken for centres",
        {"a.box": "6\t16\t8\t8\n"},
        [("a", 10, 20, None)],
    ),
    Trouble(
        f"{GITHUB}teamtomo/starfile/issues/35",
        "names with blanks, in quotes of either kind",
        {"a.star": HEAD + "\"M/my grid/a 1.mrc\" 10 20\n'M/it/b 2.mrc' 30 40\n"},
        [("M/my grid/a 1.mrc", 10, 20, None), ("M/it/b 2.mrc", 30, 40, None)],
    ),
    Trouble(
        f"{GITHUB}teamtomo/starfile/issues/70",
        "a table without rows, and several blank lines behind it",
        {"a.star": PLACES.removesuffix("1 2\n") + "\n\n\n"},
        [],
    ),
    Trouble(
        f"{GITHUB}teamtomo/starfile/issues/81",
        "no blank line between data_ and loop_, and labels without numbers",
        {"a.star": "data_optics\nloop_\n_rlnOpticsGroup\n_rlnMicrographPixelSize\n1 1.5\n"
         "data_particles\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n"
         "_rlnOpticsGroup\na.mrc 1 2 1\n"},
        [("a.mrc", 1, 2, None)], 1.5,
    ),
    Trouble(
        f"{GITHUB}warpem/warp/issues/232",
        "a line of the starfile package above the first table",
        {"a.star": "# Created by the starfile Python package (version 0.5.8)\n\n\n" + HEAD
         + "a.mrc\t1\t2\n"},
        [("a.mrc", 1, 2, None)],
    ),
    Trouble(
        f"{GITHUB}cryoem-uoft/cryosparc-issues/issues/43",
        "blanks before data_ and loop_",
        {"a.star": " data_\n\n loop_\n _rlnMicrographName #1\n _rlnCoordinateX #2\n"
         " _rlnCoordinateY #3\n a.mrc 1 2\n"},
        [("a.mrc", 1, 2, None)],
    ),
    Trouble(
        f"{GITHUB}asarnow/pyem/issues/40",
        "particles without images, in the form of RELION 3.0: magnification, but no pixel of the "
        "detector",
        {"a.star": "data_images\nloop_\n_rlnMicrographName #1 \n_rlnCoordinateX #2 \n"
         "_rlnCoordinateY #3 \n_rlnOriginX #4 \n_rlnMagnification #5\n"
         "S1/a.mrc 100 200 0.5 10000\n"},
        [("S1/a.mrc", 100, 200, None)],
    ),
]  # fmt: skip

REFUSED = [
    (
        f"{GITHUB}3dem/relion/issues/849",  # rlnOpticsGroup as columns 2 and 7
        "a.star",
        "data_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n_rlnVoltage #3\n"
        "_rlnOpticsGroup #4\nopticsGroup1 1 300 3\n\n" + HEAD + "a.mrc 1 2\n",
        "line 7: data_optics has the column rlnOpticsGroup twice. Remove or rename one",
    ),
    (
        f"{GITHUB}3dem/relion/issues/869",  # saved from the browser
        "a.star",
        "\n\n<!DOCTYPE html>\n<html>\n<table><tr><td>\n" + HEAD + "a.mrc 1 2\n</td></tr>\n",
        "is a web page, not the file that it shows: download the file itself",
    ),
    (
        f"{GITHUB}ComputationalCryoEM/ASPIRE-Python/issues/630",  # EMPIAR-10028's own STAR
        "a.star",
        HEAD + "a.mrc 1 2\n                9\na.mrc 3 4\n",
        r"row 2 .line 8.: 1 values in the row where 3 were expected",
    ),
    (
        f"{GITHUB}teamtomo/starfile/issues/35",  # a name with a blank, without quotes
        "a.star",
        HEAD + "M/my grid/a.mrc 1 2\n",
        r"row 1 .line 7.: 4 values .* or a name with a space not quoted",
    ),
    (
        f"{GITHUB}tbepler/topaz/issues/60",  # KeyError: 'image_name'
        "a.star",
        "data_particles\n\nloop_\n_rlnImageName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        "000001@Extract/job1/a.mrcs 1 2\n",
        "holds particles without the column rlnMicrographName",
    ),
    (
        f"{GITHUB}tbepler/topaz/issues/102",  # the external job wrote an empty one
        "coords_suffix_topazpicks.star",
        "",
        "should hold the path of the micrographs STAR, but holds ''",
    ),
    (
        f"{GITHUB}ml-struct-bio/cryodrgn/issues/68",  # filtered, coordinates thrown away
        "a.star",
        "data_particles\n\nloop_\n_rlnImageName #1\n_rlnOpticsGroup #2\n000001@a.mrcs 1\n",
        "lists particles without their places in the micrographs",
    ),
    (
        f"{GITHUB}FrangakisLab/ArtiaX/issues/38",  # of a tomogram
        "a.star",
        "data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        "_rlnCoordinateZ #4\n_rlnTomoVisibleFrames #5\nt.tomostar 1 2 3 [1,1,0]\n",
        "is of a tomogram .rlnTomoName.",
    ),
]


def written(trouble: Trouble, folder: Path) -> Path:
    for name, text in trouble.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder / (trouble.path or next(iter(trouble.files)))


@pytest.mark.parametrize("trouble", READ, ids=str)
def test_read_right(trouble: Trouble, tmp_path: Path) -> None:
    picks = read_picks(written(trouble, tmp_path))
    table = picks.table
    assert table["micrograph"].tolist() == [pick[0] for pick in trouble.picks]
    assert table["x"].tolist() == pytest.approx([pick[1] for pick in trouble.picks])
    assert table["y"].tolist() == pytest.approx([pick[2] for pick in trouble.picks])
    scores = [pick[3] for pick in trouble.picks if pick[3] is not None]
    assert ("picker_score" in table) == bool(scores)
    assert [float(v) for v in table.get("picker_score", [])] == scores
    assert {s.pixel_size_ang for s in picks.sources} == {trouble.pixel_size_ang}


@pytest.mark.parametrize("trouble", READ, ids=str)
def test_and_written_as_they_were(trouble: Trouble, tmp_path: Path) -> None:
    source = written(trouble, tmp_path / "in")
    picks = read_picks(source)
    assert picks.sources
    output = tmp_path / "out"
    write_picks(picks, output if source.is_dir() else output / source.name, columns={})
    for pick_source in picks.sources:
        before = pick_source.path.read_bytes()
        name = pick_source.path.name
        after = [p.read_bytes() for p in output.rglob(name)]
        # a file without picks is not written, as RELION does
        assert after == [] if before == b"" else before in after


@pytest.mark.parametrize(
    ("address", "name", "text", "says"),
    REFUSED,
    ids=[r[0].removeprefix(GITHUB) for r in REFUSED],
)
def test_refused_in_words(
    address: str, name: str, text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PickerOptimizerError, match=says) as refused:
        read_picks(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_windows_line_ends_are_told(run, tmp_path: Path) -> None:
    """https://github.com/3dem/relion/issues/527, 1317: RELION cannot read such a file."""
    source = tmp_path / "a.star"
    source.write_bytes((HEAD + "M/a.mrc 10 20\n").replace("\n", "\r\n").encode())
    assert "end as on Windows, which RELION cannot read" in run("inspect", source)[1]
    _, _, said = run("convert", source, tmp_path / "b.star", "--scale", 2)
    assert "end as on Windows, which RELION cannot read: run dos2unix on what" in said
    (tmp_path / "c.star").write_text(HEAD + "M/a.mrc 10 20\n")
    assert "Windows" not in run("inspect", tmp_path / "c.star")[1]


class TestOnMicrographs:
    """What only shows beside images: 60 rows of 90 pixels."""

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for folder in ("Movies/g1", "Movies/g2"):
            (tmp_path / "MotionCorr/job002" / folder).mkdir(parents=True)
            with mrcfile.new(tmp_path / "MotionCorr/job002" / folder / "a.mrc") as mrc:
                mrc.set_data(np.zeros((60, 90), np.int16))
        (tmp_path / "micrographs.star").write_text(
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n"
            "MotionCorr/job002/Movies/g1/a.mrc\nMotionCorr/job002/Movies/g2/a.mrc\n"
        )
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_rows_from_the_other_end(self, run, project: Path) -> None:
        """https://github.com/asarnow/pyem/issues/22, 81, 101, 133: mirrored, and back."""
        (project / "a.star").write_text(HEAD + "g1/a.mrc 80 0\ng2/a.mrc 10 59\n")
        flip = ("--flip-y", "--micrographs", "micrographs.star")
        assert run("convert", "a.star", "b.star", *flip)[0] == 0
        assert read_picks("b.star").table[["x", "y"]].to_numpy().tolist() == [
            [80, 59],
            [10, 0],
        ]
        assert run("convert", "b.star", "c.star", *flip)[0] == 0
        assert read_picks("c.star").table["y"].tolist() == [0, 59]

    def test_swapped_axes_do_not_fit_a_wide_image(self, run, project: Path) -> None:
        """https://github.com/asarnow/pyem/issues/81: x and y of a rectangular image swapped."""
        (project / "a.star").write_text(HEAD + "g1/a.mrc 10 80\n")
        flip = ("--flip-y", "--micrographs", "micrographs.star")
        code, _, said = run("convert", "a.star", "b.star", *flip)
        assert code == 2
        assert "is at y = 80 on 'g1/a.mrc', which has 60 rows" in said

    def test_a_pick_outside_is_told(self, run, project: Path) -> None:
        """https://github.com/3dem/relion/issues/872: extraction stops at a box outside."""
        (project / "a.star").write_text(HEAD + "g1/a.mrc 89 59\ng2/a.mrc 10 200\n")
        _, _, said = run("convert", "a.star", "b.csv", "--micrographs", "micrographs.star")
        said = " ".join(said.split())
        assert (
            "1 of 2 picks are not on their micrographs, the first at x = 10, y = 200" in said
        )
        (project / "a.star").write_text(HEAD + "g1/a.mrc 89 59\n")
        _, _, said = run("convert", "a.star", "c.csv", "--micrographs", "micrographs.star")
        assert "not on their" not in said

    def test_a_name_of_other_folders_is_not_guessed(self, run, project: Path) -> None:
        """https://github.com/tribell4310/reliosparc/issues/1: of cryoSPARC's folders."""
        (project / "a.star").write_text(HEAD + "J1/imported/a.mrc 1 2\n")
        code, _, said = run("convert", "a.star", "b.csv", "-m", "micrographs.star")
        assert code == 2
        assert "J1/imported/a.mrc" in said

    def test_one_table_becomes_files_that_extraction_takes(self, run, project: Path) -> None:
        """https://github.com/3dem/relion/issues/582, 524, 890: it takes no table of all picks."""
        (project / "a.star").write_text(HEAD + "g2/a.mrc 10 20\ng1/a.mrc 30 40\n")
        code, _, said = run(
            "convert", "a.star", "Coords", "--to", "star", "-m", "micrographs.star"
        )
        assert (code, said) == (0, "")
        files = [p.relative_to("Coords").as_posix() for p in Path("Coords").rglob("*.star")]
        assert sorted(files) == [
            "Movies/g1/a_autopick.star", "Movies/g2/a_autopick.star", "autopick.star",
        ]  # fmt: skip
        listed = read_picks("Coords/autopick.star").table
        assert listed["micrograph"].tolist() == [
            "MotionCorr/job002/Movies/g2/a.mrc", "MotionCorr/job002/Movies/g1/a.mrc",
        ]  # fmt: skip
        assert listed[["x", "y"]].to_numpy().tolist() == [[10, 20], [30, 40]]
        assert "Coords/Movies/g1/a_autopick.star" in Path("Coords/autopick.star").read_text()

    def test_names_that_relion_would_not_find_are_told(self, run, project: Path) -> None:
        """https://github.com/tbepler/topaz/issues/56: names without folder and ending."""
        (project / "a.txt").write_text("image_name\tx_coord\ty_coord\na\t1\t2\n")
        _, _, said = run("convert", "a.txt", "Coords", "--to", "star")
        assert "give its micrographs STAR as --micrographs" in " ".join(said.split())

    def test_one_name_in_two_folders_is_no_name_for_topaz(self, run, project: Path) -> None:
        """https://github.com/tbepler/topaz/issues/56: Dataset1/001.mrc and Dataset2/001.mrc."""
        (project / "a.star").write_text(HEAD + "g1/a.mrc 1 2\ng2/a.mrc 3 4\n")
        code, _, said = run("convert", "a.star", "a.txt")
        assert code == 2
        assert "Topaz knows micrographs by file name alone" in said
