"""Of files of any format, what is told to be lost in another one is lost, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fuzzing import bounded_few
from hypothesis import assume, given
from hypothesis import strategies as st
from pick_file_samples import SAMPLES

from napari_pickeroptimizer.conversion import inspect_path, planned
from napari_pickeroptimizer.conversion.convert import WRITABLE
from napari_pickeroptimizer.conversion.losses import losses, other_labels
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.io.registry import SUFFIXES, format_of
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import COLUMNS, MICROGRAPH, X, Y

BOX_PX = 64
# micrographs of up to so many pixels a side, whose fractions are in single precision
SIDE_PX = 16384
DIGITS = SIDE_PX * 2**-23
NEW_NUMBERS = ("uid", "location/exp_group_id", "location/micrograph_uid")


def converted(picks: Picks, folder: Path, pick_format: PickFormat) -> Picks:
    """Convert picks, and read them again, under the names of their micrographs."""
    names = list(picks.rows_by_micrograph())
    is_tree = pick_format.room.one_file_a_micrograph
    output = folder / ("tree" if is_tree else f"a{pick_format.suffixes[0]}")
    shapes = dict.fromkeys(names, (SIDE_PX, SIDE_PX))
    planned(picks, output, pick_format, given=Given(BOX_PX, shapes)).write()
    again = read_picks(output)
    known = Micrographs.named(names)
    return again.with_columns(
        micrograph=[known.resolve(name).name for name in again.table[MICROGRAPH.name]]
    )


def told(lost: list[str], words: str) -> str:
    """Return the rest of the phrase that begins with `words`; empty if there is none."""
    return next((p.removeprefix(words) for p in lost if p.startswith(words)), "")


def order_in(again: Picks, picks: Picks, pick_format: PickFormat) -> np.ndarray:
    """Return which of `picks` each of those read again is: in order, on each micrograph."""
    rows, order = picks.rows_by_micrograph(), np.arange(len(picks))
    if pick_format.room.one_file_a_micrograph:  # the files come in the order of their names
        order = np.concatenate([rows[name] for name in again.rows_by_micrograph()])
    names = picks.table[MICROGRAPH.name].to_numpy()[order]
    assert again.table[MICROGRAPH.name].tolist() == names.tolist()
    return order


def values_of(picks: Picks, label: str, order: np.ndarray) -> list[str] | None:
    (source, *more) = picks.sources
    assert not more
    strings = source.strings(label)
    rows = picks.table["source_row"].to_numpy()[order]
    return None if strings is None else strings[rows].tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
@bounded_few
@given(data=st.data(), target=st.sampled_from(WRITABLE))
def test_what_is_told_is_lost_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    target: PickFormat,
    data: st.DataObject,
) -> None:
    first = format_of(f"a{suffix}")
    assert first is not None
    assume(target is not first)  # copies lose nothing: see test_format_properties.py
    sample = data.draw(SAMPLES[suffix])
    assume(sample.picks)
    folder = tmp_path_factory.mktemp("lost")
    path = sample.write(folder)
    picks = read_picks(path)
    if "shapes_yx_px" in (*target.room.needs, *first.room.needs):  # cryoSPARC's names
        names = list(picks.rows_by_micrograph())
        renamed = {name: f"m/{i:021d}_{i}.mrc" for i, name in enumerate(names, 1)}
        picks = picks.with_columns(micrograph=picks.table[MICROGRAPH.name].map(renamed))
    lost = losses(picks, target, BOX_PX)
    again = converted(picks, folder / "1", target)

    order = order_in(again, picks, target)
    off = np.abs(again.coords_yx_px() - picks.coords_yx_px()[order]).max(axis=1)
    rounded = re.match(r"([\d,]+) of", told(lost, "fractions of pixels: "))
    if rounded:
        assert (off > 1.1e-5).sum() <= int(rounded[1]) <= (off > 0.9e-5).sum()
        assert off.max() <= 0.5
    else:
        assert off.max() <= DIGITS
    for column in COLUMNS:
        before, after = picks.values(column)[order], again.values(column)
        if column in (X, Y, MICROGRAPH):
            continue
        if told(lost, f"{column.name} ("):
            assert not column.is_missing(before).all()
            before = column.all_missing(len(picks))
        if column.dtype is np.float64:
            np.testing.assert_allclose(after, before, rtol=1e-7, atol=1e-6)
        else:
            assert after.tolist() == before.tolist(), column.name
    phrase = next((p for p in lost if " other columns: " in p), "")
    names = phrase.partition(": ")[2].split(", ") if phrase else []
    for label in other_labels(picks):
        if label in names:
            # new files of cryoSPARC have numbers of their own
            assert label in NEW_NUMBERS or label not in other_labels(again)
        else:
            expected = values_of(picks, label, order)
            assert values_of(again, label, np.arange(len(again))) == expected
    besides = {name for source in picks.sources for name in source.besides}
    assert bool(besides) == bool(told(lost, "what is in the files besides the picks: "))
    assert not besides & {name for source in again.sources for name in source.besides}

    # and inspect tells the same, with fewer names; it does not know how large boxes will be
    known = {t.format: t for t in inspect_path(str(path)).targets}[target.name]
    kinds = [re.sub(r"[:(].*", "", p) for p in losses(read_picks(path), target, BOX_PX)]
    kinds_told = [re.sub(r"[:(].*", "", p) for p in known.lost]
    if "box_px" in known.needs:
        kinds, kinds_told = (
            [kind for kind in some if kind != "fractions of pixels"]
            for some in (kinds, kinds_told)
        )
    assert kinds_told == kinds

    # there and back
    back = converted(again, folder / "2", first)
    order = order_in(back, again, first)
    off = np.abs(back.coords_yx_px() - again.coords_yx_px()[order]).max()
    assert off <= (0.5 if first.room.whole_pixels else DIGITS)
