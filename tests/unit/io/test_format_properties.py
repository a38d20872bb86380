"""What holds of every format of the registry: nothing is lost, and nothing moves.

A new format gets most of this for nothing, and the rest with a strategy of its files in
`pick_file_samples.py`.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from fuzzing import bounded_few
from hypothesis import given
from hypothesis import strategies as st
from pick_file_samples import SAMPLES, Sample, star

from napari_pickeroptimizer.conversion.convert import WRITABLE
from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.io.registry import SUFFIXES, format_of
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import MICROGRAPH, PICKER_SCORE

every_suffix = pytest.mark.parametrize("suffix", SUFFIXES)
every_format = pytest.mark.parametrize("pick_format", WRITABLE, ids=lambda f: f.name)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, by their place in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- files of other programs -----------------------------------------------------------------


def test_there_are_samples_of_every_format_that_is_read() -> None:
    assert set(SAMPLES) == set(SUFFIXES)


@every_suffix
@bounded_few
@given(data=st.data())
def test_picks_are_those_that_the_file_tells(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    sample = data.draw(SAMPLES[suffix])
    path = sample.write(tmp_path_factory.mktemp("read"))
    picks = read_picks(path)
    stem = path.stem.removesuffix("_info")
    names, x, y, score = zip(*sample.picks, strict=True) if sample.picks else [()] * 4
    assert picks.table["micrograph"].tolist() == [name or stem for name in names]
    assert picks.coords_yx_px().tolist() == [[b, a] for a, b in zip(x, y, strict=True)]
    np.testing.assert_array_equal(picks.values(PICKER_SCORE), np.array(score, dtype=float))


@every_suffix
@bounded_few
@given(data=st.data())
def test_the_files_without_some_picks_are_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    """Byte by byte: lines, columns, tables, keys, order, line ends; with none left out, too."""
    sample = data.draw(SAMPLES[suffix])
    folder = tmp_path_factory.mktemp("write")
    (folder / "in").mkdir()
    picks = read_picks(sample.write(folder / "in"))
    before = contents(folder / "in")
    kept = data.draw(st.lists(st.sampled_from(range(len(picks))), unique=True).map(sorted)
                     if len(picks) else st.just([]))  # fmt: skip
    for name, rows in (("all", list(range(len(picks)))), ("kept", kept)):
        write_picks(picks.select(rows), folder / name / sample.name, columns={})
        assert contents(folder / name) == sample.content(rows)
    assert contents(folder / "in") == before


@every_suffix
@bounded_few
@given(data=st.data())
def test_other_scores_take_the_place_of_the_old_ones_and_of_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    sample = data.draw(SAMPLES[suffix])
    folder = tmp_path_factory.mktemp("score")
    picks = read_picks(sample.write(folder))
    new = np.arange(len(picks)) / 8
    *_, path = write_picks(
        picks, folder / "new" / sample.name, columns={PICKER_SCORE.star: new}
    )
    again = read_picks(path)
    assert again.coords_yx_px().tolist() == picks.coords_yx_px().tolist()
    assert again.table["micrograph"].tolist() == picks.table["micrograph"].tolist()
    old, found = picks.values(PICKER_SCORE), again.values(PICKER_SCORE)
    changed = found != new
    # some formats have a score of some picks, or of none, and no room for one of the others
    np.testing.assert_array_equal(found[changed], old[changed])
    has_columns = all(source.holds_columns for source in picks.sources)
    assert not changed.any() or (not has_columns and np.isnan(found[changed]).all())
    # and back again: nothing else had changed
    *_, path = write_picks(again, folder / "old" / sample.name, columns={})
    assert contents(folder / "old") == contents(folder / "new")


def trees(one: st.SearchStrategy[Sample]) -> st.SearchStrategy[dict[str, Sample]]:
    places = ["a", "b.c", "grid1/a", "grid 2/a", "grid1/deep/d"]
    return st.dictionaries(st.sampled_from(places), one, min_size=1, max_size=4)


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s not in (".cs", ".csg")])
@bounded_few
@given(data=st.data())
def test_a_folder_of_files_keeps_its_subfolders_and_its_files(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    tree = data.draw(trees(SAMPLES[suffix]))
    root = tmp_path_factory.mktemp("tree")
    for place, sample in tree.items():
        path = root / "in" / f"{place}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.called(path.name).write(path.parent)
    picks = read_picks(root / "in")
    before = contents(root / "in")
    owner = [
        (f"{place}{suffix}", i)
        for place in sorted(tree, key=lambda place: Path(f"{place}{suffix}"))
        for i in range(len(tree[place].picks))
    ]
    assert len(picks) == len(owner)
    is_kept = data.draw(st.lists(st.booleans(), min_size=len(owner), max_size=len(owner)))
    write_picks(picks.select(np.array(is_kept, dtype=bool)), root / "out", columns={})
    expected = {}
    for place, sample in tree.items():
        name = f"{place}{suffix}"
        rows = [i for (o, i), k in zip(owner, is_kept, strict=True) if o == name and k]
        if rows:  # a file without picks is left out
            file = Path(name).name
            expected[name] = sample.called(file).content(rows)[file]
    assert contents(root / "out") == expected
    assert contents(root / "in") == before


@pytest.mark.parametrize("list_name", ["autopick.star", "coords_suffix_manualpick.star"])
@bounded_few
@given(tree=trees(star(of_one_micrograph=True)), data=st.data())
def test_coordinate_files_of_relion_keep_their_list(
    tmp_path_factory: pytest.TempPathFactory,
    list_name: str,
    tree: dict[str, Sample],
    data: st.DataObject,
) -> None:
    root = tmp_path_factory.mktemp("list")
    suffix = "manualpick" if list_name.startswith("coords") else "autopick"
    job = root / "AutoPick/job006"
    names = {place: f"MotionCorr/job002/{place}.mrc" for place in tree}
    files = {place: f"{place}_{suffix}.star" for place in tree}
    for place, sample in tree.items():
        path = job / files[place]
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.called(path.name).write(path.parent)
    spelt = {place: f'"{name}"' for place, name in names.items()}
    if suffix == "autopick":
        rows = [f'{spelt[p]} "AutoPick/job006/{files[p]}" ' for p in tree]
        labels = "_rlnMicrographName #1 \n_rlnMicrographCoordinates #2 \n"
        (job / list_name).write_text(
            "\ndata_coordinate_files\n\nloop_ \n" + labels + "\n".join([*rows, " ", ""])
        )
    else:
        (root / "micrographs.star").write_text(
            "data_micrographs\n\nloop_\n_rlnMicrographName\n"
            + "\n".join([*spelt.values(), ""])
        )
        (job / list_name).write_text("micrographs.star\n")
    picks = read_picks(job)
    expected = [(names[p], x, y) for p, s in tree.items() for _, x, y, _ in s.picks]
    y_px, x_px = picks.coords_yx_px().T.tolist()
    assert list(zip(picks.table["micrograph"], x_px, y_px, strict=True)) == expected
    is_kept = data.draw(
        st.lists(st.booleans(), min_size=len(picks), max_size=len(picks)).filter(any)
    )
    out = root / "External/job010"
    kept = picks.select(np.array(is_kept))
    write_picks(kept, out, columns={})
    again = read_picks(out / f"{suffix}.star")
    assert again.table["micrograph"].tolist() == kept.table["micrograph"].tolist()
    assert again.coords_yx_px().tolist() == kept.coords_yx_px().tolist()
    names_kept = set(kept.table["micrograph"])
    assert set(contents(out)) == {
        f"{suffix}.star", list_name, *(files[p] for p in tree if names[p] in names_kept),
    }  # fmt: skip


# -- new files ---------------------------------------------------------------------------------

NY, NX = 4092, 5760
NAMES = [
    f"{folder}{i:021d}_{stem}.mrc"
    for i, (folder, stem) in enumerate(
        [("", "a"), ("Movies/", "b.c"), ("MotionCorr/job002/grid1/", "d 1"), ("grid2/", "b#")],
        1,
    )
]
quarters = st.integers(-40, 4 * NX).map(lambda n: n / 4)
picked = st.tuples(
    st.sampled_from(NAMES),
    st.floats(-10, NX) | quarters,
    st.floats(-10, NY) | quarters,
    st.sampled_from([0.5, -3.25, 0.123456, 12.0, math.nan]),
)


def precision_px(pick_format: PickFormat) -> float:
    """Return what coordinates of a new file may be off: see `Room` and docs of the formats."""
    if pick_format.room.whole_pixels:
        return 0.5
    if "shapes_yx_px" in pick_format.room.needs:  # fractions in single precision
        return NX * 2**-23
    return 1e-6  # six decimals


def given_for(picks: Picks) -> Given:
    return Given(64, dict.fromkeys(picks.rows_by_micrograph(), (NY, NX)))


@every_format
@bounded_few
@given(rows=st.lists(picked, min_size=1, max_size=8), data=st.data())
def test_a_new_file_gives_the_picks_back(
    tmp_path_factory: pytest.TempPathFactory,
    pick_format: PickFormat,
    rows: list[tuple[str, float, float, float]],
    data: st.DataObject,
) -> None:
    names, x, y, score = zip(*rows, strict=True)
    picks = Picks.from_arrays(list(names), x, y, picker_score=score)
    room, suffix = pick_format.room, pick_format.suffixes[0]
    folder = tmp_path_factory.mktemp("new")
    output = folder / ("tree" if room.one_file_a_micrograph else f"a{suffix}")
    *_, path = write_as(picks, output, pick_format, given_for(picks))
    again = read_picks(output if room.one_file_a_micrograph else path)
    # of files of one micrograph, those come one after the other
    known = Micrographs.named(NAMES)
    meant = [known.resolve(name).name for name in again.table["micrograph"]]
    by_name = [i for name in dict.fromkeys(meant) for i, n in enumerate(names) if n == name]
    order = by_name if room.one_file_a_micrograph else list(range(len(rows)))
    assert meant == [names[i] for i in order]
    if MICROGRAPH in room.columns and pick_format.name != "TOPAZ":  # which has stems
        assert again.table["micrograph"].tolist() == list(names)
    off = np.abs(again.coords_yx_px() - picks.coords_yx_px()[order])
    assert off.max() <= precision_px(pick_format)
    expected = picks.values(PICKER_SCORE)[order]
    if PICKER_SCORE not in room.columns:
        expected = np.full(len(rows), np.nan)
    np.testing.assert_allclose(again.values(PICKER_SCORE), expected, rtol=1e-7, atol=1e-6)
    # the new file is as good as one of another program
    is_kept = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    )
    target = folder / ("kept" if room.one_file_a_micrograph else f"kept/{path.name}")
    write_picks(again, folder / "all" / output.name, columns={})
    written = write_picks(again.select(is_kept), target, columns={})
    before = contents(output) if output.is_dir() else contents(folder / "all")
    after = contents(folder / "all" / output.name) if output.is_dir() else {
        name: (folder / name).read_bytes() for name in before
    }  # fmt: skip
    assert after == before
    if is_kept.any():
        kept = read_picks(target if room.one_file_a_micrograph else written[-1])
        left = again.select(is_kept)
        assert kept.coords_yx_px().tolist() == left.coords_yx_px().tolist()
        assert kept.table["micrograph"].tolist() == left.table["micrograph"].tolist()


def test_the_names_of_the_samples_lead_to_their_formats() -> None:
    for suffix in SUFFIXES:
        found = format_of(f"a{suffix}")
        assert found is not None
        assert found.read is not None
