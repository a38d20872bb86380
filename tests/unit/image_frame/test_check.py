"""Picks in another frame than their micrographs are told by the images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.image_frame.check import other_frame
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.reading import MicrographRows, group_by_micrograph
from napari_pickeroptimizer.simulate.project import simulate_project
from napari_pickeroptimizer.simulate.settings import SimulationSettings

NY, NX = 480, 640
DIAMETER = 26.0
SETTINGS = BoxSettings(diameter_px=DIAMETER)
Points = NDArray[np.float64]
Change = Callable[[Points], Points]

MISTAKES: dict[str, tuple[Change, str, str]] = {
    "y": (
        lambda p: np.stack([NY - 1 - p[:, 0], p[:, 1]], axis=1),
        "with y counted from the other end",
        "--flip-y",
    ),
    "x": (
        lambda p: np.stack([p[:, 0], NX - 1 - p[:, 1]], axis=1),
        "with x counted from the other end",
        "reverse x",
    ),
    "both": (
        lambda p: np.array([NY - 1, NX - 1]) - p,
        "with x and y counted from the other end",
        "--flip-y (flip_y=True), and reverse x",
    ),
    "swapped": (lambda p: p[:, ::-1], "with x and y swapped", "swap x and y"),
    "binned": (
        lambda p: (p + 0.5) / 2 - 0.5,
        "multiplied by 2",
        "multiply x and y of the picks",
    ),
    "super-resolution": (lambda p: (p + 0.5) * 2 - 0.5, "multiplied by 1/2", "by 1/2"),
    "corner": (
        lambda p: p - 0.8 * DIAMETER,
        "moved by +",
        "corners of boxes, so add half the box side",
    ),
    "added to centres": (
        lambda p: p + 0.8 * DIAMETER,
        "moved by -",
        "so subtract it",
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small simulated micrographs, with junk, and the picks of an imitated picker."""
    folder = tmp_path_factory.mktemp("project")
    settings = SimulationSettings(
        n_micrographs=3, n_particles=45, shape_px=(NY, NX), pixel_size_ang=6.0
    )
    list(simulate_project(folder, settings))
    return folder


@pytest.fixture(scope="module")
def groups(project: Path) -> list[MicrographRows]:
    picks = read_picks(project / "AutoPick" / "simulated" / "autopick.star")
    return group_by_micrograph(Micrographs.find(project / "micrographs.star"), picks)


@pytest.fixture(scope="module")
def coords(project: Path) -> Points:
    return read_picks(project / "AutoPick" / "simulated" / "autopick.star").coords_yx_px()


def test_right_picks_raise_no_doubt(groups, coords, names_read) -> None:
    assert other_frame(groups, coords, SETTINGS) is None
    assert len(names_read) == 2  # no more are read where the picks fit


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_named_with_its_remedy(groups, coords, mistake: str) -> None:
    change, frame, advice = MISTAKES[mistake]
    found = other_frame(groups, change(coords), SETTINGS)
    assert found is not None
    assert found.frame.startswith(frame)
    assert advice in found.advice
    assert abs(found.contrast) > 2.5 * abs(found.contrast_as_is)
    assert found.sigma > 6
    assert found.n_micrographs == found.n_total == 3


@pytest.mark.parametrize("half_box", [0.5, 0.75, 1.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_half_the_box_side_is_told_to_a_tenth_of_the_diameter(
    groups, coords, half_box: float, sign: int
) -> None:
    found = other_frame(groups, coords - sign * half_box * DIAMETER, SETTINGS)
    assert found is not None
    told = int(found.frame.removeprefix("moved by ").removesuffix(" pixels in x and y"))
    assert told == pytest.approx(sign * half_box * DIAMETER, abs=0.1 * DIAMETER)


def test_the_warning_is_one_sentence_with_figures() -> None:
    found = OtherFrameFits(
        "with x and y swapped", "swap x and y of the picks", -2, 0.03, 40, 1200, 6
    )
    assert found.sentence == (
        "the picks seem to be in another frame than the micrographs: over 1,200 picks on "
        "6 micrographs the contrast of particles is 0.03 as they are and -2.00 with x and y "
        "swapped: swap x and y of the picks."
    )


def test_bright_particles_are_as_good_as_dark_ones(tmp_path: Path, groups, coords) -> None:
    bright = [_copy(g, tmp_path, lambda image: -image) for g in groups]
    assert other_frame(bright, coords, SETTINGS) is None
    found = other_frame(bright, MISTAKES["y"][0](coords), SETTINGS)
    assert found is not None
    assert found.contrast > 0


def test_flip_y_that_was_asked_for_in_error_is_to_be_left_out(groups, coords) -> None:
    flipped = [
        MicrographRows(g.name, replace(g.micrograph, flip_y=True), g.rows) for g in groups
    ]
    found = other_frame(flipped, coords, SETTINGS)
    assert found is not None
    assert found.advice.startswith("leave out --flip-y")
    assert other_frame(flipped, MISTAKES["y"][0](coords), SETTINGS) is None


@pytest.mark.parametrize("seed", range(5))
def test_picks_at_random_raise_no_doubt(groups, coords, seed: int) -> None:
    anywhere = np.random.default_rng(seed).uniform(0, 1, coords.shape) * [NY, NX]
    assert other_frame(groups, anywhere, SETTINGS) is None


def test_a_few_picks_tell_nothing(groups, coords) -> None:
    few = [MicrographRows(g.name, g.micrograph, g.rows[:4]) for g in groups]
    assert other_frame(few, MISTAKES["y"][0](coords), SETTINGS) is None


@pytest.mark.parametrize("jitter_px", [12, 40])
def test_rings_are_not_moved_onto_their_rims(tmp_path: Path, jitter_px: float) -> None:
    """A capsid is dark at its rim, not in its middle: picks moved a little are on the rim.

    With little jitter the rings are a lattice, which is its own mirror image but for a little.
    """
    picks, micrographs = _rings(tmp_path, jitter_px)
    groups = group_by_micrograph(micrographs, picks)
    assert other_frame(groups, picks.coords_yx_px(), BoxSettings(diameter_px=60)) is None


def test_micrographs_that_cannot_be_read_are_passed_over(
    tmp_path: Path, groups, coords
) -> None:
    lost = replace(groups[0].micrograph, path=tmp_path / "lost.mrc")
    with_lost = [MicrographRows(groups[0].name, lost, groups[0].rows), *groups[1:]]
    found = other_frame(with_lost, MISTAKES["y"][0](coords), SETTINGS)
    assert found is not None
    assert found.n_micrographs == 2


def _copy(
    group: MicrographRows, folder: Path, change: Callable[[NDArray[np.float32]], Points]
) -> MicrographRows:
    assert group.micrograph is not None
    path = folder / group.micrograph.path.name
    _write(path, change(group.micrograph.read()))
    return MicrographRows(group.name, replace(group.micrograph, path=path), group.rows)


def _write(path: Path, image: NDArray[np.floating]) -> None:
    import mrcfile

    with mrcfile.new(path) as mrc:
        mrc.set_data(image.astype(np.float32))


def _rings(folder: Path, jitter_px: float) -> tuple[Picks, Micrographs]:
    rng = np.random.default_rng(2)
    rows, columns = np.indices((NY, NX))
    names, centres = [], []
    for i in range(3):
        image = rng.normal(0, 1, (NY, NX))
        for y in range(45, NY - 45, 95):
            for x in range(45, NX - 45, 95):
                centre = np.array([y, x]) + rng.uniform(-jitter_px, jitter_px, 2)
                distance = np.hypot(rows - centre[0], columns - centre[1])
                image[(distance > 20) & (distance < 30)] -= 3
                names.append(f"m{i}.mrc")
                centres.append(centre)
        _write(folder / f"m{i}.mrc", image)
    y, x = np.array(centres).T
    return Picks.from_arrays(names, x=x, y=y), Micrographs.find(folder)
