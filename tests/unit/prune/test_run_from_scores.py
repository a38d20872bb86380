"""Deciding and writing without the network: the very files that the whole run writes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.label_matching import match_labels
from napari_pickeroptimizer.prune.run import finish, prepare, prune_picks
from napari_pickeroptimizer.prune.score import score
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.staging import locked


def without_times(path: Path) -> dict[str, object]:
    record = json.loads(path.read_text())
    assert record.pop("started")
    assert record.pop("seconds") >= 0
    return record


@pytest.mark.parametrize("with_labels", [False, True])
def test_what_is_scored_already_is_written_byte_for_byte_as_by_the_whole_run(
    spot_project, dark_is_particle, tmp_path: Path, with_labels: bool
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    settings = PruneSettings(threshold=0.7)
    labels = read_picks(spot_project.labels) if with_labels else None
    list(
        prune_picks(
            micrographs, picks, dark_is_particle, tmp_path / "run", settings, labels=labels
        )
    )

    *_, scored = score(micrographs, picks, dark_is_particle)
    groups = group_by_micrograph(micrographs, picks)
    boxes = dark_is_particle.card.boxes
    matched = labels and match_labels(groups, picks, labels, micrographs, boxes)
    plan = prepare(
        micrographs, picks, dark_is_particle, tmp_path / "again", settings, labels=matched
    )
    in_labels = scored.picks.with_labels(plan.picks.labels)
    with locked(plan.output):
        *_, result = finish(plan, dataclasses.replace(scored, picks=in_labels))

    names = ["kept.star", "rejected.star", "scored.star"]
    assert sorted(p.name for p in result.files) == [*names[:2], "run.json", names[2]]
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (
            tmp_path / "run" / name
        ).read_bytes()
    assert without_times(tmp_path / "again" / "run.json") == without_times(
        tmp_path / "run" / "run.json"
    )


def test_the_record_is_in_the_order_of_the_picks_whatever_was_scored_first(
    spot_project, dark_is_particle, tmp_path: Path
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    plan = prepare(micrographs, picks, dark_is_particle, tmp_path, PruneSettings())
    *_, scored = score(micrographs, picks, dark_is_particle)
    names = list(picks.rows_by_micrograph())
    jumbled = PicksScored(
        scored.picks,
        {names[2]: "gone", names[0]: "gone too"},
        {names[1]: 1, names[0]: 2},
    )
    *_, result = finish(plan, jumbled)
    record = result.record
    assert list(record["unreadable"]) == [names[0], names[2]]
    assert list(record["outside"]) == names[:2]


def test_nothing_is_written_before_all_is_checked(
    spot_project, dark_is_particle, tmp_path: Path
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(SettingsError, match="already holds a run"):
        prepare(micrographs, picks, dark_is_particle, tmp_path, PruneSettings())
    with pytest.raises(SettingsError, match="cross-validated"):
        prepare(
            micrographs, picks, dark_is_particle, tmp_path / "b", PruneSettings(precision=0.9)
        )
    assert not (tmp_path / "b").exists()


def test_the_models_own_names_of_classes_are_counted(
    spot_project, dark_is_particle, tmp_path: Path
) -> None:
    card = dataclasses.replace(
        dark_is_particle.card, class_names=("particle", "bright spot", "edge")
    )
    model = dataclasses.replace(dark_is_particle, card=card)
    *_, result = prune_picks(
        Micrographs.find(spot_project.micrographs), read_picks(spot_project.picks), model,
        tmp_path,
    )  # fmt: skip
    assert set(result.record["counts"]["rejected_by_class"]) <= {"bright spot", "edge"}
    # in the file a class is its number
    assert set(read_picks(tmp_path / "rejected.star").table["predicted"]) <= {2, 3}
