"""Picks are grouped by micrograph once; reading survives what cannot be read."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.errors import AmbiguousMicrographError, MicrographNotFoundError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRead,
    check_any_found,
    group_by_micrograph,
    made_ahead,
    read_micrographs,
)


def picks_on(*names: str) -> Picks:
    return Picks.from_arrays(list(names), x=[1.0] * len(names), y=[1.0] * len(names))


def test_spellings_of_one_micrograph_are_one_group_in_the_order_of_the_picks() -> None:
    micrographs = Micrographs.named(["job/a.mrc", "job/b.mrc"])
    picks = picks_on("gone", "b", "job/a.mrc", "b.mrc", "job/b.mrc", "gone")
    groups = group_by_micrograph(micrographs, picks)
    assert [(g.name, g.rows.tolist()) for g in groups] == [
        ("gone", [0, 5]),
        ("b", [1, 3, 4]),
        ("job/a.mrc", [2]),
    ]
    assert [g.micrograph for g in groups] == [None, micrographs["b"], micrographs["a"]]
    assert "'gone' is not among" in groups[0].reason


def test_a_file_found_by_two_ways_is_one_group(tmp_path: Path) -> None:
    np.zeros(1).tofile(tmp_path / "a.mrc")
    path = tmp_path / "a.mrc"
    twice = Micrographs((Micrograph("x/a.mrc", path), Micrograph("y/a.mrc", path)))
    (group,) = group_by_micrograph(twice, picks_on("x/a.mrc", "y/a.mrc"))
    assert group.rows.tolist() == [0, 1]
    assert group.micrograph == twice.items[0]


def test_those_asked_for_come_first_by_any_of_their_spellings() -> None:
    micrographs = Micrographs.named(["a.mrc", "b.mrc", "c.mrc"])
    picks = picks_on("a.mrc", "b.mrc", "c.mrc", "c")
    groups = group_by_micrograph(micrographs, picks, first=["c", "nobody's", "b.mrc", "c"])
    assert [g.name for g in groups] == ["c.mrc", "b.mrc", "a.mrc"]


def test_an_ambiguous_name_is_raised_and_never_guessed() -> None:
    with pytest.raises(AmbiguousMicrographError):
        group_by_micrograph(Micrographs.named(["x/a.mrc", "y/a.mrc"]), picks_on("a.mrc"))


def test_none_found_is_an_error_some_or_no_picks_are_none() -> None:
    micrographs = Micrographs.named(["a.mrc"])
    check_any_found(group_by_micrograph(micrographs, picks_on("a.mrc", "gone.mrc")))
    check_any_found([])
    with pytest.raises(MicrographNotFoundError, match=r"'gone\.mrc' is not among the 1"):
        check_any_found(group_by_micrograph(micrographs, picks_on("gone.mrc")))


def test_every_group_gives_one_event_and_a_bad_file_ends_nothing(
    spot_project, tmp_path: Path
) -> None:
    for i in (0, 2):
        data = (spot_project.micrographs / f"m{i}.mrc").read_bytes()
        (tmp_path / f"m{i}.mrc").write_bytes(data if i else b"no image")
    groups = group_by_micrograph(Micrographs.find(tmp_path), read_picks(spot_project.picks))
    events = list(read_micrographs(groups))
    assert [type(e) for e in events] == [MicrographFailed, MicrographFailed, MicrographRead]
    assert [(e.n_done, e.n_total) for e in events] == [(1, 3), (2, 3), (3, 3)]
    assert [e.progress for e in events] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [e.group for e in events] == groups
    bad, gone, good = events
    assert isinstance(bad, MicrographFailed)
    assert "m0.mrc" in bad.reason
    assert isinstance(gone, MicrographFailed)
    assert gone.reason == groups[1].reason
    assert isinstance(good, MicrographRead)
    np.testing.assert_array_equal(good.image, Micrographs.find(tmp_path)["m2"].read())


def test_only_the_next_one_is_read_ahead(spot_project, names_read: list[str]) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    reading = read_micrographs(
        group_by_micrograph(micrographs, read_picks(spot_project.picks))
    )
    next(reading)
    reading.close()
    assert names_read == ["m0.mrc", "m1.mrc"]
    assert list(reading) == []
    assert list(read_micrographs([])) == []


def test_what_is_made_of_an_image_outlives_its_memory_which_is_used_again(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    images = {f"m{i}.mrc": rng.normal(i, 1, (64, 64 - 8 * i)) for i in range(3)}
    for name, image in images.items():
        with mrcfile.new(tmp_path / name) as mrc:
            mrc.set_data(image.astype(np.float32))
    groups = group_by_micrograph(Micrographs.find(tmp_path), picks_on(*images))
    memory: list[int] = []

    def mean(micrograph: Micrograph, image: np.ndarray) -> float:
        memory.append(image.ctypes.data)
        return float(image.mean())

    made = [made for _, made, _, _ in made_ahead(groups, mean)]
    assert made == pytest.approx([image.mean() for image in images.values()], abs=1e-5)
    assert len(set(memory)) == 1
    kept = [event.image for event in read_micrographs(groups)]
    for read, image in zip(kept, images.values(), strict=True):
        np.testing.assert_array_equal(read, image.astype(np.float32))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_images_without_contrast_are_unreadable(tmp_path: Path) -> None:
    hot, rounded = np.full((600, 700), 5.0), np.full((600, 700), 3e6)
    hot[7, 8] = 1e6
    rounded += np.indices(rounded.shape).sum(axis=0) % 2 * 0.25  # one float32 step
    dead = {
        "constant": np.full((600, 700), 7.0),
        "zero": np.zeros((600, 700)),
        "nan": np.full((600, 700), np.nan),
        "infinite": np.full((600, 700), -np.inf),
        "hot": hot,
        "rounded": rounded,
    }
    masked = np.zeros((600, 700))
    masked[:60] = np.random.default_rng(0).normal(size=(60, 700))
    for name, image in {**dead, "masked": masked}.items():
        with mrcfile.new(tmp_path / f"{name}.mrc") as mrc:
            mrc.set_data(image.astype(np.float32))
    names = [f"{name}.mrc" for name in (*dead, "masked")]
    groups = group_by_micrograph(Micrographs.find(tmp_path), picks_on(*names))
    *failed, good = read_micrographs(groups)
    assert [type(e) for e in failed] == [MicrographFailed] * len(dead)
    assert all("has no contrast" in e.reason for e in failed)
    assert isinstance(good, MicrographRead)


def test_a_micrograph_beyond_the_memory_ends_no_run(
    spot_project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(micrograph: Micrograph, *into: object) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr(Micrograph, "read", read)
    groups = group_by_micrograph(
        Micrographs.find(spot_project.micrographs), read_picks(spot_project.picks)
    )
    events = list(read_micrographs(groups))
    assert [type(e) for e in events] == [MicrographFailed] * 3
    assert all("memory" in e.reason for e in events)
