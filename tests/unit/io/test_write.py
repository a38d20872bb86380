"""What write_picks adds, where it writes, and what it refuses to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_new_star, write_picks
from napari_pickeroptimizer.io.atomic import atomic_path, write_text_atomic
from napari_pickeroptimizer.picks import Picks, concatenate

STAR = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n3 4\n5 6\n"


@pytest.fixture
def picks(tmp_path: Path) -> Picks:
    (tmp_path / "a.star").write_text(STAR)
    return read_picks(tmp_path / "a.star")


def test_unlabelled_picks_get_no_columns(picks: Picks) -> None:
    assert picks.star_columns() == {}


def test_the_label_goes_before_the_decided_class(picks: Picks) -> None:
    decided = picks.with_labels([2, 0, 3]).with_columns(
        predicted=np.array([1, 2, 0], np.int8), probability_1=[0.9, 0.123456789, np.nan]
    )
    columns = decided.star_columns()
    assert columns["rlnParticleSelectionType"].tolist() == [2, 2, 3]
    assert columns["poParticleProbability"].tolist()[:2] == [0.9, 0.123456789]
    assert columns["poDecidedBy"].tolist() == ["label", "score", "label"]


def test_labels_and_decisions_are_told_apart_on_reading(picks: Picks, tmp_path: Path) -> None:
    decided = picks.with_labels([2, 0, 0]).with_columns(
        predicted=np.array([2, 1, 2], np.int8),
        decided_by=["label", "score", "distance"],
        probability_1=[0.9, 0.8, 0.7],
    )
    write_picks(decided, tmp_path / "scored.star")
    again = read_picks(tmp_path / "scored.star")
    assert again.labels.tolist() == [2, 0, 0]
    assert again.table["predicted"].tolist() == [2, 1, 2]
    assert again.table["decided_by"].tolist() == ["label", "score", "distance"]


def test_a_probability_makes_a_class_a_decision(tmp_path: Path) -> None:
    head = "_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnParticleSelectionType #3\n"
    rows = "1 2 1 0.9\n3 4 2 nan\n"  # as versions before poDecidedBy wrote them
    (tmp_path / "b.star").write_text(
        f"\ndata_\n\nloop_\n{head}_poParticleProbability #4\n{rows}\n"
    )
    picks = read_picks(tmp_path / "b.star")
    assert picks.labels.tolist() == [0, 2]
    assert picks.table["predicted"].tolist() == [1, 2]


def test_partly_labelled_picks_use_a_column_that_relion_ignores(
    picks: Picks, tmp_path: Path
) -> None:
    write_picks(picks.with_labels([1, 0, 2]), tmp_path / "labels.star")
    assert (tmp_path / "labels.star").read_text() == STAR.replace(
        "Y #2\n1 2\n3 4\n5 6\n", "Y #2\n_poLabel #3\n1 2 1\n3 4 0\n5 6 2\n"
    )
    assert read_picks(tmp_path / "labels.star").labels.tolist() == [1, 0, 2]


def test_probabilities_have_six_decimals(picks: Picks, tmp_path: Path) -> None:
    scored = picks.with_columns(probability_1=[0.9, 0.123456789, 1e-9])
    write_picks(scored, tmp_path / "new" / "scored.star")
    assert (tmp_path / "new" / "scored.star").read_text() == STAR.replace(
        "Y #2\n1 2\n3 4\n5 6\n",
        "Y #2\n_poParticleProbability #3\n1 2 0.900000\n3 4 0.123457\n5 6 0.000000\n",
    )


def test_rows_come_in_the_order_of_the_file(picks: Picks, tmp_path: Path) -> None:
    shuffled = picks.select(np.array([2, 0]))
    columns = {"rlnClassNumber": np.array([22, 20])}
    write_picks(shuffled, tmp_path / "b.star", columns=columns)
    assert (tmp_path / "b.star").read_text().endswith("_rlnClassNumber #3\n1 2 20\n5 6 22\n")


def test_no_pick_left_keeps_the_header(picks: Picks, tmp_path: Path) -> None:
    write_picks(picks.select(np.zeros(3, bool)), tmp_path / "none.star")
    assert (tmp_path / "none.star").read_text() == STAR.replace("1 2\n3 4\n5 6\n", "")
    assert len(read_picks(tmp_path / "none.star")) == 0


def test_picks_of_no_file_become_a_new_star(tmp_path: Path) -> None:
    made = Picks.from_arrays(
        ["M/a.mrc", "my grid/b.mrc"], [1.5, 3.0], [2.0, 4.25], label=[1, 3],
        picker_score=[0.5, 7.0],
    )  # fmt: skip
    assert write_picks(made, tmp_path / "new.star") == [tmp_path / "new.star"]
    assert (tmp_path / "new.star").read_text() == (
        "\ndata_\n\nloop_ \n_rlnMicrographName #1 \n_rlnCoordinateX #2 \n_rlnCoordinateY #3 \n"
        "_rlnAutopickFigureOfMerit #4 \n_rlnParticleSelectionType #5 \n"
        "M/a.mrc 1.500000 2.000000 0.500000 1 \n"
        '"my grid/b.mrc" 3.000000 4.250000 7.000000 3 \n \n'
    )
    again = read_picks(tmp_path / "new.star").table
    for column in ("micrograph", "x", "y", "label", "picker_score"):
        assert again[column].tolist() == made.table[column].tolist()


def test_box_written_as_star_is_a_new_star(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("10 20 8 8\n")
    write_picks(read_picks(tmp_path / "a.box", label=1), tmp_path / "labels.star")
    assert "\na 14.000000 24.000000 1 \n" in (tmp_path / "labels.star").read_text()


def test_added_picks_go_to_a_star_beside(picks: Picks, tmp_path: Path) -> None:
    mixed = concatenate([picks, Picks.from_arrays("a", [7.0], [8.0])])
    scored = mixed.with_columns(probability_1=[0.1, 0.2, 0.3, 0.4])
    written = write_picks(scored.select(np.array([1, 3])), tmp_path / "kept.star")
    assert written == [tmp_path / "kept.star", tmp_path / "kept_added.star"]
    assert written[0].read_text().endswith("_poParticleProbability #3\n3 4 0.200000\n")
    assert "\na 7.000000 8.000000 0.400000 \n" in written[1].read_text()
    only_added = write_picks(mixed.select(np.array([3])), tmp_path / "new.star")
    assert only_added == [tmp_path / "new.star"]


def test_added_picks_replace_a_file_only_when_it_may_be_replaced(
    picks: Picks, tmp_path: Path
) -> None:
    new = Picks.from_arrays(["m9.mrc"], x=[1.0], y=[2.0])
    mixed = concatenate([picks, new])
    (tmp_path / "kept_added.star").write_text("mine")
    with pytest.raises(PickFormatError, match="kept_added.star exists"):
        write_picks(mixed, tmp_path / "kept.star")
    assert not (tmp_path / "kept.star").exists()
    assert (tmp_path / "kept_added.star").read_text() == "mine"
    write_picks(mixed, tmp_path / "kept.star", replace_added=True)
    assert len(read_picks(tmp_path / "kept_added.star")) == 1


def test_added_picks_of_a_tree_go_beside_the_folder(tmp_path: Path) -> None:
    for name in ("a.box", "b.box"):
        (tmp_path / name).write_text("1 2 4 4\n")
    tree = read_picks(tmp_path)
    mixed = concatenate(
        [tree, replace(Picks.from_arrays("b", [7.0], [8.0]), file_list=tree.file_list)]
    )
    written = write_picks(mixed.select(np.array([1, 2])), tmp_path / "kept")
    assert written == [tmp_path / "kept" / "b.box", tmp_path / "kept_added.star"]


def test_all_picks_can_go_to_one_new_star(picks: Picks, tmp_path: Path) -> None:
    mixed = concatenate([picks, Picks.from_arrays("a", [7.0], [8.0])])
    write_new_star(mixed, tmp_path / "b.star")
    assert read_picks(tmp_path / "b.star").table["x"].tolist() == [1, 3, 5, 7]


def test_the_input_is_never_overwritten(picks: Picks, tmp_path: Path) -> None:
    (tmp_path / "link.star").symlink_to(tmp_path / "a.star")
    for output in ("a.star", "link.star"):
        with pytest.raises(
            PickFormatError, match="one of the files these picks were read from"
        ):
            write_picks(picks.select(np.array([0])), tmp_path / output)
    with pytest.raises(PickFormatError, match="one of the files these picks were read from"):
        write_new_star(picks, tmp_path / "a.star")
    assert (tmp_path / "a.star").read_text() == STAR


def test_output_that_cannot_be(picks: Picks, tmp_path: Path) -> None:
    with pytest.raises(PickFormatError, match="is a folder: give the name of the file"):
        write_picks(picks, tmp_path)
    with pytest.raises(PickFormatError, match=r"give a name ending in \.star\."):
        write_picks(picks, tmp_path / "kept.box")
    with pytest.raises(PickFormatError, match=r"give a name ending in \.star\."):
        write_picks(Picks.from_arrays("a", [1.0], [2.0]), tmp_path / "kept.csv")


def test_the_same_row_twice_is_refused(picks: Picks, tmp_path: Path) -> None:
    with pytest.raises(PickFormatError, match="in these picks twice"):
        write_picks(picks.select(np.array([0, 0])), tmp_path / "b.star")


def test_picks_of_two_readings_of_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(STAR)
    first, second = (read_picks(tmp_path / "a.star").select(np.array([row])) for row in (0, 1))
    with pytest.raises(PickFormatError, match="were read twice"):
        write_picks(concatenate([first, second]), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = write_text_atomic(tmp_path / "a" / "b.txt", "old")
    with pytest.raises(RuntimeError, match="half-way"), atomic_path(file) as temporary:
        _write_and_fail(temporary)
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def _write_and_fail(path: Path) -> None:
    path.write_text("new")
    raise RuntimeError("half-way")


def test_partial_labels_of_the_file_do_not_contradict_what_is_written(tmp_path: Path) -> None:
    source = tmp_path / "labels.star"
    source.write_text(
        "\ndata_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        "_poLabel #4\na.mrc 1.0 2.0 0\na.mrc 3.0 4.0 3\n"
    )
    picks = read_picks(source)
    (path,) = write_picks(picks.with_labels([2, 1]), tmp_path / "all.star")
    assert read_picks(path).labels.tolist() == [2, 1]
    decided = picks.with_columns(
        probability_1=[0.9, 0.1], predicted=np.array([1, 3], np.int8),
        decided_by=np.array(["score", "label"], dtype=object),
    )  # fmt: skip
    (path,) = write_picks(decided, tmp_path / "scored.star")
    again = read_picks(path)
    assert again.table["predicted"].tolist() == [1, 3]
    assert again.labels.tolist() == [0, 3]


def test_a_list_without_rows_is_written_as_one(tmp_path: Path) -> None:
    header = "_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    text = f"data_coordinate_files\n\nloop_\n{header}"
    (tmp_path / "autopick.star").write_text(text)
    picks = read_picks(tmp_path / "autopick.star")
    assert write_picks(picks, tmp_path / "out") == [tmp_path / "out" / "autopick.star"]
    assert (tmp_path / "out" / "autopick.star").read_text() == text
