"""The whole walk with a real mouse and real keys, state by state.

The walk itself is `docs/scripts/walk.py`, which makes the pictures of the documentation too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui


@pytest.fixture
def scripts(repository: Path) -> Iterator[ModuleType]:
    """Import the walk, which is a script of the documentation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "docs" / "scripts"))
        import walk

        yield walk
        for name in ("walk", "hand"):
            sys.modules.pop(name, None)


def walk_and_check(viewer: Any, steps: Iterator[str], route: Any) -> dict[str, Any]:
    """Check every state of a walk; return what came of it."""
    from napari_pickeroptimizer import read_picks
    from napari_pickeroptimizer.plugin import session

    state = session.session_of(viewer)
    seen: dict[str, Any] = {}
    for name in steps:
        layer = state.picks_layer
        picks = session.picks_of(layer)
        match name:
            case "opened":
                n = len(picks)
                assert n == len(read_picks(route.picks))
                assert layer.size[0] == pytest.approx(
                    route.diameter_px, abs=0.1
                )  # the field has a decimal
            case "labelled":
                counts = [int((picks.labels == c).sum()) for c in (PARTICLE, CONTAMINANT)]
                assert counts == [route.n_per_class, route.n_per_class]
                labels = picks.labels.copy()
            case "learned":
                seen.setdefault("first model", state.model)
                seen.setdefault("first result", state.fine_tuned)
            case "decided":
                scores = picks_state(layer).scores
                assert scores.complete
                assert np.isfinite(scores.p_particle).mean() > 0.98
            case "threshold":
                known = picks_state(layer)
                assert known.threshold == pytest.approx(0.7, abs=0.02)
                kept = viewer.layers[f"{layer.name} kept"]
                assert len(kept.data) == known.decision.counts(known.threshold).kept
                seen["share kept"] = len(kept.data) / n
            case "gallery":
                (changed,) = np.flatnonzero(picks.labels != labels)
                assert picks.labels[changed] == CONTAMINANT
            case "kept":
                assert state.model is not seen["first model"]
                kept = viewer.layers[f"{layer.name} kept"]
                assert kept.visible
                assert not layer.visible
                expected = len(kept.data)
            case "exported":
                record = json.loads((route.output / "run.json").read_text())
                assert record["counts"]["kept"] == expected
                assert sum(len(read_picks(f)) for f in kept_files(route.output)) == expected
                assert (route.output / "report.html").is_file()
        seen[name] = True
    assert list(seen)[-1] == "exported"
    # nothing that was there is another one now
    assert read_picks(route.picks).labels.sum() == 0
    assert len(session.picks_of(layer)) == n
    return seen


@pytest.fixture
def follow(shown_viewer, scripts, fail_at_once):
    """Return a function that walks a route and checks every state."""

    class QuickHand(scripts.Hand):
        """Waits for what comes of a step, but not so that somebody could look at it."""

        def settle(self, seconds: float | None = None) -> None:
            super().settle(min(self.pause, seconds or 0))

    def followed(route: Any) -> dict[str, Any]:
        shown_viewer.window.resize(1280, 800)
        hand = QuickHand(shown_viewer, on_move=fail_at_once, pause=0.01)
        return walk_and_check(shown_viewer, scripts.walk(shown_viewer, hand, route), route)

    return followed


def kept_files(output: Path) -> list[Path]:
    """Return the files of kept picks: one table, or one file a micrograph."""
    tree = output / "kept"
    return [tree] if tree.is_dir() else [output / "kept.star"]


def test_from_files_to_files_by_mouse_and_keys(follow, scripts, project, picks_star, tmp_path):
    from napari_pickeroptimizer import read_picks

    follow(
        scripts.Route(
            project / "Micrographs", picks_star, read_picks(project / "picks_truth.star"),
            tmp_path / "pruned", diameter_px=40.0, n_per_class=3, n_steps=2, n_folds=2,
        )
    )  # fmt: skip


@pytest.mark.slow
def test_the_same_on_empiar10017(follow, scripts, empiar10017, tmp_path):
    from napari_pickeroptimizer import read_picks

    picks = empiar10017 / "topaz"
    truth = scripts.with_border(read_picks(empiar10017 / "labels"), read_picks(picks), 45)
    seen = follow(
        scripts.Route(
            empiar10017 / "Micrographs", picks, truth, tmp_path / "pruned",
            diameter_px=108.0, n_steps=20, n_folds=2,
        )
    )  # fmt: skip
    assert seen["first result"].validation.accuracy > 0.7
    assert 0.2 < seen["share kept"] < 0.95
