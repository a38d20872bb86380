"""Labels outlive the program that they were given in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from napari_pickeroptimizer import read_picks
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.journal import Journal, journal_of, state_folder


@pytest.fixture
def picks(project) -> Picks:
    return read_picks(project / "picks.star")


def labelled(picks: Picks, **labels: int) -> Picks:
    values = picks.labels.copy()
    for row, class_id in labels.items():
        values[int(row[1:])] = class_id
    return picks.with_labels(values)


def test_labels_come_back_the_last_one_of_each_pick(picks):
    journal = journal_of(picks)
    journal.write(labelled(picks, r0=PARTICLE, r2=CARBON), np.array([0, 2]))
    journal.write(labelled(picks, r0=CONTAMINANT, r2=CARBON), np.array([0]))
    found = journal_of(picks).recovery(picks)
    assert found.rows.tolist() == [0, 2]
    assert found.labels.tolist() == [CONTAMINANT, CARBON]
    assert found.sentence.startswith("2 labels of ")


def test_nothing_is_offered_that_the_picks_have_already(picks):
    journal = journal_of(picks)
    now = labelled(picks, r1=PARTICLE)
    journal.write(now, np.array([1]))
    assert journal.recovery(now) is None
    assert len(journal.recovery(picks)) == 1


def test_a_label_that_was_taken_back_stays_taken_back(picks):
    journal = journal_of(picks)
    journal.write(labelled(picks, r1=PARTICLE), np.array([1]))
    journal.write(picks, np.array([1]))
    assert journal.recovery(picks) is None
    assert journal.recovery(labelled(picks, r1=PARTICLE)).what == "1 label taken back"


def test_what_was_discarded_is_not_offered_again(picks):
    journal = journal_of(picks)
    journal.write(labelled(picks, r1=PARTICLE), np.array([1]))
    journal.forget(picks)
    assert journal.recovery(picks) is None
    journal.write(labelled(picks, r3=PARTICLE), np.array([3]))
    assert journal.recovery(picks).rows.tolist() == [3]


def test_added_picks_come_back_with_their_last_label(picks):
    journal = journal_of(picks)
    added = Picks.from_arrays("Micrographs/m1.mrc", x=[5.0], y=[6.0], label=PARTICLE)
    journal.write(added, np.array([0]), added=True)
    journal.write(added.with_labels(CARBON), np.array([0]))
    found = journal.recovery(picks)
    assert found.added.table[["x", "y", "label"]].to_numpy().tolist() == [[5, 6, CARBON]]
    assert not len(found.rows)


def test_labels_find_picks_that_a_second_run_of_the_picker_put_a_little_elsewhere(picks):
    journal = journal_of(picks)
    journal.write(labelled(picks, r0=PARTICLE, r3=CARBON), np.array([0, 3]))
    moved = picks.with_columns(x=picks.table["x"] + 0.4)
    moved.table.loc[3, "x"] += 30
    found = journal.recovery(moved)
    assert found.rows.tolist() == [0]
    assert found.n_lost == 1
    assert "1 more match no pick" in found.sentence


def test_a_line_that_was_cut_off_costs_no_other(picks):
    journal = journal_of(picks)
    journal.write(labelled(picks, r0=PARTICLE), np.array([0]))
    with journal.path.open("a") as file:
        file.write('{"time": "2026-01-01T00:00:00+00:00", "label": 2, "at": {"Micro')
    assert journal.recovery(picks).rows.tolist() == [0]


def test_names_of_classes_come_along(picks):
    journal = journal_of(picks)
    journal.write(labelled(picks, r0=4), np.array([0]))
    journal.write_names({1: "particle", 4: "edge"}, picks)
    assert journal.recovery(picks).names == {1: "particle", 4: "edge"}


def test_the_file_says_whose_labels_it_holds(picks, project):
    journal = journal_of(picks)
    journal.write(labelled(picks, r0=PARTICLE), np.array([0]))
    header, line = map(json.loads, journal.path.read_text().splitlines())
    assert header["picks"] == str((project / "picks.star").resolve())
    assert line["at"] == {"Micrographs/m2.mrc": [[10.5, 20.25]]}
    assert journal.path.name.startswith("picks-")


def test_each_set_of_picks_has_its_own_file(picks, project, tmp_path):
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other" / "picks.star"
    copy.write_text((project / "picks.star").read_text())
    made = Picks.from_arrays("a.mrc", x=[1.0], y=[2.0])
    places = {journal_of(p).path for p in (picks, read_picks(copy), made)}
    assert len(places) == 3
    assert journal_of(read_picks(project / "picks.star")).path in places


def test_the_folder_is_the_users_unless_told_otherwise(monkeypatch):
    assert str(state_folder()) == os.environ["PICKEROPTIMIZER_STATE"]
    monkeypatch.delenv("PICKEROPTIMIZER_STATE")
    assert state_folder().name == "napari-pickeroptimizer"


def test_without_a_file_there_is_nothing_to_offer(picks, tmp_path):
    assert Journal(tmp_path / "none.jsonl").recovery(picks) is None


def test_labels_survive_a_killed_process(project):
    """Label through the layer in another process, end it without warning, and open again."""
    pytest.importorskip("napari")
    script = f"""
        import os
        from napari.components import ViewerModel
        from napari_pickeroptimizer.plugin import actions, session
        viewer = ViewerModel()
        layer = actions.open_picks(viewer, {str(project / "picks.star")!r})
        for row, class_id in ((0, 1), (2, 3), (3, 2)):
            viewer.dims.set_point(0, layer.data[row][0])
            layer.selected_data = {{row}}
            keys = {{str(k): f for k, f in layer.keymap.items()}}
            keys["UKJC"[class_id]](layer)
        os._exit(9)  # as if killed: nothing is written or closed
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=False,
    )
    assert done.returncode == 9, done.stderr
    picks = read_picks(project / "picks.star")
    found = journal_of(picks).recovery(picks)
    assert found.rows.tolist() == [0, 2, 3]
    assert found.labels.tolist() == [PARTICLE, CARBON, CONTAMINANT]
