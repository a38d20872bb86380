"""The whole walk on EMPIAR-10017 with a real mouse and real keys, state by state.

The walk itself is `docs/scripts/walk.py`, which makes the pictures of the documentation too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = [pytest.mark.gui, pytest.mark.slow]
DIAMETER_PX = 108.0


@pytest.fixture
def scripts(repository: Path) -> Iterator[ModuleType]:
    """Import the walk, which is a script of the documentation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "docs" / "scripts"))
        import walk

        yield walk
        for name in ("walk", "hand"):
            sys.modules.pop(name, None)


def test_from_files_to_files_by_mouse_and_keys(shown_viewer, scripts, empiar10017, tmp_path):
    from napari_pickeroptimizer import read_picks
    from napari_pickeroptimizer.plugin import session

    viewer = shown_viewer
    viewer.window.resize(1280, 800)
    route = scripts.Route(
        empiar10017 / "Micrographs",
        empiar10017 / "topaz",
        scripts.with_border(
            read_picks(empiar10017 / "labels"), read_picks(empiar10017 / "topaz"), 45
        ),
        tmp_path / "pruned",
        DIAMETER_PX,
        n_steps=40,
        n_folds=2,
    )
    hand = scripts.Hand(viewer)
    state = session.session_of(viewer)
    seen: dict[str, object] = {}
    for name in scripts.walk(viewer, hand, route):
        layer = state.picks_layer
        picks = session.picks_of(layer)
        match name:
            case "opened":
                n = len(picks)
                assert n > 800
                assert layer.size[0] == DIAMETER_PX
            case "labelled":
                counts = [int((picks.labels == c).sum()) for c in (PARTICLE, CONTAMINANT)]
                assert counts == [20, 20]
                labels = picks.labels.copy()
            case "learned":
                seen.setdefault("first model", state.model)
                assert state.fine_tuned.validation.accuracy > 0.7
            case "decided":
                scores = picks_state(layer).scores
                assert scores.complete
                assert np.isfinite(scores.p_particle).mean() > 0.98
            case "threshold":
                assert picks_state(layer).threshold == pytest.approx(0.7, abs=0.02)
                kept = viewer.layers[f"{layer.name} kept"]
                assert 0.2 * n < len(kept.data) < 0.95 * n
            case "gallery":
                (changed,) = np.flatnonzero(picks.labels != labels)
                assert picks.labels[changed] == CONTAMINANT
                seen["corrected"] = changed
            case "kept":
                assert state.model is not seen["first model"]
                kept = viewer.layers[f"{layer.name} kept"]
                assert kept.visible
                assert not layer.visible
                expected = len(kept.data)
            case "exported":
                record = json.loads((route.output / "run.json").read_text())
                assert record["counts"]["kept"] == expected
                assert len(read_picks(route.output / "kept")) == expected
                assert (route.output / "report.html").is_file()
        seen[name] = True
    assert list(seen)[-1] == "exported"
    # nothing that was there is another one now
    assert read_picks(empiar10017 / "topaz").labels.sum() == 0
    assert len(session.picks_of(layer)) == n
