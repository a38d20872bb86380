"""What cryosparc-tools finds in our .cs and .csg, and we in its own: the same picks and columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.cryosparc import GROUP
from napari_pickeroptimizer.io.csg import Group
from napari_pickeroptimizer.io.pick_format import Given
from napari_pickeroptimizer.picks import Picks

dataset = pytest.importorskip("cryosparc.dataset", reason="cryosparc-tools is not installed")

# uid, x fraction, y fraction, score; a rectangular micrograph of 400 rows and 1000 columns
PICKS = [(11, 0.25, 0.75, 0.5), (7, 0.125, 0.5, -1.0), (2**63 + 5, 0.5, 0.0, 2.0)]
FIELDS = [
    ("location/micrograph_uid", "u8"),
    ("location/exp_group_id", "u4"),
    ("location/micrograph_path", "O"),
    ("location/micrograph_shape", "u4", (2,)),
    ("location/center_x_frac", "f4"),
    ("location/center_y_frac", "f4"),
    ("location/min_dist_A", "f4"),
    ("pick_stats/ncc_score", "f4"),
    ("pick_stats/angle_rad", "f4"),
]
GROUP_TEXT = """created: 2024-01-02 03:04:05.678000
group:
  description: Picks
  name: particles
  title: Picks
  type: particle
results:
  ctf:
    metafile: '>J2_passthrough_particles.cs'
    num_items: 3
    type: particle.ctf
  location:
    metafile: '>picked_particles.cs'
    num_items: 3
    type: particle.location
  pick_stats:
    metafile: '>picked_particles.cs'
    num_items: 3
    type: particle.pick_stats
version: v4.4.1
"""
FORMATS = pytest.mark.parametrize("format_name", ["NUMPY_FORMAT", "CSDAT_FORMAT"])


def picked() -> Any:
    """Make a Dataset of picks as a picker of cryoSPARC has it."""
    made = dataset.Dataset.allocate(len(PICKS), FIELDS)
    made["uid"] = np.array([p[0] for p in PICKS], dtype=np.uint64)
    made["location/micrograph_uid"] = 12
    made["location/micrograph_path"] = "J1/motioncorrected/000000000000000000012_a.mrc"
    made["location/micrograph_shape"] = [400, 1000]
    for i, name in enumerate(("center_x_frac", "center_y_frac"), start=1):
        made[f"location/{name}"] = [p[i] for p in PICKS]
    made["pick_stats/ncc_score"] = [p[3] for p in PICKS]
    made["pick_stats/angle_rad"] = [0.0, 0.5, 1.0]
    return made


def passthrough() -> Any:
    """Make the same picks in another order, with what they were given by an earlier job."""
    uids = np.array([PICKS[2][0], PICKS[0][0], PICKS[1][0]], dtype=np.uint64)
    return dataset.Dataset({"uid": uids, "ctf/df1_A": np.array([3.0, 1.0, 2.0], dtype="f4")})


def job(folder: Path, format_name: str) -> Path:
    chosen = getattr(dataset, format_name)
    picked().save(folder / "picked_particles.cs", format=chosen)
    passthrough().save(folder / "J2_passthrough_particles.cs", format=chosen)
    (folder / "picked.csg").write_text(GROUP_TEXT)
    return folder / "picked.csg"


def joined(group: Path) -> Any:
    """Load a group as cryosparc-tools loads results: its tables joined by uid."""
    members = Group.read(group).members
    tables = [dataset.Dataset.load(group.parent / member) for member in members]
    assert {len(table) for table in tables} == {len(tables[0])}
    return dataset.Dataset.innerjoin_many(*tables)


def of_uids(whole: Any, uids: list[int]) -> Any:
    rows = [whole["uid"].tolist().index(uid) for uid in uids]
    return whole.take(rows)


@FORMATS
def test_we_read_what_it_writes(tmp_path: Path, format_name: str) -> None:
    picks = read_picks(job(tmp_path, format_name))
    assert picks.coords_yx_px().tolist() == [[300.0, 250.0], [200.0, 125.0], [0.0, 500.0]]
    assert picks.table["picker_score"].tolist() == [0.5, -1.0, 2.0]
    assert set(picks.table["micrograph"]) == {"J1/motioncorrected/000000000000000000012_a.mrc"}


@FORMATS
@pytest.mark.parametrize("rows", [[0, 2], [1], [], [0, 1, 2]])
def test_it_finds_the_picks_and_columns_that_we_kept(
    tmp_path: Path, format_name: str, rows: list[int]
) -> None:
    group = job(tmp_path, format_name)
    whole = joined(group)
    picks = read_picks(group).select(np.array(rows, dtype=int))
    *_, written = write_picks(picks, tmp_path / "out" / "kept.csg", columns={})
    found = joined(written)
    uids = [PICKS[row][0] for row in rows]
    assert sorted(found["uid"].tolist()) == sorted(uids)
    assert set(found.fields()) == set(whole.fields())
    assert written.read_text().count(f"num_items: {len(rows)}\n") == 3
    ours, theirs = of_uids(found, uids), of_uids(whole, uids)
    for name in whole.fields():
        assert ours[name].tolist() == theirs[name].tolist(), name
    assert sorted(found.descr()) == sorted(whole.descr())  # types and shapes


@FORMATS
def test_one_table_comes_back_to_it(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "picked.cs"
    picked().save(path, format=getattr(dataset, format_name))
    picks = read_picks(path)
    write_picks(picks, tmp_path / "all.cs", columns={})
    assert (tmp_path / "all.cs").read_bytes() == path.read_bytes()
    write_picks(picks.select(np.array([0, 2])), tmp_path / "kept.cs", columns={})
    found = dataset.Dataset.load(tmp_path / "kept.cs")
    assert found["uid"].tolist() == [PICKS[0][0], PICKS[2][0]]
    assert found["location/center_x_frac"].tolist() == [0.25, 0.5]
    assert found["location/center_y_frac"].tolist() == [0.75, 0.0]


def test_it_reads_the_tables_of_a_new_group(tmp_path: Path) -> None:
    name = "J1/imported/000000000000000000012_a.mrc"
    picks = Picks.from_arrays(name, [250.0, 125.0], [300.0, 200.0], picker_score=[0.5, -1.0])
    given = Given(shapes_yx_px={name: (400, 1000)})
    *_, written = write_as(picks, tmp_path / "new.csg", GROUP, given)
    found = joined(written)
    assert found["location/center_x_frac"].tolist() == [0.25, 0.125]
    assert found["location/center_y_frac"].tolist() == [0.75, 0.5]
    assert found["location/micrograph_uid"].tolist() == [12, 12]
    assert found["location/micrograph_path"].tolist() == [name, name]
    assert found["pick_stats/ncc_score"].tolist() == [0.5, -1.0]
