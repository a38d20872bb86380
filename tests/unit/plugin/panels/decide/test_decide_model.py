"""What the decide panel shows, without a screen."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin import session
from napari_pickeroptimizer.plugin.panels.decide.micrograph_rows import (
    KEPT,
    NAME,
    NOTE,
    PICKS,
    SCORE,
    SHARE,
    MicrographRows,
)
from napari_pickeroptimizer.plugin.panels.decide.model import (
    PRESETS,
    DecideModel,
    ThresholdText,
    expectation_text,
    kept_text,
    outside_text,
    rejected_text,
)
from napari_pickeroptimizer.prune.counts import ByMicrograph
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.trust.forecast import Interval


def decision(**others) -> Decision:
    """Five picks at 0.5: two kept, one of them by label, two rejected, one not scored."""
    return Decision(
        np.array([0.9, 0.2, 0.4, 0.1, np.nan]),
        np.array([2, 2, 3, 3, 2], np.int8),
        np.array([0, 1, 0, 0, 0], np.int8),
        np.zeros(5, np.int32),
        ["m"],
        **others,
    )


def test_counts_in_words():
    counts = decision().counts(0.5)
    assert kept_text(counts) == "2 of 4 scored picks kept (50 %)"
    assert kept_text(counts, so_far=True) == "2 of 4 picks so far kept (50 %)"
    assert kept_text(replace(counts, unscored=0)) == "2 of 4 picks kept (50 %)"
    assert (
        rejected_text(counts)
        == "2 rejected: 2 carbon · 1 not scored · 1 decided by your labels"
    )
    placed = decision(blocked_by=np.array([3, 0, 0, 0, 0], np.int8)).counts(0.5)
    assert "1 of them for their place" in rejected_text(placed)


def test_expectations_in_words():
    interval = Interval(0.9, 0.8, 0.95)
    expected = SimpleNamespace(n_kept=10, precision=interval, recall=interval)
    assert expectation_text(expected) == (
        "Expected precision 90 % (80–95), recall 90 % (80–95)"
    )
    assert expectation_text(SimpleNamespace(n_kept=0)) == "No score reaches this threshold."
    assert expectation_text(None) == ""


def test_picks_outside_are_a_question_about_the_picking():
    assert outside_text({}) == ""
    assert outside_text({"a": 2, "b": 1}).startswith("3 picks lie outside their micrograph")


def scores(**others):
    values = {
        "forecast": None,
        "outside": {},
        "complete": True,
        "card": SimpleNamespace(held_out_scores=None, training={}, is_before_labels=False),
    }
    return SimpleNamespace(**values | others)


def scored(**others):
    return SimpleNamespace(decision=decision(), threshold=0.5, scores=scores(**others))


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"complete": False}, "follow once all picks are scored"),
        (
            {},
            "No expected precision: the model was not cross-validated.",
        ),
        (
            {"card": SimpleNamespace(held_out_scores=object(), is_before_labels=False)},
            "no pick is scored",
        ),
    ],
)
def test_why_nothing_is_expected_is_told(others, words):
    assert words in ThresholdText.of(scored(**others)).expected


def test_a_threshold_in_words():
    forecast = SimpleNamespace(warnings=("few labels.",), at=lambda _threshold: None)
    text = ThresholdText.of(scored(forecast=forecast, outside={"a": 2}))
    assert text.kept == "2 of 4 scored picks kept (50 %)"
    assert text.warnings.splitlines()[0] == "Few labels."
    assert text.warnings.splitlines()[1].startswith("2 picks lie outside")


@pytest.fixture
def model(viewer, monkeypatch):
    model = DecideModel(session.session_of(viewer))
    found = scores()
    monkeypatch.setattr(DecideModel, "scores", property(lambda _self: found))
    return model, found


def test_presets_find_their_threshold(model):
    model, found = model
    assert model.threshold_for("0.5", 0.9) == 0.5
    assert model.threshold_for("by hand", 0.9) is None
    found.forecast = SimpleNamespace(
        best_f1=lambda: 0.4,
        threshold_for_precision=lambda share: share / 2,
        threshold_for_recall=lambda share: share / 3,
    )
    assert model.threshold_for("balanced (best F1)", 0.9) == 0.4
    assert model.threshold_for("precision at least", 0.9) == 0.45
    assert model.threshold_for("recall at least", 0.9) == pytest.approx(0.3)
    found.complete = False
    assert all(model.threshold_for(preset, 0.9) is None for preset in PRESETS)


def test_a_preset_needs_a_forecast(model):
    with pytest.raises(SettingsError, match="not cross-validated"):
        model[0].threshold_for("precision at least", 0.9)


def test_before_scoring_it_is_said_what_is_missing(viewer):
    model = DecideModel(session.session_of(viewer))
    assert "open micrographs first" in model.status()
    assert not model.can_start()
    assert model.start_text() == "Score picks"


# ------------------------------------------------------------------------ micrographs


def by_micrograph(n_kept, n_picks=100) -> ByMicrograph:
    n_kept = np.array(n_kept)
    n = np.full(len(n_kept), n_picks)
    names = tuple(f"Micrographs/m{i}.mrc" for i in range(len(n_kept)))
    return ByMicrograph(names, n, n, n_kept, n - n_kept, np.linspace(0.2, 0.8, len(n_kept)))


@pytest.fixture
def rows() -> MicrographRows:
    rows = MicrographRows()
    rows.set_micrographs(
        by_micrograph([60, 50, 0, 55, 45, 62]), {"Micrographs/m5.mrc": "broken"}
    )
    return rows


def names(rows) -> list[str]:
    return [rows.text(i, NAME) for i in range(len(rows))]


def test_outliers_come_first_and_unreadable_ones_last(rows):
    assert names(rows)[0] == "m2"
    assert rows.text(0, NOTE) == "few kept"
    assert rows.stands_out(0)
    assert "nearly all rejected" in rows.tip(0)
    assert names(rows)[-1] == "m5"
    assert rows.text(5, NOTE) == "unreadable"
    assert rows.has_notes
    assert rows.is_unreadable(5)
    assert rows.tip(5) == "Micrographs/m5.mrc\nbroken"


@pytest.mark.parametrize(
    ("column", "first"), [(NAME, "m0"), (KEPT, "m2"), (SHARE, "m2"), (SCORE, "m0")]
)
def test_columns_sort_both_ways(rows, column, first):
    rows.sort(column)
    ascending = names(rows)
    assert ascending[0] == first
    rows.sort(column, descending=True)
    assert names(rows) == ascending[::-1]


def test_a_drag_changes_counts_and_leaves_the_order(rows):
    before = names(rows)
    rows.set_counts(by_micrograph([1, 2, 3, 4, 5, 6]))
    assert names(rows) == before
    row = rows.row_of("Micrographs/m0.mrc")
    assert [rows.text(row, c) for c in (PICKS, KEPT, SHARE, SCORE)] == [
        "100",
        "1",
        "1",
        "0.20",
    ]
    rows.check_again({})
    assert not any(rows.is_unreadable(i) for i in range(6))


def test_micrographs_without_scores_have_empty_cells():
    rows, nothing = MicrographRows(), np.zeros(1, np.intp)
    by = ByMicrograph(("m",), np.array([3]), nothing, nothing, nothing, np.array([np.nan]))
    rows.set_micrographs(by, {})
    assert [rows.text(0, c) for c in (KEPT, SHARE, SCORE, NOTE)] == ["", "", "", ""]
    assert not rows.has_notes
    assert rows.row_of("other") is None
    rows.set_micrographs(None, {})
    assert len(rows) == 0
