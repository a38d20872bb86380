"""What the export panel shows, without a screen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.panels.export.export import Exported
from napari_pickeroptimizer.plugin.panels.export.model import (
    ExportModel,
    cancelled_text,
    count_rows,
)
from napari_pickeroptimizer.prune.decision import Decision


@pytest.fixture
def model(viewer):
    return ExportModel(session.session_of(viewer))


@pytest.fixture
def layer(viewer, model, project):
    actions.open_micrographs(viewer, project / "Micrographs")
    return actions.open_picks(viewer, project / "picks.star")


def test_what_is_missing_is_told(model, layer, viewer):
    assert model.missing().startswith("Score the picks first")
    assert model.count_rows() == []
    viewer.layers.remove(layer)
    assert model.missing() == "Open picks first."
    assert model.formats() == {}
    assert model.place("everything", ".star", None) is None


def test_counts_have_their_details():
    decision = Decision(
        np.array([0.9, 0.2, 0.4, 0.1, np.nan]),
        np.array([2, 2, 3, 2, 2], np.int8),
        np.array([0, 1, 0, 0, 0], np.int8),
        np.zeros(5, np.int32),
        ["m"],
    )
    card = SimpleNamespace(names={2: "ice"})
    scores = SimpleNamespace(card=card)
    rows = count_rows(SimpleNamespace(decision=decision, threshold=0.5, scores=scores))
    assert rows[0] == ("Kept", "2", "40 % of 5 picks, 1 by label")
    assert rows[1] == ("Rejected", "2", "1 ice, 1 carbon")
    assert rows[2][:2] == ("Unscored", "1")


def test_a_place_is_proposed_until_one_is_chosen(model, layer, project):
    assert model.place("everything", ".star", None) == project / "picks_pruned"
    assert model.place("kept", ".star", None) == project / "picks_kept.star"
    assert model.is_one_file("kept", ".star")
    assert not model.is_one_file("everything", ".star")
    chosen = Path("/elsewhere/mine.box")
    assert model.place("kept", ".star", chosen) == Path("/elsewhere/mine.star")
    assert model.place("everything", ".star", chosen) == chosen


def test_what_is_in_the_way_may_have_been_exported_just_now(model, layer, tmp_path):
    output = tmp_path / "out"
    assert model.taken(output, "everything") == ("", False)
    output.mkdir()
    (output / "run.json").write_text("{}")
    there, just_now = model.taken(output, "everything")
    assert "holds an earlier run" in there
    assert not just_now
    model.exported = Exported(output, [output / "run.json"], {"kept": 3}, ())
    assert model.taken(output, "everything")[1]


def test_what_was_written_in_words(tmp_path):
    files = [tmp_path / "kept.star", tmp_path / "run.json"]
    steps = (f"RELION: {tmp_path}/kept.star",)
    exported = Exported(tmp_path, files, {"kept": 1234}, steps)
    assert exported.text == "1,234 kept picks; 2 files written."
    assert exported.short_steps == ["RELION: kept.star"]
    one = Exported(tmp_path / "kept.star", files[:1], {"kept": 1}, ())
    assert one.text == "1 kept picks; kept.star written."
    assert one.folder == tmp_path


def test_a_cancelled_export_says_what_there_is(tmp_path):
    assert cancelled_text(tmp_path) == "Cancelled: nothing was written."
    (tmp_path / "run.json").write_text("{}")
    assert "the report is not" in cancelled_text(tmp_path)


def test_labels_alone_can_be_saved(model, layer, tmp_path):
    with pytest.raises(LabelError, match="nothing to save"):
        model.labels_file()
    actions.label_picks(layer, [0], 1)
    assert model.labels_file().name == "labels.star"
    assert model.save_labels(tmp_path / "mine") == "Labels saved: mine.star"
