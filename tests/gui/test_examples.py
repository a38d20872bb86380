"""The scripts of the documentation run, and do what they say."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.simulate.settings import SimulationSettings

pytestmark = pytest.mark.gui
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SMALL = SimulationSettings(
    n_micrographs=2,
    n_particles=12,
    shape_px=(480, 512),
    pixel_size_ang=4.0,
    labels_per_class=4,
)


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_session_by_script_and_its_model_on_other_picks(viewer, tmp_path, capsys):
    from napari.components import ViewerModel

    from napari_pickeroptimizer import read_picks

    written = script("scripted_session").run(viewer, tmp_path / "project", SMALL, n_steps=2)
    names = [layer.name for layer in viewer.layers]
    assert names[:2] == ["micrographs", "picks"]
    assert set(names[2:]) == {"picks rejected", "picks kept"}
    kept = read_picks(written.output / "kept.star")
    assert len(kept) == len(viewer.layers["picks kept"].data)
    assert {"model.safetensors", "labels.star", "report.html"} <= {
        path.name for path in written.files
    }
    said = capsys.readouterr().out
    assert "pickeroptimizer prune" in said

    project = tmp_path / "project"
    again = script("reuse_model").run(
        ViewerModel(),
        written.output / "model.safetensors",
        project / "Micrographs",
        project / "AutoPick" / "simulated" / "picks.star",
        tmp_path / "kept_again.star",
        precision=0.7,
        device="cpu",
    )
    assert again.files == [tmp_path / "kept_again.star"]
    assert len(read_picks(again.files[0])) == again.counts["kept"]
    said = capsys.readouterr().out
    assert "cross-validated" in said.lower()


def test_from_labels_to_kept_picks_in_two_calls(viewer, tmp_path, capsys):
    from napari_pickeroptimizer import read_picks

    (written,) = script("two_functions").run(viewer, tmp_path / "kept.star", n_steps=2)
    assert f"{len(read_picks(written))} picks kept" in capsys.readouterr().out
    assert viewer.layers["simulated picks kept"].visible


def test_a_review_by_script_with_two_viewers(viewer, tmp_path, capsys):
    from napari.components import ViewerModel

    other = ViewerModel()
    review = script("review")
    found = review.run(viewer, other, tmp_path / "project", SMALL, n_steps=2)
    assert len(set(found["asked"])) == len(found["asked"]) >= 2
    assert found["saved"].is_file()
    assert np.array_equal(found["labels"], found["labels_again"])
    assert not (found["labels"] == review.EDGE).any()
    said = capsys.readouterr().out
    assert "1 edge" in said.split("after undo")[0]
    assert "edge" not in said.split("after undo")[1]
    assert next(layer.name for layer in other.layers) == "micrographs"
    curate, gallery = review.open_docks(viewer)
    assert curate is not None
    assert gallery is not None


def test_the_blocks_of_the_page_on_scripts(viewer, tmp_path, monkeypatch):
    import napari

    from napari_pickeroptimizer import simulate_project

    *_, project = simulate_project(tmp_path, SMALL)
    picks = tmp_path / "AutoPick" / "job006" / "autopick.star"
    picks.parent.mkdir()
    shutil.copy(project.picks, picks)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(napari, "Viewer", lambda: viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    page = (EXAMPLES.parent / "how-to" / "script-napari.md").read_text(encoding="utf-8")
    known = {}
    for text in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        text = text.replace("diameter_ang=150)", "diameter_ang=150, n_steps=2)")
        exec(compile(text, "script-napari.md", "exec"), known)
    assert {"Pruned", "kept.star"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_examples_use_public_names_only(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w_])(?:\w+\.)_[a-z]\w*", text)
    assert "_qt_" not in text


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.*")))
def test_every_example_is_shown_in_the_documentation(name):
    pages = (EXAMPLES.parent / "how-to").glob("*.md")
    # ruff formats blocks that are called python, and breaks the sign of an inclusion
    inclusion = f'--8<-- "docs/examples/{name}"'
    assert any(inclusion in page.read_text(encoding="utf-8") for page in pages)
