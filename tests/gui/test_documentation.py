"""The tutorial's script runs, and does what the tutorial says."""

from __future__ import annotations

import importlib.util
import re

import pytest

from napari_pickeroptimizer.simulate.settings import SimulationSettings

pytestmark = pytest.mark.gui


def test_the_scripted_session_runs(repository, viewer, tmp_path):
    from napari_pickeroptimizer import read_picks

    path = repository / "docs" / "examples" / "scripted_session.py"
    spec = importlib.util.spec_from_file_location("scripted_session", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    small = SimulationSettings(
        n_micrographs=2,
        n_particles=12,
        shape_px=(480, 512),
        pixel_size_ang=4.0,
        labels_per_class=4,
    )
    kept = script.run(viewer, tmp_path / "project", small, n_steps=2)
    names = [layer.name for layer in viewer.layers]
    assert names == ["micrographs", "picks", "picks rejected", "picks kept"]
    assert len(read_picks(kept)) == len(viewer.layers["picks kept"].data)
    assert (tmp_path / "project" / "model.safetensors").is_file()


def test_the_tutorial_shows_pictures_that_are_there_and_small(repository):
    docs = repository / "docs"
    text = (docs / "tutorials" / "napari.md").read_text(encoding="utf-8")
    for name in ("napari_labelled.png", "napari_pruned.png"):
        assert f"../images/{name}" in text
        assert (docs / "images" / name).stat().st_size < 500_000
    assert "docs/examples/scripted_session.py" in text


def test_the_tutorials_code_is_the_script_that_was_run(repository):
    text = (repository / "docs" / "tutorials" / "napari.md").read_text(encoding="utf-8")
    script = (repository / "docs" / "examples" / "scripted_session.py").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    for part in code.split("\n\n\n"):
        assert part.strip() in script
