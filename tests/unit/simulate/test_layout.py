from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.simulate.junk import CarbonFilm
from napari_pickeroptimizer.simulate.layout import lay_out
from napari_pickeroptimizer.simulate.regions import Layout, Placed


@pytest.fixture
def half_carbon() -> Layout:
    """200 x 300 px, carbon where x > 200, particles of 20 px at (y, x)."""
    far = 1e6
    film = CarbonFilm((100.0, 200.0 - far), far, np.zeros((0, 3)), 150.0, 50.0)
    objects = (
        Placed("particle", 100.0, 50.0, 10.0),
        Placed("particle", 100.0, 250.0, 10.0),
        Placed("particle", 3.0, 80.0, 10.0),
        Placed("broken", 150.0, 60.0, 8.0),
    )
    return Layout((200, 300), 20.0, objects, film)


@pytest.mark.parametrize(
    ("y", "x", "class_id"),
    [
        (100, 50, 1),
        (100, 55.9, 1),
        (100, 57, 2),
        (50, 100, 2),
        (150, 60, 2),
        (50, 280, 3),
        (50, 196, 3),
        (50, 194, 2),
        (100, 250, 3),
        (3, 80, 2),
    ],
    ids=[
        "on a particle",
        "just on it",
        "beside it",
        "empty ice",
        "fragment",
        "carbon",
        "rim within a quarter diameter",
        "rim farther away",
        "particle on carbon",
        "particle cut by the border",
    ],
)
def test_class_follows_from_what_lies_there(
    half_carbon: Layout, y: float, x: float, class_id: int
) -> None:
    assert half_carbon.class_at(np.array([y]), np.array([x])) == [class_id]


def test_truth_holds_whole_particles_in_open_ice_only(half_carbon: Layout) -> None:
    assert half_carbon.whole_particles().to_dict("records") == [{"x": 50.0, "y": 100.0}]


def test_nothing_on_it_means_every_pick_is_a_contaminant() -> None:
    empty = Layout((200, 300), 20.0, (), None)
    assert empty.whole_particles().empty
    assert empty.class_at(np.array([10.0, 50.0]), np.array([10.0, 50.0])).tolist() == [2, 2]


def test_as_many_particles_as_asked_and_none_overlap(tiny) -> None:
    layout = lay_out(tiny(), np.random.default_rng(0))
    yx = layout.whole_particles()[["y", "x"]].to_numpy()
    assert len(yx) == 12
    gaps = np.linalg.norm(yx[:, None] - yx[None], axis=2)[~np.eye(len(yx), dtype=bool)]
    assert gaps.min() > 0.8 * 30


def test_too_many_particles_fill_the_field_and_end(tiny) -> None:
    layout = lay_out(tiny(n_particles=300), np.random.default_rng(0))
    assert 20 < len(layout.whole_particles()) < 200


@pytest.mark.parametrize(
    ("switch", "kind"),
    [
        ("ice_crystals", "crystal"),
        ("ice_balls", "drop"),
        ("aggregates", "aggregate"),
        ("broken", "broken"),
    ],
)
def test_a_switch_removes_its_kind_and_moves_nothing_placed_before(
    tiny, switch: str, kind: str
) -> None:
    on = lay_out(tiny(), np.random.default_rng(0))
    off = lay_out(tiny(**{switch: False}), np.random.default_rng(0))
    assert kind in {o.kind for o in on.objects}
    assert kind not in {o.kind for o in off.objects}
    first = next(i for i, o in enumerate(on.objects) if o.kind == kind)
    assert on.objects[:first] == off.objects[:first]


def test_carbon_comes_with_its_chance(tiny) -> None:
    always, never = (
        [
            lay_out(tiny(carbon_chance=chance), np.random.default_rng(i)).carbon
            for i in range(5)
        ]
        for chance in (1.0, 0.0)
    )
    assert all(film is not None for film in always)
    assert all(film is None for film in never)
    assert (
        lay_out(tiny(carbon_chance=1.0, carbon=False), np.random.default_rng(0)).carbon is None
    )
