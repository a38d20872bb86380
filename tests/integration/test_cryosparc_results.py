"""From cryoSPARC and back: what a pruning of a result group leaves, and the external job."""

from __future__ import annotations

import importlib.util
import json
import re
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest

from napari_pickeroptimizer.errors import MicrographNotFoundError
from napari_pickeroptimizer.io import read_picks

SHAPE_PX = (260, 380)  # of the micrographs of `spot_project`: rows, columns
EXPORTED_FOLDER = "J4_particles"
FIELDS = [
    ("uid", "<u8"),
    ("location/micrograph_uid", "<u8"),
    ("location/exp_group_id", "<u4"),
    ("location/micrograph_path", "S64"),
    ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"),
    ("location/center_y_frac", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
]
GROUP = """created: 2024-01-02 03:04:05.678000
group:
  description: All particles
  name: particles
  title: All particles
  type: particle
results:
  ctf:
    metafile: '>J4_passthrough_particles.cs'
    num_items: 72
    type: particle.ctf
  location:
    metafile: '>picked_particles.cs'
    num_items: 72
    type: particle.location
  pick_stats:
    metafile: '>picked_particles.cs'
    num_items: 72
    type: particle.pick_stats
version: v4.4.1
"""


def table_of(spot_project, start: str = "") -> np.ndarray:
    """Return the discs as cryoSPARC's table of picks; paths begin with `start`."""
    picks = read_picks(spot_project.picks)
    table = np.zeros(len(picks), dtype=FIELDS)
    table["uid"] = 1000 + np.random.default_rng(0).permutation(len(picks))
    table["location/micrograph_path"] = [start + name for name in picks.table["micrograph"]]
    table["location/micrograph_shape"] = SHAPE_PX
    table["location/center_x_frac"] = picks.table["x"] / SHAPE_PX[1]
    table["location/center_y_frac"] = picks.table["y"] / SHAPE_PX[0]
    return table


def save(path: Path, table: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, table, allow_pickle=False)


@pytest.fixture
def exported(spot_project, tmp_path: Path) -> Path:
    """A group as *Export* leaves it: two tables, and links to the micrographs beside them."""
    folder = tmp_path / "exports" / "groups" / EXPORTED_FOLDER
    (folder / "Micrographs").mkdir(parents=True)
    for image in spot_project.micrographs.iterdir():
        (folder / "Micrographs" / image.name).symlink_to(image)
    table = table_of(spot_project, ">")
    save(folder / "picked_particles.cs", table)
    ctf = np.zeros(len(table), dtype=[("uid", "<u8"), ("ctf/df1_A", "<f4")])
    ctf["uid"] = np.sort(table["uid"])  # in another order
    ctf["ctf/df1_A"] = ctf["uid"] * 10
    save(folder / "J4_passthrough_particles.cs", ctf)
    (folder / "particles.csg").write_text(GROUP)
    return folder / "particles.csg"


def members(group: Path) -> dict[str, tuple[str, int, str]]:
    """Return slot: (table, count, type) of a group, by another way than this package's."""
    found = re.findall(
        r"^  (\w+):\n    metafile: '>(.+)'\n    num_items: (\d+)\n    type: (.+)$",
        group.read_text(),
        re.MULTILINE,
    )
    return {slot: (name, int(n), kind) for slot, name, n, kind in found}


@pytest.mark.parametrize("runs", [1, 2], ids=["once", "overwritten"])
def test_a_pruned_group_is_two_groups_that_can_be_imported(
    run, model: Path, exported: Path, spot_project, tmp_path: Path, runs: int
) -> None:
    output = tmp_path / "imports" / "pruned"
    for _ in range(runs):
        code, _, err = run(
            "prune", "--picks", exported, "--micrographs", spot_project.micrographs,
            "--model", model, "--device", "cpu", "--output", output, "--overwrite",
        )  # fmt: skip
        assert code == 0, err
    whole = np.load(exported.parent / "picked_particles.cs")
    uids: list[int] = []
    for part in ("kept", "rejected"):
        group = output / f"{part}.csg"
        slots = members(group)
        assert {slot: kind for slot, (_, _, kind) in slots.items()} == {
            "ctf": "particle.ctf",
            "location": "particle.location",
            "pick_stats": "particle.pick_stats",
        }
        picked = np.load(output / slots["location"][0])
        passthrough = np.load(output / slots["ctf"][0])
        assert {n for _, n, _ in slots.values()} == {len(picked)} == {len(passthrough)}
        assert set(passthrough["uid"]) == set(picked["uid"])
        assert (passthrough["ctf/df1_A"] == passthrough["uid"] * 10).all()
        np.testing.assert_array_equal(picked, whole[np.isin(whole["uid"], picked["uid"])])
        uids += picked["uid"].tolist()
        beside = {name.decode()[1:] for name in picked["location/micrograph_path"]}
        assert beside
        assert all((output / name).is_file() for name in beside)
        assert all((output / name).is_symlink() for name in beside)
        text = re.sub(r"num_items: \d+", "num_items: 72", group.read_text())
        assert text.replace(f">{part}_", ">") == GROUP
    assert sorted(uids) == sorted(whole["uid"].tolist())
    files = json.loads((output / "run.json").read_text())["files"]
    assert {"kept.csg", "rejected.csg", "kept_picked_particles.cs", "scored.star"} <= set(
        files
    )
    assert not [name for name in files if name.startswith("Micrographs")]


def test_in_the_folder_of_the_export_its_files_stay(
    run, model: Path, exported: Path, spot_project
) -> None:
    before = {
        p: p.readlink() if p.is_symlink() else p.read_bytes() for p in files_of(exported)
    }
    code, _, err = run(
        "prune", "--picks", exported, "--micrographs", spot_project.micrographs,
        "--model", model, "--device", "cpu", "--output", exported.parent, "--no-report",
    )  # fmt: skip
    assert code == 0, err
    assert (exported.parent / "kept.csg").is_file()
    after = {p: p.readlink() if p.is_symlink() else p.read_bytes() for p in before}
    assert after == before


def files_of(group: Path) -> list[Path]:
    return [path for path in group.parent.rglob("*") if not path.is_dir()]


def test_one_table_alone_says_that_groups_are_imported(
    run, model: Path, exported: Path, spot_project, tmp_path: Path
) -> None:
    code, _, err = run(
        "prune", "--picks", exported.parent / "picked_particles.cs",
        "--micrographs", spot_project.micrographs, "--model", model, "--device", "cpu",
        "--output", tmp_path / "out", "--no-report",
    )  # fmt: skip
    assert code == 0, err
    assert "prune the job's .csg: particles.csg" in " ".join(err.split())
    assert (tmp_path / "out" / "kept.cs").is_file()


# ------------------------------------------------------------------ the external job


@pytest.fixture(scope="module")
def example(repository: Path) -> ModuleType:
    path = repository / "docs" / "examples" / "cryosparc_external_job.py"
    spec = importlib.util.spec_from_file_location("cryosparc_external_job", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_of_a_table_get_the_class_of_their_pick(
    example: ModuleType, model: Path, spot_project, tmp_path: Path
) -> None:
    table = table_of(spot_project)
    missing = table["location/micrograph_path"] == b"Micrographs/m1.mrc"
    table["location/micrograph_path"][missing] = b"Micrographs/gone.mrc"
    classes = example.prune_table(table, spot_project.root, model, tmp_path / "out")
    assert (classes[missing] == example.UNSCORED).all()
    assert set(classes[~missing]) == {1, 2}
    for name, rows in (("kept", classes == 1), ("rejected", classes == 2)):
        written = np.load(tmp_path / "out" / f"{name}.cs")
        assert written["uid"].tolist() == table["uid"][rows].tolist()


def test_a_folder_that_is_not_the_projects_is_named(
    example: ModuleType, model: Path, spot_project, tmp_path: Path
) -> None:
    with pytest.raises(MicrographNotFoundError, match=r"m0\.mrc is not in the project folder"):
        example.prune_table(table_of(spot_project), tmp_path, model, tmp_path / "out")


def job_of(particles: Any, exposures: Any) -> Any:
    """Return a stand-in for an external job: it takes only calls that the real one takes."""
    tools = pytest.importorskip(
        "cryosparc.controllers.job", reason="cryosparc-tools 5 is not installed"
    )
    job = create_autospec(tools.ExternalJobController, instance=True)
    inputs = {"particles": particles, "micrographs": exposures}
    job.load_input.side_effect = lambda name, slots: inputs[name]

    @contextmanager
    def running() -> Any:
        yield job

    job.run.side_effect = running
    return job


def test_datasets_of_cryosparc_tools_are_parted_with_their_locations(
    example: ModuleType, model: Path, spot_project, tmp_path: Path
) -> None:
    dataset = pytest.importorskip(
        "cryosparc.dataset", reason="cryosparc-tools is not installed"
    )
    particles = dataset.Dataset(table_of(spot_project))
    exposures = dataset.Dataset({"micrograph_blob/psize_A": np.array([2.0] * 3, dtype="f4")})
    job = job_of(particles, exposures)
    counts = example.process(job, spot_project.root, model, tmp_path / "out")
    saved = {call.args[0]: call.args[1] for call in job.save_output.call_args_list}
    assert {name: len(part) for name, part in saved.items()} == counts
    assert sum(counts.values()) == len(particles)
    assert counts["unscored"] == 0
    uids = np.concatenate([part["uid"] for part in saved.values()])
    assert sorted(uids.tolist()) == sorted(particles["uid"].tolist())
    located = [name for name in particles.fields() if name.startswith(("uid", "location/"))]
    for part in saved.values():
        assert sorted(part.fields()) == sorted(located)
        same = particles.query({"uid": part["uid"]})
        for name in located:
            assert part[name].tolist() == same[name].tolist()
    added = {call.kwargs["name"]: call.kwargs for call in job.add_output.call_args_list}
    assert added.keys() == saved.keys()
    assert {kwargs["passthrough"] for kwargs in added.values()} == {"particles"}
    assert [call.args[0] for call in job.upload.call_args_list] == ["scored.star", "run.json"]
    assert all(call.args[1].is_file() for call in job.upload.call_args_list)
