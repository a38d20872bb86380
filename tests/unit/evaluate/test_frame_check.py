"""Truth in another frame is noticed; chance, crowds and bad pickers raise no alarm."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.evaluate.evaluation import evaluate_picks
from napari_pickeroptimizer.evaluate.frame_check import MAX_MICROGRAPHS, frame_warning
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks

SIDES = (400, 600)  # ny, nx
RADIUS = 8.0


def centres(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, 2) places at least a radius from the edge, twice as dense on the left."""
    y = rng.uniform(RADIUS, SIDES[0] - RADIUS, n)
    x = (SIDES[1] - 2 * RADIUS) * rng.beta(1.0, 1.5, n) + RADIUS
    return np.column_stack([y, x])


def session(
    seed: int, *, n_truth: int = 60, n_micrographs: int = 6, false_share: float = 0.3,
    recall: float = 0.8,
) -> tuple[Picks, Picks]:  # fmt: skip
    """Picks a little beside true centres, and some that are false."""
    rng = np.random.default_rng(seed)
    tables: list[tuple[list[str], list[np.ndarray]]] = [([], []), ([], [])]
    for i in range(n_micrographs):
        truth = centres(rng, n_truth)
        found = truth[rng.random(n_truth) < recall] + rng.normal(0, 1.5, (1, 2))
        n_false = round(len(found) * false_share / (1 - false_share + 1e-9))
        for (names, parts), coords in zip(
            tables, (np.concatenate([found, centres(rng, n_false)]), truth), strict=True
        ):
            names += [f"m{i}.mrc"] * len(coords)
            parts.append(coords)
    made = []
    for names, parts in tables:
        coords = np.concatenate(parts)
        made.append(Picks.from_arrays(names, x=coords[:, 1], y=coords[:, 0]))
    return made[0], made[1]


def changed(truth: Picks, change: str) -> Picks:
    x, y = truth.table["x"], truth.table["y"]
    if change == "flipped":
        return truth.with_columns(y=SIDES[0] - 1 - y)
    if change == "mirrored":
        return truth.with_columns(x=SIDES[1] - 1 - x)
    if change == "swapped":
        return truth.with_columns(x=y, y=x)
    scale = float(change)
    return truth.with_columns(x=(x + 0.5) * scale - 0.5, y=(y + 0.5) * scale - 0.5)


WORDS = {
    "flipped": "flipped vertically", "mirrored": "mirrored", "swapped": "x and y swapped",
    "0.5": "scaled by 2 ", "0.25": "scaled by 4 ", "2": "scaled by 1/2", "4": "scaled by 1/4",
}  # fmt: skip


@pytest.mark.parametrize("change", WORDS)
@pytest.mark.parametrize("seed", range(3))
def test_another_frame_is_reported_with_its_figures(change: str, seed: int) -> None:
    picks, truth = session(seed)
    result = evaluate_picks(picks, changed(truth, change), RADIUS)
    (warning,) = result.warnings
    assert f"with the truth {WORDS[change]}"[:-1] in warning
    assert f"{result.before.n_true} of {len(picks)} picks match as they are" in warning
    assert result.summary()["warnings"] == [warning]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"false_share": 0.95},
        {"recall": 0.1},
        {"n_truth": 400},  # crowded: most places are near some centre
        {"n_micrographs": 1},
        {"n_truth": 2, "n_micrographs": 3},
    ],
    ids=["usual", "nearly all false", "few found", "crowded", "one micrograph", "tiny"],
)
def test_the_right_frame_raises_no_alarm(seed: int, kind: dict[str, float]) -> None:
    assert evaluate_picks(*session(seed, **kind), RADIUS).warnings == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_picks_of_nothing_raise_no_alarm(seed: int) -> None:
    picks, _ = session(seed)
    _, truth = session(seed + 100)
    assert evaluate_picks(picks, truth, RADIUS).warnings == ()


def test_one_micrograph_and_a_crowd_are_enough_to_notice_a_flip() -> None:
    picks, truth = session(1, n_micrographs=1, n_truth=200)
    assert (
        "flipped vertically"
        in evaluate_picks(picks, changed(truth, "flipped"), RADIUS).warnings[0]
    )


def test_with_micrographs_the_flip_is_named_by_their_height(tmp_path: Path) -> None:
    picks, truth = session(0, n_micrographs=2)
    for i in range(2):
        with mrcfile.new(tmp_path / f"m{i}.mrc") as mrc:
            mrc.set_data(np.zeros(SIDES, np.int8))
    flipped = changed(truth, "flipped")
    found = Micrographs.find(tmp_path)
    assert (
        "y = height - 1 - y" in evaluate_picks(picks, flipped, RADIUS, None, found).warnings[0]
    )
    without = evaluate_picks(picks, flipped, RADIUS, None, Micrographs.named(["other"]))
    end = int(without.warnings[0].split("(y = ")[1].split(" - y")[0])
    assert end == pytest.approx(SIDES[0] - 1, abs=2)


def test_of_thousands_of_micrographs_a_few_are_opened() -> None:
    points = centres(np.random.default_rng(0), 5)
    asked: list[int] = []

    def shape_of(i: int) -> tuple[int, int]:
        asked.append(i)
        return SIDES

    frame_warning([(points, points)] * 5000, RADIUS, shape_of)
    assert asked
    assert len(set(asked)) <= MAX_MICROGRAPHS


def test_names_of_two_folders_do_not_share_the_shape_of_one_image(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(np.zeros(SIDES, np.float32))
    picks = Picks.from_arrays(["day1/a.mrc", "day2/a.mrc"], x=[10, 10], y=[10, 10])
    evaluation = evaluate_picks(picks, picks, RADIUS, None, Micrographs.find(tmp_path))
    assert evaluation.before.n_true == 2  # it is known of neither, and nothing fails
