"""cryoSPARC's .cs and .csg: places as fractions, tables joined by uid, all of them rewritten."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cryosparc_tables import PICK_FIELDS, PICKS, cs

from napari_pickeroptimizer.conversion.convert import planned
from napari_pickeroptimizer.conversion.moves import Moves
from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.cryosparc import FORMAT, GROUP
from napari_pickeroptimizer.io.pick_format import Given
from napari_pickeroptimizer.picks import Picks

CTF_FIELDS = [("uid", "<u8"), ("ctf/df1_A", "<f4")]
# in another order, and with a row of no pick
CTF = [(9, 3.0), (5, 2.0), (7, 1.0), (4, 0.0)]
GROUP_TEXT = """created: 2024-01-02 03:04:05.678
group:
  description: All picks  # with a remark
  name: particles
  type: particle
results:
  ctf:
    metafile: '>J2_passthrough_particles.cs'
    num_items: 3
    type: particle.ctf
  location:
    metafile: '>picked.cs'
    num_items: 3
    type: particle.location
  pick_stats:
    metafile: ">picked.cs"
    num_items: 3
    type: particle.pick_stats
version: v4.4.0
"""


def names_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def group(tmp_path: Path) -> Path:
    folder = tmp_path / "J2"
    folder.mkdir()
    cs(folder / "picked.cs")
    cs(folder / "J2_passthrough_particles.cs", CTF_FIELDS, CTF)
    (folder / "picked.csg").write_text(GROUP_TEXT)
    return folder / "picked.csg"


def test_fractions_are_of_columns_and_rows_from_the_first_row(tmp_path: Path) -> None:
    picks = read_picks(cs(tmp_path / "picked.cs"))
    assert picks.coords_yx_px().tolist() == [[75.0, 50.0], [100.0, 0.0], [50.0, 100.0]]
    assert picks.table["micrograph"].tolist() == ["J1/a.mrc", "J1/a.mrc", "J1/b.mrc"]
    assert picks.table["picker_score"].tolist() == [0.5, 0.25, -1.0]


def test_rows_go_and_columns_keep_type_and_order(tmp_path: Path) -> None:
    path = cs(tmp_path / "picked.cs")
    picks = read_picks(path)
    write_picks(picks, tmp_path / "all.cs", columns={})
    assert (tmp_path / "all.cs").read_bytes() == path.read_bytes()
    columns = {"rlnAutopickFigureOfMerit": np.array([0.75])}
    write_picks(picks.select(np.array([2])), tmp_path / "kept.cs", columns=columns)
    kept = np.load(tmp_path / "kept.cs", allow_pickle=False)
    expected = np.array([(*PICKS[2][:6], 0.75, b"3")], dtype=PICK_FIELDS)
    assert kept.dtype == expected.dtype
    np.testing.assert_array_equal(kept, expected)


def test_headers_longer_than_numpy_allows_are_read(tmp_path: Path) -> None:
    more = [(f"alignments_class_{i}/posterior", "<f4") for i in range(400)]
    rows = [(*row, *[0.0] * 400) for row in PICKS]
    path = cs(tmp_path / "picked.cs", PICK_FIELDS + more, rows)
    with pytest.raises(ValueError, match="header"):
        np.load(path)
    assert len(read_picks(path)) == 3


def test_a_group_joins_its_tables_and_writes_all_of_them(group: Path, tmp_path: Path) -> None:
    picks = read_picks(group)
    assert picks.table["picker_score"].tolist() == [0.5, 0.25, -1.0]
    written = write_picks(picks.select(np.array([0, 2])), tmp_path / "out" / "kept.csg")
    assert [path.name for path in written] == [
        "kept_J2_passthrough_particles.cs", "kept_picked.cs", "kept.csg",
    ]  # fmt: skip
    assert np.load(written[0]).tolist() == [(9, 3.0), (7, 1.0)]
    assert np.load(written[1])["uid"].tolist() == [7, 9]
    text = GROUP_TEXT.replace('">picked.cs"', "'>picked.cs'").replace("'>", "'>kept_")
    assert written[2].read_text() == text.replace("items: 3", "items: 2")


def test_a_group_without_a_pick_gone_is_the_same(group: Path, tmp_path: Path) -> None:
    cs(group.parent / "J2_passthrough_particles.cs", CTF_FIELDS, CTF[:3])
    picks = read_picks(group)
    written = write_picks(picks, tmp_path / "same" / "picked.csg", columns={})
    assert names_of(tmp_path / "same") == names_of(group.parent)
    for path in written:
        assert path.read_bytes() == (group.parent / path.name).read_bytes()


def test_all_tables_of_a_group_hold_the_same_picks(group: Path, tmp_path: Path) -> None:
    """A row of no pick would make the counts of a group differ."""
    *_, written = write_picks(read_picks(group), tmp_path / "same" / "picked.csg", columns={})
    assert written.read_text() == GROUP_TEXT
    passthrough = np.load(tmp_path / "same" / "J2_passthrough_particles.cs")
    assert passthrough["uid"].tolist() == [9, 5, 7]


EXPORTED = [
    (7, 1, b">J1/m/a.mrc", (100, 200), 0.25, 0.75, 0.5, b"one"),
    (5, 1, b">J1/m/a.mrc", (100, 200), 0.0, 1.0, 0.25, b">no"),
    (9, 2, b">J1/m/b.mrc", (100, 200), 0.5, 0.5, -1.0, b"3"),
]


@pytest.fixture
def exported(group: Path) -> Path:
    """A group as cryoSPARC exports it: > is its own folder, where links lead to the images."""
    cs(group.parent / "picked.cs", rows=EXPORTED)
    images = group.parent.parent / "J1" / "m"
    links = group.parent / "J1" / "m"
    for folder in (images, links):
        folder.mkdir(parents=True)
    for name in ("a.mrc", "b.mrc"):
        (images / name).write_text(name)
        (links / name).symlink_to(images / name)
    return group


@pytest.mark.parametrize("suffix", [".csg", ".cs"])
def test_what_an_exported_group_names_beside_it_is_beside_its_parts(
    exported: Path, tmp_path: Path, suffix: str
) -> None:
    picks = read_picks(exported.with_suffix(suffix))
    output = tmp_path / "deep" / "out"
    write_picks(picks.select(np.array([0, 1])), output / f"kept{suffix}", columns={})
    table = output / ("kept_picked.cs" if suffix == ".csg" else "kept.cs")
    assert np.load(table)["location/micrograph_path"].tolist() == [b">J1/m/a.mrc"] * 2
    assert (output / "J1" / "m" / "a.mrc").read_text() == "a.mrc"
    assert names_of(output / "J1" / "m") == ["a.mrc"]
    write_picks(picks.select(np.array([2])), output / f"rejected{suffix}", columns={})
    assert names_of(output / "J1" / "m") == ["a.mrc", "b.mrc"]
    assert not Path((output / "J1" / "m" / "a.mrc").readlink()).is_absolute()


def test_in_the_folder_of_the_export_nothing_is_linked(exported: Path) -> None:
    link = exported.parent / "J1" / "m" / "a.mrc"
    before = link.readlink()
    write_picks(read_picks(exported), exported.parent / "kept.csg", columns={})
    assert link.readlink() == before
    link.unlink()
    link.write_text("a real file, as cp -L makes it")
    write_picks(read_picks(exported), exported.parent / "kept.csg", columns={})
    assert link.read_text() == "a real file, as cp -L makes it"


def test_another_file_in_the_place_of_a_neighbour_stays(
    exported: Path, tmp_path: Path
) -> None:
    place = tmp_path / "out" / "J1" / "m" / "a.mrc"
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    with pytest.raises(PickFormatError, match=r"a\.mrc is in the way"):
        write_picks(read_picks(exported), tmp_path / "out" / "kept.csg", columns={})
    assert place.read_text() == "mine"
    assert not (tmp_path / "out" / "kept.csg").exists()


@pytest.mark.parametrize("name", [b">../x", b">/etc/hostname", b">", b">gone", b">picked.cs"])
def test_names_that_lead_elsewhere_are_not_followed(
    group: Path, tmp_path: Path, name: bytes
) -> None:
    rows = [(*row[:2], name, *row[3:]) for row in PICKS]
    cs(group.parent / "picked.cs", rows=rows)
    (tmp_path / "x").write_text("outside")
    write_picks(read_picks(group), tmp_path / "new" / "out" / "picked.csg", columns={})
    assert names_of(tmp_path / "new" / "out") == [
        "J2_passthrough_particles.cs", "picked.cs", "picked.csg",
    ]  # fmt: skip
    assert names_of(tmp_path / "new") == ["out"]
    assert not any(path.is_symlink() for path in (tmp_path / "new").rglob("*"))


def test_kept_and_rejected_groups_lie_in_one_folder(group: Path, tmp_path: Path) -> None:
    picks = read_picks(group)
    for name, rows in (("kept", [0]), ("rejected", [1, 2])):
        write_picks(picks.select(np.array(rows)), tmp_path / "out" / f"{name}.csg")
    kept, rejected = (read_picks(tmp_path / "out" / f"{n}.csg") for n in ("kept", "rejected"))
    assert kept.coords_yx_px().tolist() == picks.coords_yx_px()[:1].tolist()
    assert rejected.coords_yx_px().tolist() == picks.coords_yx_px()[1:].tolist()


@pytest.mark.parametrize("suffix", [".csg", ".cs"])
def test_picks_are_flipped_with_all_they_have(
    group: Path, tmp_path: Path, suffix: str
) -> None:
    """Row 75 of 0 to 99 becomes 24."""
    rows = [(*row[:5], min(row[5], 0.75), *row[6:]) for row in PICKS]
    cs(group.parent / "picked.cs", rows=rows)
    picks = read_picks(group.with_suffix(suffix))
    plan = planned(
        picks, tmp_path / f"new{suffix}", FORMAT if suffix == ".cs" else GROUP,
        Moves(flip_y=True), n_rows=dict.fromkeys(picks.rows_by_micrograph(), 100),
    )  # fmt: skip
    assert plan.lost == ()
    plan.write()
    back = read_picks(tmp_path / f"new{suffix}")
    before, after = picks.coords_yx_px(), back.coords_yx_px()
    assert after[:, 0] == pytest.approx(99 - before[:, 0], abs=1e-4)
    assert after[:, 1].tolist() == before[:, 1].tolist()
    table = np.load(tmp_path / ("new.cs" if suffix == ".cs" else "new_picked.cs"))
    others = [name for name, *_ in PICK_FIELDS if name != "location/center_y_frac"]
    for name in others:
        assert table[name].tolist() == np.array(rows, PICK_FIELDS)[name].tolist()


def test_scores_of_a_group_are_replaced_in_its_table(group: Path, tmp_path: Path) -> None:
    columns = {"rlnAutopickFigureOfMerit": np.array([0.125, 0.625])}
    picks = read_picks(group).select(np.array([1, 2]))
    write_picks(picks, tmp_path / "kept.csg", columns=columns)
    assert np.load(tmp_path / "kept_picked.cs")["pick_stats/ncc_score"].tolist() == [
        0.125, 0.625,
    ]  # fmt: skip


def test_no_input_is_overwritten_by_a_table_beside_the_output(group: Path) -> None:
    picks = read_picks(group)
    (group.parent / "x_picked.cs").symlink_to(group.parent / "picked.cs")
    before = (group.parent / "picked.cs").read_bytes()
    with pytest.raises(PickFormatError, match=r"x_picked\.cs is one of the files"):
        write_picks(picks.select(np.array([0])), group.parent / "x.csg")
    assert (group.parent / "picked.cs").read_bytes() == before


def test_a_job_folder_is_its_group(group: Path) -> None:
    assert len(read_picks(group.parent)) == 3
    (group.parent / "excluded.csg").write_text(GROUP_TEXT)
    with pytest.raises(PickFormatError, match="holds several lists of picks"):
        read_picks(group.parent)


def test_places_in_another_table_are_asked_for(group: Path) -> None:
    with pytest.raises(PickFormatError, match=r"no places of picks.*Pass the job's \.csg"):
        read_picks(group.parent / "J2_passthrough_particles.cs")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([(9, 3.0), (5, 2.0)], "has no row of the uid 7, which the picks have .1 such."),
        ([], "has no row of the uid 7"),
        ([(9, 3.0), (9, 2.0), (7, 1.0), (5, 1.0)], "the uid 9 is there twice"),
    ],
)
def test_tables_that_do_not_fit_are_refused(group: Path, rows: list, problem: str) -> None:
    path = group.parent / "J2_passthrough_particles.cs"
    cs(path, [("uid", "<u8"), ("ctf/df1_A", "<f4")], rows)
    with pytest.raises(PickFormatError, match=problem) as raised:
        read_picks(group)
    assert str(path) in str(raised.value)


def test_a_group_says_which_table_is_missing(group: Path) -> None:
    (group.parent / "picked.cs").unlink()
    with pytest.raises(PicksNotFoundError, match=r"picked\.cs does not exist") as raised:
        read_picks(group)
    assert str(group) in str(raised.value)


@pytest.mark.parametrize(("n", "told"), [(300, "cannot be read"), (5000, "no path has")])
def test_a_group_that_names_what_can_be_no_file_is_refused(
    tmp_path: Path, n: int, told: str
) -> None:
    (tmp_path / "a.csg").write_text(f"results:\n  a:\n    metafile: '>{'a' * n}'\n")
    with pytest.raises(PickFormatError, match=told):
        read_picks(tmp_path / "a.csg")


@pytest.mark.parametrize("text", ["created: now\n", "{results: {}}\n", "results:\n  a:\n"])
def test_other_text_is_no_group(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csg").write_text(text)
    with pytest.raises(PickFormatError, match="no result group of cryoSPARC"):
        read_picks(tmp_path / "a.csg")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("metafile: '>picked.cs'", "{metafile: '>picked.cs', a: 1}", 12),
        ("metafile: '>picked.cs'", "metafile:", 12),
        ("num_items: 3\n    type: particle.location", "num_items: [3, 4]", 13),
    ],
)
def test_a_table_or_count_in_another_spelling_is_refused_by_its_line(
    group: Path, old: str, new: str, line: int
) -> None:
    assert old in GROUP_TEXT
    group.write_text(GROUP_TEXT.replace(old, new))
    with pytest.raises(
        PickFormatError, match=rf"picked\.csg, line {line}: expected (metaf|num_)"
    ):
        read_picks(group)


def test_remarks_beside_names_and_counts_stay(group: Path, tmp_path: Path) -> None:
    remarked = GROUP_TEXT.replace("num_items: 3", "num_items: 3  # all").replace(
        "'>picked.cs'", "'>picked.cs' # its"
    )
    group.write_text(remarked)
    *_, written = write_picks(read_picks(group).select(np.array([0])), tmp_path / "kept.csg")
    text = written.read_text()
    assert text.count("num_items: 1  # all") == 3
    assert "metafile: '>kept_picked.cs' # its" in text


def test_one_table_says_which_group_goes_back(group: Path) -> None:
    (source,) = read_picks(group.parent / "picked.cs").sources
    assert "prune the job's .csg: picked.csg, which lies beside it" in source.advice
    group.unlink()
    (source,) = read_picks(group.parent / "picked.cs").sources
    assert source.advice.endswith("prune the job's .csg (Export in the tab Outputs).")


NEW_GROUP = """group:
  description: Picks
  name: picks_2_new
  title: Picks
  type: particle
results:
  location:
    metafile: '>2 new.cs'
    num_items: 1
    type: particle.location
  pick_stats:
    metafile: '>2 new.cs'
    num_items: 1
    type: particle.pick_stats
version: v4.0.0""".splitlines()


def test_new_files_are_those_of_a_result_group(tmp_path: Path) -> None:
    name = "J1/imported/000000000000000000012_a.mrc"
    picks = Picks.from_arrays(name, [50.0], [75.0], picker_score=[0.5])
    given = Given(shapes_yx_px={name: (100, 200)})
    table, text = write_as(picks, tmp_path / "2 new.csg", GROUP, given)
    row = np.load(table)[0]
    assert row["location/micrograph_uid"] == 12
    assert row["location/micrograph_shape"].tolist() == [100, 200]
    assert (row["location/center_x_frac"], row["location/center_y_frac"]) == (0.25, 0.75)
    created, *lines = text.read_text().splitlines()
    assert re.fullmatch(r"created: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", created)
    assert lines == NEW_GROUP
    again = read_picks(text).table
    assert again[["micrograph", "x", "y", "picker_score"]].to_numpy().tolist() == [
        [name, 50.0, 75.0, 0.5]
    ]


def test_new_files_need_shapes_and_uids(tmp_path: Path) -> None:
    name = "000000000000000000012_a.mrc"
    with pytest.raises(PickFormatError, match="shape of 0+12_a.mrc is needed"):
        write_as(Picks.from_arrays(name, [1], [2]), tmp_path / "a.cs", FORMAT)
    given = Given(shapes_yx_px={"a.mrc": (9, 9)})
    with pytest.raises(PickFormatError, match=r"does not begin with one .21 digits.*\.star"):
        write_as(Picks.from_arrays("a.mrc", [1], [2]), tmp_path / "a.cs", FORMAT, given)
    assert names_of(tmp_path) == []
