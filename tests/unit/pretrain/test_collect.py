"""Labels and regions decide the category; what is there already is not overwritten."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.boxes import Windows, cut_boxes, render
from napari_pickeroptimizer.errors import (
    BoxOutsideError,
    BoxSetError,
    LabelError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.pretrain.categories import read_categories
from napari_pickeroptimizer.pretrain.collect import (
    Collected,
    CollectSettings,
    MicrographCollected,
    MicrographSkipped,
    collect,
)
from napari_pickeroptimizer.pretrain.regions import Disc, Polygon, Regions

SPOTS = CollectSettings("spots", diameter_px=24, n_per_region_kind=0)
LEFT = Polygon(np.array([[0, 0], [100, 0], [100, 259], [0, 259.0]]))


def collected(project, output: Path, settings=SPOTS, *, picks=None, regions=None):
    """Run to the end; return the last event."""
    found = Micrographs.find(project.micrographs)
    picks = read_picks(project.labels) if picks is None else picks
    *_, last = collect(found, picks, regions, settings, output)
    assert isinstance(last, Collected)
    return last


def test_labels_become_categories_of_the_entry(spot_project, tmp_path: Path) -> None:
    result = collected(spot_project, tmp_path)
    assert result.counts == {"contaminant_spots": 36, "particle_spots": 36}
    categories = read_categories(tmp_path)
    assert categories.entries == ("spots",)
    assert categories.class_ids == (2, 1)
    centres = categories.draw(np.arange(72)).pixels[:, 0, 36:46, 36:46].mean(dim=(1, 2))
    assert (centres[:36] > 2).all()  # contaminants are bright
    assert (centres[36:] < -2).all()


def test_windows_are_those_of_the_scoring_but_for_the_sub_pixel_offset(
    spot_project, tmp_path: Path
) -> None:
    # at 32 px the working resolution is the micrograph's own, and whole coordinates have no
    # offset but that of the box's even side
    labels = read_picks(spot_project.labels)
    one = labels.select((labels.table["micrograph"] == "Micrographs/m0.mrc").to_numpy())
    settings = dataclasses.replace(SPOTS, diameter_px=32)
    collected(spot_project, tmp_path, settings, picks=one)
    rows = np.flatnonzero(one.labels == 1)
    micrograph = Micrographs.find(spot_project.micrographs)["m0.mrc"]
    wanted = cut_boxes(micrograph.read(), one.coords_yx_px()[rows], settings.boxes)
    windows = read_categories(tmp_path).draw(np.arange(12, 24))
    windows = Windows(windows.pixels, torch.full((12, 2), 0.5))
    torch.testing.assert_close(render(windows, 48), wanted, atol=0.02, rtol=0)


def test_regions_win_over_labels(spot_project, tmp_path: Path) -> None:
    labels = read_picks(spot_project.labels)
    regions = {"m0": Regions((LEFT,), (Disc(159, 35, 10),)), "elsewhere": Regions((LEFT,))}
    on_carbon = (
        (labels.table["micrograph"] == "Micrographs/m0.mrc") & (labels.table["x"] < 100)
    ).sum()
    counts = collected(spot_project, tmp_path, regions=regions).counts
    assert on_carbon > 0
    assert counts["carbon_spots"] == on_carbon
    assert counts["contaminant_ice_spots"] == 1
    assert sum(counts.values()) == 72


def test_random_points_fill_regions_with_few_picks(spot_project, tmp_path: Path) -> None:
    settings = dataclasses.replace(SPOTS, n_per_region_kind=30)
    regions = {"m0": Regions((LEFT,)), "m2": Regions((LEFT,), (Disc(300, 100, 12),))}
    counts = collected(spot_project, tmp_path, settings, regions=regions).counts
    assert counts["carbon_spots"] == 30
    # a disc of one particle's size has room for a few boxes only
    assert 1 <= counts["contaminant_ice_spots"] <= 5
    # without any picks the regions alone make a set
    found = Micrographs.find(spot_project.micrographs)
    *_, last = collect(found, None, regions, settings, tmp_path / "regions alone")
    assert last.counts["carbon_spots"] == 30


def test_the_same_seed_gives_the_same_files(spot_project, tmp_path: Path) -> None:
    settings = dataclasses.replace(SPOTS, n_per_region_kind=30)
    regions = {"m1": Regions((LEFT,))}
    for name in "ab":
        collected(spot_project, tmp_path / name, settings, regions=regions)
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.mrcs")]
    assert len(files) == 3
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_category_for_all_picks_needs_no_labels(spot_project, tmp_path: Path) -> None:
    picks = read_picks(spot_project.picks)
    with pytest.raises(LabelError, match="--category"):
        collected(spot_project, tmp_path, picks=picks)
    settings = dataclasses.replace(SPOTS, category="particle_spot")
    assert collected(spot_project, tmp_path, settings, picks=picks).counts == {
        "particle_spot_spots": 72
    }


def test_an_entry_is_not_overwritten_unless_told(spot_project, tmp_path: Path) -> None:
    collected(spot_project, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.mrcs")}
    smaller = dataclasses.replace(SPOTS, diameter_px=20)
    with pytest.raises(BoxSetError, match="entry 'spots' is already there .*--overwrite"):
        collected(spot_project, tmp_path, smaller)
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*.mrcs")}
    collected(spot_project, tmp_path, dataclasses.replace(smaller, overwrite=True))
    assert all(p.read_bytes() != content for p, content in before.items())
    collected(spot_project, tmp_path, dataclasses.replace(SPOTS, entry="again"))
    assert read_categories(tmp_path).entries == ("again", "spots")


def test_picks_within_the_border_are_left_out(spot_project, tmp_path: Path) -> None:
    settings = dataclasses.replace(SPOTS, border_px=36)  # the outermost spots lie at 35 px
    result = collected(spot_project, tmp_path, settings)
    n_inner = sum(
        36 <= x <= 379 - 36 and 36 <= y <= 259 - 36
        for x, y in read_picks(spot_project.labels).table[["x", "y"]].to_numpy()
    )
    assert 0 < n_inner < 72
    assert sum(result.counts.values()) == n_inner
    with pytest.raises(BoxSetError, match="no box was cut"):
        collected(spot_project, tmp_path / "b", dataclasses.replace(SPOTS, border_px=130))


def test_inputs_stay_and_stopping_leaves_nothing(spot_project, tmp_path: Path) -> None:
    def contents() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in spot_project.root.rglob("*") if p.is_file()}

    before = contents()
    found = Micrographs.find(spot_project.micrographs)
    run = collect(found, read_picks(spot_project.labels), None, SPOTS, tmp_path / "set")
    first = next(run)
    assert isinstance(first, MicrographCollected)
    assert (first.n_boxes, first.progress) == (24, pytest.approx(1 / 3))
    run.close()
    assert [p for p in (tmp_path / "set").rglob("*") if p.is_file()] == []
    collected(spot_project, tmp_path / "set")
    assert contents() == before


def test_an_unreadable_micrograph_is_skipped_and_told(spot_project, tmp_path: Path) -> None:
    folder = tmp_path / "mics"
    folder.mkdir()
    for path in spot_project.micrographs.iterdir():
        (folder / path.name).write_bytes(
            path.read_bytes()[: 4000 if "m1" in path.name else None]
        )
    labels = read_picks(spot_project.labels)
    *told, last = collect(Micrographs.find(folder), labels, None, SPOTS, tmp_path / "set")
    assert [type(e) for e in told].count(MicrographSkipped) == 1
    assert last.counts == {"contaminant_spots": 24, "particle_spots": 24}


def test_picks_on_other_micrographs_or_outside_are_told(spot_project, tmp_path: Path) -> None:
    strange = Picks.from_arrays("other.mrc", [50.0], [50.0], label=1)
    with pytest.raises(MicrographNotFoundError, match="1 micrographs of the picks"):
        collected(spot_project, tmp_path, picks=strange)
    outside = Picks.from_arrays("m0.mrc", [500.0], [50.0], label=1)
    with pytest.raises(BoxOutsideError, match=r"picks on m0\.mrc: 1 of 1 picks lie outside"):
        collected(spot_project, tmp_path, picks=outside)
    found = Micrographs.find(spot_project.micrographs)
    with pytest.raises(MicrographNotFoundError, match="1 micrographs of the regions"):
        next(collect(found, None, {"other": Regions((LEFT,))}, SPOTS, tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"entry": ""},
        {"entry": ".."},
        {"entry": "a/b"},
        {"category": "a\\b"},
        {"border_px": -1},
        {"n_per_region_kind": -1},
        {"diameter_px": None},
    ],
)
def test_bad_settings_are_refused(bad) -> None:
    with pytest.raises(SettingsError):
        dataclasses.replace(SPOTS, **bad)
