"""An export writes what `prune` writes, and says how to have it again."""

from __future__ import annotations

import json
import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")


from napari_pickeroptimizer import FineTuneSettings, Picks, read_picks
from napari_pickeroptimizer.cli import main
from napari_pickeroptimizer.errors import LabelError, PickFormatError, SettingsError
from napari_pickeroptimizer.plugin import actions, jobs, outputs, session
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.panels.export.export import (
    Exported,
    ExportSettings,
    ExportStep,
    export,
    export_events,
    in_the_way,
)
from napari_pickeroptimizer.plugin.panels.export.model import default_output, formats
from napari_pickeroptimizer.plugin.panels.export.recipe import recipe_of
from napari_pickeroptimizer.plugin.panels.export.reproduce import command_line
from napari_pickeroptimizer.plugin.writers import save_labels

QUICK = FineTuneSettings(diameter_px=24, n_steps=4, n_folds=2, device="cpu", seed=3)
TWINS = ("kept.star", "rejected.star", "scored.star")
NO_REPORT = ExportSettings(report=False)


@pytest.fixture(autouse=True)
def _quiet_napari():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def spots(spot_project, tmp_path_factory):
    """Return the spot project under a name that a shell would take apart."""
    import shutil

    folder = tmp_path_factory.mktemp("my project's $HOME")
    shutil.copytree(spot_project.root, folder / "data")
    return folder / "data"


@pytest.fixture
def layer(viewer, spots):
    actions.open_micrographs(viewer, spots / "Micrographs")
    layer = actions.open_picks(viewer, spots / "picks.star", diameter_px=24)
    labels = read_picks(spots / "labels.star").labels
    actions.label_picks(layer, np.flatnonzero(np.arange(72) % 3 == 0), labels[::3])
    return layer


def split(viewer, layer) -> None:
    """Score a layer, and set a threshold that keeps about half of it."""
    scores = jobs.score_layer(viewer, layer, device="cpu")
    outputs.set_threshold(viewer, layer, float(np.median(scores.p_particle)))


@pytest.fixture(scope="module")
def trained() -> list:
    """The model of the first test that needs one, for all others: training takes long."""
    return []


@pytest.fixture
def scored(viewer, layer, trained):
    """Return the layer after learning and scoring, at a threshold that splits it."""
    if not trained:
        trained.append(jobs.finetune_layer(viewer, layer, QUICK))
    session.session_of(viewer).set_model(trained[0].model, trained[0])
    split(viewer, layer)
    return layer


def run_commands(script: str) -> None:
    """Run command lines as a shell takes them apart, without starting one for each."""
    lines = [s for s in script.replace("\\\n", " ").splitlines() if s and s[0] != "#"]
    assert lines
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "pickeroptimizer"
        with pytest.raises(SystemExit) as left:
            main(words)
        assert not left.value.code


def assert_same_picks(one: Path, other: Path) -> None:
    a, b = (read_picks(path / "kept.star") for path in (one, other))
    assert len(a)
    assert a.table[["micrograph", "x", "y"]].equals(b.table[["micrograph", "x", "y"]])
    a, b = (read_picks(path / "scored.star") for path in (one, other))
    np.testing.assert_allclose(a.particle_probability, b.particle_probability, atol=1e-6)
    assert a.table["predicted"].equals(b.table["predicted"])
    assert a.table["decided_by"].tolist() == b.table["decided_by"].tolist()


def test_session_command_line_and_python_give_the_same(viewer, scored, tmp_path):
    out = tmp_path / "it's out"
    exported = export(viewer, scored, out)
    assert exported.report == out / "report.html"
    assert {p.name for p in exported.files} == {
        *TWINS, "run.json", "labels.star", "model.safetensors", "report.html",
    }  # fmt: skip
    record = json.loads((out / "run.json").read_text())
    assert record["counts"] == exported.counts
    assert record["labels"] == {"given": 24, "matched": 24}
    assert record["files"] == [*("scored.star", "kept.star", "rejected.star"), "report.html"]
    assert "finetune" in exported.command
    assert "prune" in exported.command

    run_commands(exported.command)
    again = tmp_path / "it's out_again"
    assert_same_picks(out, again)
    theirs = json.loads((again / "run.json").read_text())
    for key in ("threshold", "counts", "labels", "warnings", "expectation", "micrographs"):
        assert theirs[key] == record[key], key
    assert theirs["inputs"]["labels"] == record["inputs"]["labels"]

    by_command = again.rename(tmp_path / "by command")
    exec(compile(exported.snippet, "snippet", "exec"), {})  # as it is shown
    for name in (*TWINS, "model.safetensors"):
        assert (again / name).read_bytes() == (by_command / name).read_bytes(), name


def test_the_files_are_those_of_prune_byte_for_byte(viewer, scored, tmp_path):
    from napari_pickeroptimizer import Classifier, Micrographs, PruneSettings, prune_picks

    export(viewer, scored, tmp_path / "out", NO_REPORT)
    threshold = picks_state(scored).threshold
    picks = read_picks(session.picks_of(scored).sources[0].path)
    *_, _ = prune_picks(
        Micrographs.find(session.picks_of(scored).sources[0].path.parent / "Micrographs"),
        picks, Classifier.load(tmp_path / "out" / "model.safetensors"), tmp_path / "run",
        PruneSettings(threshold=threshold, device="cpu", batch_size=jobs.CPU_BATCH),
        labels=read_picks(tmp_path / "out" / "labels.star"),
    )  # fmt: skip
    for name in TWINS:
        mine, theirs = ((tmp_path / d / name).read_bytes() for d in ("out", "run"))
        assert mine == theirs, name


def test_labels_given_after_learning_are_told_and_the_model_is_taken_as_it_is(
    viewer, scored, tmp_path
):
    row = int(np.flatnonzero(session.picks_of(scored).labels == 0)[0])
    actions.label_picks(scored, [row], 3)
    exported = export(viewer, scored, tmp_path / "out", NO_REPORT)
    assert "was trained on other labels than these" in exported.command
    assert "finetune" not in exported.command.replace("fine-tune", "")
    assert f"Classifier.load('{tmp_path}/out/model.safetensors')" in exported.snippet
    run_commands(exported.command)
    assert_same_picks(tmp_path / "out", tmp_path / "out_again")


def test_picks_that_were_added_go_along(viewer, scored, tmp_path):
    scored.add([[0, 100.125, 90.5], [1, 60, 200]])
    actions.label_picks(scored, [72], 1)
    jobs.finetune_layer(viewer, scored, QUICK)
    split(viewer, scored)
    exported = export(viewer, scored, tmp_path / "out", NO_REPORT)
    assert "2 picks that you added are in labels_added.star only" in exported.command
    run_commands(exported.command)
    kept = [
        read_picks(sorted((tmp_path / "out").glob("kept*.star"))),
        read_picks(sorted((tmp_path / "out_again" / "kept").rglob("*.star"))),
    ]
    places = [
        sorted(zip(k.table["x"].round(3), k.table["y"].round(3), strict=True)) for k in kept
    ]
    assert places[0] == places[1]


def test_distances_and_the_figure_of_merit_are_in_commands_and_files(viewer, scored, tmp_path):
    from napari_pickeroptimizer.prune.settings import Length, PlaceRules

    rules = PlaceRules(Length(4.5, "diameters"), Length(90.0, "ang"))
    outputs.set_place_rules(viewer, scored, rules)
    settings = ExportSettings(report=False, write_fom=True)
    exported = export(viewer, scored, tmp_path / "out", settings)
    assert "--min-distance 4.5d" in exported.command
    assert "--edge-distance 90A" in exported.command
    assert "--write-fom" in exported.command
    assert {"distance", "edge"} & set(exported.counts["rejected_by_reason"])
    run_commands(exported.command)
    assert_same_picks(tmp_path / "out", tmp_path / "out_again")
    again = read_picks(tmp_path / "out" / "scored.star")
    np.testing.assert_allclose(again.table["picker_score"], again.particle_probability)


def test_only_the_kept_picks_go_to_one_file(viewer, scored, tmp_path):
    settings = ExportSettings(what="kept")
    exported = export(viewer, scored, tmp_path / "kept.star", settings)
    assert exported.files == [tmp_path / "kept.star"]
    pruned = outputs.refresh(viewer, scored)
    assert len(read_picks(tmp_path / "kept.star")) == len(pruned.layers["kept"].data)
    assert exported.counts["kept"] == len(pruned.layers["kept"].data)
    with pytest.raises(SettingsError, match=r"kept.star exists. Choose another place"):
        export(viewer, scored, tmp_path / "kept.star", settings)
    source = session.picks_of(scored).sources[0].path
    with pytest.raises(PickFormatError, match="one of the files"):
        export(viewer, scored, source, ExportSettings(what="kept", overwrite=True))


def test_nothing_is_replaced_unless_told_to(viewer, scored, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="has files in it"):
        export(viewer, scored, out, NO_REPORT)
    again = ExportSettings(report=False, overwrite=True)
    export(viewer, scored, out, again)
    with pytest.raises(SettingsError, match="holds an earlier run"):
        export(viewer, scored, out, NO_REPORT)
    export(viewer, scored, out, again)
    assert (out / "notes.txt").read_text() == "mine"


def test_picks_without_scores_cannot_be_exported_but_their_labels_can(viewer, layer, tmp_path):
    with pytest.raises(SettingsError, match="not scored yet"):
        export(viewer, layer, tmp_path / "out")
    (path,) = save_labels(layer, tmp_path / "labels.star")
    assert np.array_equal(read_picks(path).labels, session.picks_of(layer).labels)
    with pytest.raises(SettingsError, match="exists"):
        save_labels(layer, path)
    save_labels(layer, path, overwrite=True)


def test_no_labels_nothing_to_save(viewer, spots, tmp_path):
    layer = actions.open_picks(viewer, spots / "picks.star")
    with pytest.raises(LabelError, match="no pick is labelled"):
        save_labels(layer, tmp_path / "labels.star")


def test_labels_of_a_pruned_file_are_the_users_only(viewer, scored, tmp_path):
    """Decisions in the file that was opened must not come back as labels."""
    export(viewer, scored, tmp_path / "out", NO_REPORT)
    again = actions.open_picks(viewer, tmp_path / "out" / "scored.star")
    actions.label_picks(again, [0, 1], [2, 3])
    (path,) = save_labels(again, tmp_path / "labels.star")
    assert np.array_equal(read_picks(path).labels, session.picks_of(again).labels)
    everything = np.full(len(session.picks_of(again)), 2)
    actions.label_picks(again, np.arange(len(everything)), everything)
    (path,) = save_labels(again, path, overwrite=True)
    assert np.array_equal(read_picks(path).labels, everything)


def test_the_worker_part_touches_no_layer_and_can_be_cancelled(viewer, scored, tmp_path):
    events = export_events(viewer, scored, tmp_path / "out")
    viewer.layers.clear()  # whatever happens to the layers meanwhile
    steps = [next(events) for _ in range(3)]
    assert all(isinstance(step, ExportStep) for step in steps)
    assert steps[-1].text.startswith("Report: micrograph")
    events.close()
    assert not (tmp_path / "out").exists()  # nothing half, and no temporary file


def test_progress_rises_to_one(viewer, scored, tmp_path):
    events = list(export_events(viewer, scored, tmp_path / "out"))
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert isinstance(events[-1], Exported)


def test_a_tree_of_box_files_is_exported_as_one(viewer, spots, tmp_path):
    picks = read_picks(spots / "picks.star")
    for name, rows in picks.rows_by_micrograph().items():
        xy = picks.table.loc[rows, ["x", "y"]].to_numpy() - 12
        lines = [f"{x:.0f}\t{y:.0f}\t24\t24" for x, y in xy]
        path = tmp_path / "boxes" / f"{Path(name).stem}.box"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    actions.open_micrographs(viewer, spots / "Micrographs")
    layer = actions.open_picks(viewer, tmp_path / "boxes", diameter_px=24)
    actions.label_picks(layer, np.arange(12), [1, 2] * 6)
    assert formats(session.picks_of(layer)) == {
        "": "3 files, as the input",
        ".star": "one STAR file",
    }
    jobs.finetune_layer(viewer, layer, QUICK)
    split(viewer, layer)
    assert default_output(session.picks_of(layer)) == tmp_path / "boxes_pruned"
    exported = export(viewer, layer, tmp_path / "boxes_pruned", NO_REPORT)
    assert f"--picks {tmp_path}/boxes " in exported.command
    run_commands(exported.command)
    for name in ("kept", "rejected"):
        ours, theirs = (
            {p.name: p.read_text() for p in (tmp_path / d / name).iterdir()}
            for d in ("boxes_pruned", "boxes_pruned_again")
        )
        assert ours == theirs
    one = ExportSettings(what="kept")
    (path,) = export(viewer, layer, tmp_path / "kept.star", one).files
    assert len(read_picks(path)) == exported.counts["kept"]


def test_picks_of_no_file_are_in_the_labels(viewer, spots, tmp_path):
    actions.open_micrographs(viewer, spots / "Micrographs")
    given = read_picks(spots / "labels.star").table
    picks = Picks.from_arrays(list(given["micrograph"]), given["x"], given["y"])
    layer = actions.open_picks(viewer, picks, diameter_px=24)
    actions.label_picks(layer, np.arange(12), given["label"].to_numpy()[:12])
    jobs.finetune_layer(viewer, layer, QUICK)
    split(viewer, layer)
    exported = export(viewer, layer, tmp_path / "out", NO_REPORT)
    assert f"--picks {tmp_path}/out/labels.star" in exported.command
    run_commands(exported.command)
    assert_same_picks(tmp_path / "out", tmp_path / "out_again")


def test_a_recipe_before_the_export_says_what_will_be_there(viewer, layer, trained, tmp_path):
    recipe = recipe_of(viewer, layer, tmp_path / "out")
    assert any("labels.star and model.safetensors will be there" in n for n in recipe.notes)
    assert recipe.threshold is None
    assert "prune" in command_line(recipe)
    if not trained:
        trained.append(jobs.finetune_layer(viewer, layer, QUICK))
    session.session_of(viewer).set_model(trained[0].model, trained[0])
    recipe = recipe_of(viewer, layer, tmp_path / "out")
    assert recipe.training["n_steps"] == 4
    assert any(n.startswith("labels.star will be there") for n in recipe.notes)


def test_an_export_goes_beside_the_picks_and_never_where_something_is(spots, tmp_path):
    import shutil

    (path,) = [shutil.copy(spots / "picks.star", tmp_path)]
    picks = read_picks(path)
    assert default_output(picks) == tmp_path / "picks_pruned"
    (tmp_path / "picks_pruned").mkdir()
    assert default_output(picks) == tmp_path / "picks_pruned_2"
    assert default_output(picks, "kept") == tmp_path / "picks_kept.star"
    assert in_the_way(tmp_path / "picks_pruned") == ""
    assert "is a file" in in_the_way(tmp_path / "picks.star")
    assert formats(picks) == {".star": "STAR, as the input"}
