from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.simulate import (
    MicrographSimulated,
    ProjectWritten,
    simulate_project,
)
from napari_pickeroptimizer.simulate.project import draw_labels
from napari_pickeroptimizer.staging import earlier_files


@pytest.fixture(scope="module")
def project(tiny, tmp_path_factory: pytest.TempPathFactory) -> ProjectWritten:
    settings = tiny(carbon_chance=1.0, labels_per_class=2)
    *_, last = simulate_project(tmp_path_factory.mktemp("project"), settings)
    assert isinstance(last, ProjectWritten)
    return last


def files_of(root: Path) -> dict[str, bytes]:
    return {
        f.relative_to(root).as_posix(): f.read_bytes() for f in root.rglob("*") if f.is_file()
    }


def test_events_count_the_micrographs_and_end_with_the_project(tiny, tmp_path: Path) -> None:
    events = list(simulate_project(tmp_path, tiny()))
    assert [e.progress for e in events] == [0.5, 1.0, 1.0]
    assert events[0] == MicrographSimulated("Micrographs/simulated_0001.mrc", 1, 2)
    assert isinstance(events[-1], ProjectWritten)


def test_a_project_is_laid_out_as_by_relion(project: ProjectWritten) -> None:
    assert sorted(files_of(project.root)) == [
        "AutoPick/simulated/Micrographs/simulated_0001_autopick.star",
        "AutoPick/simulated/Micrographs/simulated_0002_autopick.star",
        "AutoPick/simulated/autopick.star",
        "AutoPick/simulated/picks.star",
        "Micrographs/simulated_0001.mrc",
        "Micrographs/simulated_0002.mrc",
        "labels.star",
        "micrographs.star",
        "picks_truth.star",
        "simulation.json",
        "truth.star",
    ]


def test_micrographs_are_found_through_their_star(project: ProjectWritten) -> None:
    micrographs = Micrographs.find(project.micrographs)
    assert [m.name for m in micrographs] == [
        "Micrographs/simulated_0001.mrc",
        "Micrographs/simulated_0002.mrc",
    ]
    assert {m.pixel_size_ang for m in micrographs} == {4.0}
    assert next(iter(micrographs)).read().shape == (320, 400)


def test_headers_tell_mode_and_pixel_size(
    project: ProjectWritten, tiny, tmp_path: Path
) -> None:
    with mrcfile.open(project.root / "Micrographs/simulated_0001.mrc") as mrc:
        assert mrc.header.mode == 2
        assert float(mrc.voxel_size.x) == pytest.approx(4.0)
    list(simulate_project(tmp_path, tiny(n_micrographs=1, pixel_type="float16")))
    with mrcfile.open(tmp_path / "Micrographs/simulated_0001.mrc") as mrc:
        assert mrc.header.mode == 12


def test_the_tree_and_the_table_hold_the_same_picks(project: ProjectWritten) -> None:
    tree, table = read_picks(project.autopick), read_picks(project.picks)
    columns = ["micrograph", "x", "y", "picker_score"]
    pd.testing.assert_frame_equal(tree.table[columns], table.table[columns])
    assert len(table) == project.n_picks
    assert not table.labels.any()


def test_the_true_class_of_every_pick_is_beside_it(project: ProjectWritten) -> None:
    picks, truth = read_picks(project.picks), read_picks(project.picks_truth)
    pd.testing.assert_frame_equal(picks.table[["x", "y"]], truth.table[["x", "y"]])
    assert set(truth.labels) == {1, 2, 3}
    assert (truth.labels != PARTICLE).sum() == project.n_false


def test_truth_lists_every_whole_particle(project: ProjectWritten) -> None:
    truth, picks = read_picks(project.truth), read_picks(project.picks_truth)
    assert len(truth) == project.n_truth == 24
    assert set(truth.labels) == {PARTICLE}
    for micrograph, rows in picks.rows_by_micrograph().items():
        at = picks.select(rows)
        centres = truth.coords_yx_px()[(truth.table["micrograph"] == micrograph).to_numpy()]
        nearest = np.linalg.norm(at.coords_yx_px()[:, None] - centres, axis=2).min(axis=1)
        assert (nearest[at.labels == PARTICLE] <= 0.3 * 30).all()


def test_labels_are_a_few_true_classes_of_picks(project: ProjectWritten) -> None:
    labels, truth = read_picks(project.labels), read_picks(project.picks_truth)
    assert pd.Series(labels.labels).value_counts().to_dict() == {1: 2, 2: 2, 3: 2}
    columns = ["micrograph", "x", "y", "label"]
    known = {tuple(row) for row in truth.table[columns].to_numpy()}
    assert all(tuple(row) in known for row in labels.table[columns].to_numpy())


def test_optics_hold_both_pixel_sizes(project: ProjectWritten) -> None:
    optics = starfile.read(project.micrographs)["optics"]
    assert float(optics["rlnMicrographPixelSize"].item()) == 4.0
    assert float(optics["rlnMicrographOriginalPixelSize"].item()) == 4.0


def test_a_seed_reproduces_every_byte(tiny, tmp_path: Path) -> None:
    for name in ("first", "second"):
        list(simulate_project(tmp_path / name, tiny()))
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


def test_a_micrograph_does_not_depend_on_how_many_there_are(tiny, tmp_path: Path) -> None:
    for n in (1, 2):
        list(simulate_project(tmp_path / str(n), tiny(n_micrographs=n)))
    one, two = files_of(tmp_path / "1"), files_of(tmp_path / "2")
    for name in (n for n in one if "simulated_0001" in n):
        assert one[name] == two[name]


def test_closing_the_generator_cancels_and_leaves_nothing(tiny, tmp_path: Path) -> None:
    events = simulate_project(tmp_path / "new", tiny())
    next(events)
    events.close()
    assert not (tmp_path / "new").exists()


def test_a_simulation_replaces_another_only_when_it_is_told_to(tiny, tmp_path: Path) -> None:
    list(simulate_project(tmp_path, tiny()))
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    before = files_of(tmp_path)
    with pytest.raises(SettingsError, match=r"already holds a run \(simulation.json\)"):
        list(simulate_project(tmp_path, tiny(seed=1)))
    events = simulate_project(tmp_path, tiny(seed=1), overwrite=True)
    next(events)
    events.close()  # cancelled: the one before stays whole
    assert files_of(tmp_path) == before
    *_, written = simulate_project(tmp_path, tiny(seed=1, n_micrographs=1), overwrite=True)
    assert not (tmp_path / "Micrographs/simulated_0002.mrc").exists()
    assert notes.read_text() == "mine"
    for path in (written.micrographs, written.autopick, written.picks, written.labels):
        assert path.is_file()
        assert path.is_relative_to(tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["labels.star", "Micrographs/mine.mrc", "AutoPick/a.star"])
def test_files_that_no_simulation_wrote_are_never_replaced(
    tiny, tmp_path: Path, name: str, overwrite: bool
) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(SettingsError, match="and no simulation.json that lists them"):
        list(simulate_project(tmp_path, tiny(), overwrite=overwrite))
    assert files_of(tmp_path) == {name: b"mine"}


def test_a_pruning_does_not_take_a_simulation_for_one_of_its_runs(
    tiny, tmp_path: Path
) -> None:
    list(simulate_project(tmp_path, tiny(n_micrographs=1)))
    assert earlier_files(tmp_path, overwrite=True) == []


def test_a_project_without_picks_is_written_and_read(tiny, tmp_path: Path) -> None:
    *_, last = simulate_project(tmp_path, tiny(n_particles=0, n_micrographs=1))
    assert isinstance(last, ProjectWritten)
    assert last.n_picks == last.n_truth == 0
    assert len(Micrographs.find(last.micrographs)) == 1


def picks_with(classes: dict[str, list[int]]) -> pd.DataFrame:
    rows = [(name, c) for name, listed in classes.items() for c in listed]
    return pd.DataFrame(rows, columns=["micrograph", "class"])


def test_labels_come_from_three_micrographs_while_these_suffice() -> None:
    picks = picks_with({name: [1, 1, 2, 2, 3, 3] for name in "abcde"})
    labels = draw_labels(picks, 4, np.random.default_rng(0))
    assert set(labels["micrograph"]) <= set("abc")
    assert labels["class"].value_counts().to_dict() == {1: 4, 2: 4, 3: 4}


def test_labels_come_from_more_micrographs_where_a_class_is_rare() -> None:
    picks = picks_with({"a": [1, 2], "b": [1, 2], "c": [1, 2], "d": [1, 2, 3], "e": [3]})
    labels = draw_labels(picks, 1, np.random.default_rng(0))
    assert labels["class"].tolist() == [1, 2, 3]
    assert labels["micrograph"].iloc[2] == "d"
