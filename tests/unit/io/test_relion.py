"""RELION STAR files of picks: what is read from them, what is refused and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_picks

OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnVoltage #2\n1 300.0\n\n"
PARTICLES = (
    "data_{name}\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    "_rlnAutopickFigureOfMerit #4\nM/a.mrc 10.5 20.25 3.5\nM/b.mrc 30 40 -1.25\n\n"
)
VINTAGES = {
    "3.0 data_": PARTICLES.format(name=""),
    "3.0 data_images": PARTICLES.format(name="images"),
    "3.1 optics first": OPTICS + PARTICLES.format(name="particles"),
    "3.1 optics last": PARTICLES.format(name="particles") + OPTICS,
}


def star(folder: Path, text: str, name: str = "picks.star") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def coordinates(*rows: str) -> str:
    return "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n" + "".join(
        f"{row}\n" for row in rows
    )


@pytest.mark.parametrize("vintage", list(VINTAGES))
def test_particles_of_every_vintage(tmp_path: Path, vintage: str) -> None:
    picks = read_picks(star(tmp_path, VINTAGES[vintage]))
    assert picks.table["micrograph"].tolist() == ["M/a.mrc", "M/b.mrc"]
    assert picks.coords_yx_px().tolist() == [[20.25, 10.5], [40.0, 30.0]]
    assert picks.table["picker_score"].tolist() == [3.5, -1.25]
    assert picks.labels.tolist() == [0, 0]
    assert picks.table["source_row"].tolist() == [0, 1]


@pytest.mark.parametrize("vintage", list(VINTAGES))
def test_kept_row_and_optics_stay_as_they_were(tmp_path: Path, vintage: str) -> None:
    picks = read_picks(star(tmp_path, VINTAGES[vintage]))
    written = write_picks(picks.select(np.array([1])), tmp_path / "kept.star")
    assert written == [tmp_path / "kept.star"]
    expected = VINTAGES[vintage].replace("M/a.mrc 10.5 20.25 3.5\n", "")
    assert written[0].read_text() == expected


def test_particles_block_wins_over_others_with_coordinates(tmp_path: Path) -> None:
    text = PARTICLES.format(name="old").replace("10.5", "99") + PARTICLES.format(
        name="particles"
    )
    assert read_picks(star(tmp_path, text)).table["x"].tolist() == [10.5, 30.0]


def test_two_tables_of_picks_are_refused(tmp_path: Path) -> None:
    text = PARTICLES.format(name="one") + PARTICLES.format(name="two")
    with pytest.raises(
        PickFormatError, match=r"several tables of picks \(data_one, data_two\)"
    ):
        read_picks(star(tmp_path, text))


def test_coordinate_file_names_its_micrograph_by_its_own_name(tmp_path: Path) -> None:
    picks = read_picks(star(tmp_path, coordinates("1 2"), "grid_7_autopick.star"))
    assert picks.table["micrograph"].tolist() == ["grid_7_autopick"]


def test_table_without_rows_has_no_picks(tmp_path: Path) -> None:
    picks = read_picks(star(tmp_path, coordinates()))
    assert len(picks) == 0
    write_picks(picks, tmp_path / "kept.star")
    assert (tmp_path / "kept.star").read_text() == coordinates()


def test_selection_type_is_the_label(tmp_path: Path) -> None:
    text = coordinates("1 2 1", "3 4 3", "5 6 -1", "7 8 0").replace(
        "Y #2\n", "Y #2\n_rlnParticleSelectionType #3\n"
    )
    assert read_picks(star(tmp_path, text)).labels.tolist() == [1, 3, 0, 0]
    assert read_picks(star(tmp_path, text), label=2).labels.tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("bad", ["7", "-2", "1.5"])
def test_label_that_is_no_class_names_its_row(tmp_path: Path, bad: str) -> None:
    text = coordinates("1 2 1", f"3 4 {bad}").replace(
        "Y #2\n", "Y #2\n_rlnParticleSelectionType #3\n"
    )
    with pytest.raises(
        PickFormatError,
        match=rf"row 2 \(line 8\): rlnParticleSelectionType is {bad}, which is no class",
    ):
        read_picks(star(tmp_path, text))


@pytest.mark.parametrize("bad", ["nan", "NaN", "inf", "-inf"])
def test_coordinates_that_are_not_finite_name_their_row(tmp_path: Path, bad: str) -> None:
    file = star(tmp_path, coordinates("1 2", f"{bad} 4", f"5 {bad}"))
    with pytest.raises(PickFormatError, match=r"finite pixel coordinates: remove") as raised:
        read_picks(file)
    assert (
        f"{file}, row 2 (line 7): the coordinates are x = {float(bad)}, y = 4.0 (2 such"
        in (str(raised.value))
    )


@pytest.mark.parametrize("n_rows", [2, 3000], ids=["small", "for pandas"])
def test_coordinate_that_is_no_number_names_its_row(tmp_path: Path, n_rows: int) -> None:
    rows = ["1 2"] * n_rows
    rows[-1] = "1 two"
    with pytest.raises(PickFormatError) as raised:
        read_picks(star(tmp_path, coordinates(*rows)))
    assert (
        f"row {n_rows} (line {n_rows + 5}): rlnCoordinateY is 'two', which is no number."
        in (str(raised.value))
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OPTICS, "holds no picks: .*found rlnOpticsGroup, rlnVoltage"),
        (
            OPTICS + "data_micrographs\n\nloop_\n_rlnMicrographName #1\na.mrc\n",
            "is a micrographs STAR: .*autopick.star, or the folder of the picking job",
        ),
        (
            "data_\nloop_\n_rlnImageName\n_rlnMicrographName\n1@a.mrcs a.mrc\n",
            "lists particles without their places",
        ),
        (
            "data_\nloop_\n_rlnImageName\n_rlnCoordinateX\n_rlnCoordinateY\n1@a.mrcs 1 2\n",
            "without the column rlnMicrographName",
        ),
        (
            "data_particles\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\nt 1 2\n",
            r"of a tomogram \(rlnTomoName\)",
        ),
        (
            "data_particles\nloop_\n_rlnCenteredCoordinateXAngst\n1\n",
            r"of a tomogram \(rlnCenteredCoordinateXAngst\)",
        ),
        (
            "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 3\n",
            r"of a tomogram \(rlnCoordinateZ\)",
        ),
        ("data_\n_rlnCoordinateX 1\n_rlnCoordinateY 2\n", "not as a loop_ table"),
        ("data_cryolo\nloop_\n_CoordinateX\n_CoordinateY\n1 2\n", "crYOLO .cbox"),
    ],
    ids=[
        "no coordinates",
        "micrographs",
        "no places",
        "no micrograph",
        "tomogram",
        "centred",
        "three dimensions",
        "pairs",
        "cbox",
    ],
)
def test_star_that_holds_no_picks_says_what_it_is(
    tmp_path: Path, text: str, message: str
) -> None:
    file = star(tmp_path, text)
    with pytest.raises(PickFormatError, match=message) as raised:
        read_picks(file)
    assert str(file) in str(raised.value)


def test_suggested_picks_are_known_when_they_come_back_labelled(tmp_path: Path) -> None:
    path = tmp_path / "labels.star"
    path.write_text(
        "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnMicrographName #3\n"
        "_rlnParticleSelectionType #4\n_poSuggestionRank #5\n"
        "10 20 a.mrc 1 2\n30 40 a.mrc 2 0\n"
    )
    assert read_picks(path).was_suggested.tolist() == [True, False]
    assert not read_picks(path).select(np.array([1])).was_suggested.any()


@pytest.mark.parametrize("missing", ["<NA>", "None", "nan", "N/A", "NA", "null", '""'])
@pytest.mark.parametrize(
    ("label", "column"),
    [("rlnAutopickFigureOfMerit", "picker_score"), ("poSuggestionScore", "suggestion_score")],
)
def test_a_number_that_nobody_needs_may_be_missing(
    tmp_path: Path, label: str, column: str, missing: str
) -> None:
    text = coordinates("1 2 0.5", f"3 4 {missing}").replace("Y #2\n", f"Y #2\n_{label} #3\n")
    picks = read_picks(star(tmp_path, text))
    np.testing.assert_array_equal(picks.table[column], [0.5, np.nan])
    write_picks(picks, tmp_path / "out.star", columns={})
    assert (tmp_path / "out.star").read_text() == text


@pytest.mark.parametrize("missing", ["<NA>", "None", "nan", '""', "-"])
@pytest.mark.parametrize("label", ["rlnCoordinateX", "rlnParticleSelectionType"])
def test_a_place_or_a_class_may_not_be_missing(
    tmp_path: Path, label: str, missing: str
) -> None:
    values = f"{missing} 4 1" if label == "rlnCoordinateX" else f"3 4 {missing}"
    text = coordinates("1 2 1", values)
    text = text.replace("Y #2\n", "Y #2\n_rlnParticleSelectionType #3\n")
    with pytest.raises(PickFormatError, match=r"picks\.star, row 2 \(line \d+\)"):
        read_picks(star(tmp_path, text))


def test_other_text_in_a_score_is_refused(tmp_path: Path) -> None:
    text = coordinates("1 2 good").replace("Y #2\n", "Y #2\n_rlnAutopickFigureOfMerit #3\n")
    with pytest.raises(PickFormatError, match="row 1 .*'good', which is no number"):
        read_picks(star(tmp_path, text))


def test_segments_of_filaments_are_refused_not_pruned_one_by_one(tmp_path: Path) -> None:
    labels = ("rlnCoordinateX", "rlnCoordinateY", "rlnHelicalTubeID")
    header = "".join(f"_{label} #{i}\n" for i, label in enumerate(labels, start=1))
    path = tmp_path / "particles.star"
    path.write_text(f"data_particles\n\nloop_\n{header}1 2 1\n3 4 1\n")
    with pytest.raises(
        PickFormatError, match=r"segments of filaments .rlnHelicalTubeID."
    ) as e:
        read_picks(path)
    assert str(path) in str(e.value)


@pytest.mark.parametrize(
    "folder", ["STAR_START_END", "EMAN_START_END", "EMAN_HELIX_SEGMENTED"]
)
def test_filaments_of_cryolo_are_known_by_their_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.box").write_text("1 2 4 4\n3 4 4 4\n")
    for where in (tmp_path, tmp_path / folder / "a.box"):
        with pytest.raises(PickFormatError, match="ends or segments of filaments"):
            read_picks(where)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            "job.star",
            "data_joboptions_values\n\nloop_\n_a #1\n_b #2\ndo_startend        {} \n",
        ),
        ("run.job", "job_type == 3\nPick start-end coordinates helices? == {}\n"),
    ],
)
def test_ends_of_filaments_of_relion_are_known_by_the_options_of_their_job(
    tmp_path: Path, options: str, text: str
) -> None:
    job = tmp_path / "ManualPick" / "job004"
    (job / "Movies").mkdir(parents=True)
    file = job / "Movies" / "a_manualpick.star"
    file.write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n30 40\n")
    (job / options).write_text(text.format("Yes"))
    for where in (job, file):
        with pytest.raises(PickFormatError, match="start-end coordinates") as raised:
            read_picks(where)
        assert str(job / options) in str(raised.value)
    (job / options).write_text(text.format("No"))
    assert len(read_picks(job)) == 2
