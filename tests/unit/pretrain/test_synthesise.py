"""A structure becomes particles, junk and carbon; the same ones however many work on it."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.errors import BoxSetError, SettingsError, StructureReadError
from napari_pickeroptimizer.pretrain.categories import read_categories
from napari_pickeroptimizer.pretrain.harder_scenes import HARDER
from napari_pickeroptimizer.pretrain.synthesise import (
    EMPTY_DISTANCE,
    StructureSynthesised,
    SynthesisSettings,
    drawn_conditions,
    entry_name,
    places_by_kind,
    synthesise,
)
from napari_pickeroptimizer.simulate import (
    SimulatedMicrograph,
    read_structure,
    simulate_micrograph,
)

SIDE = 320


def write_bricks(folder: Path, *names: str) -> tuple[Path, ...]:
    """Write maps of two bricks at right angles, 104 Å long, and return their files."""
    data = np.zeros((30, 30, 30), dtype=np.float32)
    data[12:18, 12:18, 3:27] = data[12:18, 3:15, 21:27] = 1
    paths = tuple(folder / f"{name}.mrc" for name in names)
    for path in paths:
        with mrcfile.new(path) as mrc:
            mrc.set_data(data)
            mrc.voxel_size = 4.0
    return paths


def small(structures: tuple[Path, ...], **changes: object) -> SynthesisSettings:
    values = {"n_micrographs": 2, "side_px": SIDE, **changes}
    return SynthesisSettings(structures, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def structures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_bricks(tmp_path_factory.mktemp("structures"), "1abc", "2xyz.v1")


@pytest.fixture(scope="module")
def made(structures, tmp_path_factory) -> tuple[Path, list[StructureSynthesised]]:
    folder = tmp_path_factory.mktemp("one") / "set"
    return folder, list(synthesise(small(structures), folder))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("*/*.mrcs")}


def test_each_structure_is_an_entry_and_a_category_of_particles(made) -> None:
    folder, events = made
    assert [e.entry for e in events] == ["sim_1abc", "sim_2xyz"]
    assert [e.progress for e in events] == [0.5, 1.0]
    found = read_categories(folder)
    assert found.entries == ("sim_1abc", "sim_2xyz")
    assert {"particle_1abc", "particle_2xyz"} <= set(found.names)
    for event in events:
        particles = [p for p in event.paths if p.parent.name.startswith("particle")]
        assert particles == [folder / f"particle_{event.entry[4:]}" / f"{event.entry}.mrcs"]
        assert sum(event.counts.values()) > 20


def test_junk_has_a_class_and_a_displaced_pick_has_none(made) -> None:
    classes = read_categories(made[0]).classes
    assert classes["particle_1abc"] == "particle"
    assert classes["other_displaced"] is None
    assert classes["contaminant_empty"] == "contaminant"
    assert all(classes[n] == "carbon" for n in classes if n.startswith("carbon_"))


def test_the_counts_are_those_of_the_files(made) -> None:
    folder, events = made
    counts = read_categories(folder).counts
    assert counts == {n: sum(e.counts.get(n, 0) for e in events) for n in counts}


@pytest.mark.slow
def test_two_workers_make_the_same_files(made, structures, tmp_path: Path) -> None:
    events = list(synthesise(small(structures, n_workers=2), tmp_path))
    assert contents(tmp_path) == contents(made[0])
    assert sorted(e.entry for e in events) == ["sim_1abc", "sim_2xyz"]


def test_a_structures_boxes_depend_on_the_seed_and_not_on_the_other_structures(
    made, structures, tmp_path: Path
) -> None:
    list(synthesise(small(structures[1:]), tmp_path / "alone"))
    alone = contents(tmp_path / "alone")
    assert alone == {n: b for n, b in contents(made[0]).items() if n in alone}
    list(synthesise(small(structures[1:], seed=1), tmp_path / "other"))
    particle = "particle_2xyz/sim_2xyz.mrcs"
    assert contents(tmp_path / "other")[particle] != alone[particle]


def test_nothing_is_overwritten_by_accident(made, structures) -> None:
    before = contents(made[0])
    with pytest.raises(BoxSetError, match=r"sim_1abc.mrcs is there already.*--overwrite"):
        next(synthesise(small(structures), made[0]))
    assert contents(made[0]) == before


def test_overwriting_leaves_nothing_of_an_earlier_run(structures, tmp_path: Path) -> None:
    earlier = tmp_path / "contaminant_of_before"
    earlier.mkdir()
    (earlier / "sim_1abc.mrcs").write_bytes(b"made before")
    (earlier / "mine.mrcs").write_bytes(b"of another entry")
    list(synthesise(small(structures[:1], n_micrographs=1, overwrite=True), tmp_path))
    assert [p.name for p in earlier.iterdir()] == ["mine.mrcs"]


@pytest.fixture(scope="module")
def micrograph(structures) -> SimulatedMicrograph:
    rng = np.random.default_rng(2)
    model = read_structure(structures[0])
    return simulate_micrograph(drawn_conditions(model, rng, 500), rng, model, HARDER)


def test_particles_are_where_particles_are_and_empty_ice_is_away_from_all(
    micrograph: SimulatedMicrograph,
) -> None:
    places = places_by_kind(micrograph, np.random.default_rng(0))
    layout = micrograph.regions
    whole = micrograph.truth[["y", "x"]].to_numpy()
    objects = np.array([(o.y, o.x) for o in layout.objects])

    def nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, None] - others, axis=-1).min(axis=1)

    d = layout.diameter_px
    assert (nearest(places["particle"], whole) < 0.25 * d).all()
    assert (nearest(places["other_displaced"], whole) > 0.3 * d).all()
    assert (nearest(places["contaminant_empty"], objects) > EMPTY_DISTANCE * d).all()
    for name, points in places.items():
        on_carbon = layout.on_carbon(points[:, 0], points[:, 1])
        assert name.startswith("carbon") or not on_carbon.any()


def test_conditions_are_drawn_anew_and_the_diameter_is_a_users_guess(structures) -> None:
    model = read_structure(structures[0])
    rng = np.random.default_rng(0)
    drawn = [drawn_conditions(model, rng, SIDE) for _ in range(40)]
    ratio = np.array([model.diameter_ang / s.pixel_size_ang / 32 for s in drawn])
    assert 0.8 < ratio.min() < 0.95 < 1.05 < ratio.max() < 1.2
    assert {s.voltage_kv for s in drawn} == {200.0, 300.0}
    assert 0 < sum(s.low_pass_ang > 0 for s in drawn) < 40


def test_an_entry_is_called_by_the_files_name() -> None:
    assert entry_name(Path("a/1aon.pdb.gz")) == "sim_1aon"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"structures": ()}, "no structure is given"),
        ({"structures": (Path("a/x.pdb"), Path("b/x.cif"))}, r"share a name \(sim_x\)"),
        ({"n_micrographs": 0}, "n_micrographs must be at least 1"),
        ({"n_workers": 0}, "n_workers must be at least 1"),
        ({"side_px": 100}, "side_px must be at least 128"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        SynthesisSettings(**{"structures": (Path("a.pdb"),), **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["nothing.pdb", "notes.txt"])
def test_what_is_no_structure_is_told_before_any_work(
    structures, tmp_path: Path, name: str
) -> None:
    with pytest.raises(StructureReadError, match=name):
        next(synthesise(small((*structures, tmp_path / name)), tmp_path / "set"))
    assert not (tmp_path / "set").exists()
