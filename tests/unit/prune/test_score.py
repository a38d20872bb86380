"""Scoring reads each micrograph once, one after the other, and survives those it cannot read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.prune.events import BatchScored, MicrographScored, PicksScored
from napari_pickeroptimizer.prune.score import score
from napari_pickeroptimizer.reading import MicrographFailed


def scored(events: list[object]) -> PicksScored:
    assert isinstance(events[-1], PicksScored)
    return events[-1]


def test_every_pick_gets_the_probability_of_every_class(
    spot_project, dark_is_particle
) -> None:
    labels = read_picks(spot_project.labels)
    events = list(score(Micrographs.find(spot_project.micrographs), labels, dark_is_particle))
    picks = scored(events).picks
    assert picks.class_ids == (1, 2, 3)
    probabilities = picks.table[["probability_1", "probability_2", "probability_3"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(picks.particle_probability > 0.5, labels.labels == 1)


def test_micrographs_come_one_by_one_with_their_rows(spot_project, dark_is_particle) -> None:
    picks = read_picks(spot_project.picks)
    events = list(score(Micrographs.find(spot_project.micrographs), picks, dark_is_particle))
    parts = [e for e in events if isinstance(e, MicrographScored)]
    assert [p.group.name for p in parts] == [f"Micrographs/m{i}.mrc" for i in range(3)]
    assert [p.progress for p in parts] == pytest.approx([1 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(np.concatenate([p.group.rows for p in parts]), np.arange(72))
    np.testing.assert_allclose(
        parts[1].probabilities[:, 0],
        scored(events).picks.particle_probability[parts[1].group.rows],
    )


def test_each_micrograph_is_read_once_however_its_picks_lie(
    spot_project, dark_is_particle, names_read: list[str]
) -> None:
    picks = read_picks(spot_project.picks)
    mixed = picks.select(np.random.default_rng(0).permutation(len(picks)))
    list(score(Micrographs.find(spot_project.micrographs), mixed, dark_is_particle))
    # those before are read to compare picks and micrographs
    assert sorted(names_read[-3:]) == ["m0.mrc", "m1.mrc", "m2.mrc"]
    assert len(names_read) <= 6


def test_order_and_batch_size_do_not_change_a_score(spot_project, dark_is_particle) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    order = np.random.default_rng(0).permutation(len(picks))
    straight = scored(list(score(micrographs, picks, dark_is_particle))).picks
    mixed = scored(
        list(score(micrographs, picks.select(order), dark_is_particle, batch_size=5))
    ).picks
    np.testing.assert_allclose(
        mixed.particle_probability, straight.particle_probability[order], atol=1e-6
    )


def test_unreadable_and_missing_micrographs_leave_their_picks_unscored(
    spot_project, dark_is_particle, tmp_path: Path
) -> None:
    (tmp_path / "m0.mrc").write_bytes((spot_project.micrographs / "m0.mrc").read_bytes())
    (tmp_path / "m1.mrc").write_bytes(b"no image at all")
    events = list(
        score(Micrographs.find(tmp_path), read_picks(spot_project.picks), dark_is_particle)
    )
    failed = [e for e in events if isinstance(e, MicrographFailed)]
    assert [f.group.name for f in failed] == ["Micrographs/m1.mrc", "Micrographs/m2.mrc"]
    assert "m1.mrc" in failed[0].reason
    assert "'Micrographs/m2.mrc' is not among" in failed[1].reason
    result = scored(events)
    assert list(result.failures) == ["Micrographs/m1.mrc", "Micrographs/m2.mrc"]
    np.testing.assert_array_equal(
        np.isnan(result.picks.particle_probability), np.repeat([False, True, True], 24)
    )


def test_picks_outside_are_counted_and_left_unscored(spot_project, dark_is_particle) -> None:
    inside = Picks.from_arrays("m0.mrc", x=[100.0], y=[100.0])
    beyond = Picks.from_arrays("m0.mrc", x=[100.0, -9.0], y=[270.0, 5.0])
    events = list(
        score(
            Micrographs.find(spot_project.micrographs),
            concatenate([beyond, inside]),
            dark_is_particle,
        )
    )
    result = scored(events)
    assert result.outside == {"m0.mrc": 2}
    assert np.isnan(result.picks.particle_probability).tolist() == [True, True, False]


def test_picks_of_other_micrographs_altogether_are_refused(
    spot_project, dark_is_particle
) -> None:
    picks = Picks.from_arrays("other.mrc", x=[1.0], y=[1.0])
    with pytest.raises(MicrographNotFoundError, match="'other.mrc' is not among the 3"):
        list(score(Micrographs.find(spot_project.micrographs), picks, dark_is_particle))


def test_an_ambiguous_micrograph_is_never_guessed(
    spot_project, dark_is_particle, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        data = (spot_project.micrographs / "m0.mrc").read_bytes()
        (tmp_path / folder / "m0.mrc").write_bytes(data)
    picks = Picks.from_arrays("m0.mrc", x=[50.0], y=[50.0])
    with pytest.raises(AmbiguousMicrographError, match=r"(?s)fits 2 .*a/m0.mrc.*b/m0.mrc"):
        list(score(Micrographs.find(tmp_path), picks, dark_is_particle))


def test_closing_the_generator_cancels(spot_project, dark_is_particle) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    running = score(micrographs, read_picks(spot_project.picks), dark_is_particle)
    next(running)
    running.close()
    assert list(running) == []


def test_no_picks_are_scored_at_once(spot_project, dark_is_particle) -> None:
    nothing = read_picks(spot_project.picks).select(np.zeros(72, dtype=bool))
    events = list(score(Micrographs.find(spot_project.micrographs), nothing, dark_is_particle))
    assert len(scored(events).picks) == 0


def test_two_spellings_of_one_micrograph_are_one_reading_of_it(
    spot_project, dark_is_particle, names_read: list[str]
) -> None:
    picks = read_picks(spot_project.picks)
    names = picks.table["micrograph"].tolist()
    spelled = [name if i % 2 else "m0" for i, name in enumerate(names[:24])] + names[24:]
    micrographs = Micrographs.find(spot_project.micrographs)
    straight = scored(list(score(micrographs, picks, dark_is_particle))).picks
    names_read.clear()
    events = list(score(micrographs, picks.with_columns(micrograph=spelled), dark_is_particle))
    # those before are read to compare picks and micrographs
    assert names_read[-3:] == ["m0.mrc", "m1.mrc", "m2.mrc"]
    assert len(names_read) <= 6
    assert [e.group.name for e in events[:-1]] == ["m0", *names[24::24]]
    np.testing.assert_array_equal(
        scored(events).picks.particle_probability, straight.particle_probability
    )


def test_the_wished_micrographs_come_first_and_change_no_score(
    spot_project, dark_is_particle
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    straight = scored(list(score(micrographs, picks, dark_is_particle))).picks
    first = ("Micrographs/m2.mrc", "nobody's.mrc", "Micrographs/m1.mrc", "Micrographs/m2.mrc")
    events = list(score(micrographs, picks, dark_is_particle, first=first))
    order = [e.group.name for e in events if isinstance(e, MicrographScored)]
    assert order == [f"Micrographs/m{i}.mrc" for i in (2, 1, 0)]
    np.testing.assert_array_equal(
        scored(events).picks.particle_probability, straight.particle_probability
    )


def test_a_micrograph_is_first_by_any_of_its_spellings(spot_project, dark_is_particle) -> None:
    picks = read_picks(spot_project.picks)
    names = picks.table["micrograph"].tolist()
    spelled = picks.with_columns(micrograph=[*names[:-1], "m2"])
    micrographs = Micrographs.find(spot_project.micrographs)
    event = next(score(micrographs, spelled, dark_is_particle, first=["m2"]))
    assert event.group.name == "Micrographs/m2.mrc"


def test_a_long_micrograph_can_be_left_between_its_batches(
    spot_project, dark_is_particle
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    picks = read_picks(spot_project.picks)
    events = list(score(micrographs, picks, dark_is_particle, batch_size=10))
    batches = [e for e in events if isinstance(e, BatchScored)]
    assert [(b.n_scored, b.n_done) for b in batches] == [
        (n, i) for i in range(3) for n in (10, 20)
    ]
    progress = [e.progress for e in events]
    assert progress == sorted(progress)
    running = score(micrographs, picks, dark_is_particle, batch_size=10)
    assert isinstance(next(running), BatchScored)
    running.close()
    assert list(running) == []


def test_the_features_come_with_the_scores(spot_project, dark_is_particle) -> None:
    inside = Picks.from_arrays("m0.mrc", x=[100.0, 60.0], y=[100.0, 60.0])
    beyond = Picks.from_arrays("m0.mrc", x=[-9.0], y=[5.0])
    event = next(
        score(
            Micrographs.find(spot_project.micrographs),
            concatenate([beyond, inside]),
            dark_is_particle,
        )
    )
    assert isinstance(event, MicrographScored)
    assert event.features.shape == (3, dark_is_particle.network.linear.in_features)
    assert np.isnan(event.features).any(axis=1).tolist() == [True, False, False]


def with_pixel_sizes(project, sizes: list[float | None]) -> Micrographs:
    found = Micrographs.find(project.micrographs)
    for micrograph, size in zip(found, sizes, strict=True):
        vars(micrograph)["pixel_size_ang"] = size  # as if the header told it
    return found


@pytest.mark.parametrize("odd", [None, 90.0, 0.01])
def test_a_micrograph_of_no_or_an_absurd_pixel_size_is_unreadable(
    spot_project, dark_is_particle, odd: float | None
) -> None:
    boxes = replace(dark_is_particle.card.boxes, diameter_ang=48.0, diameter_px=None)
    model = replace(dark_is_particle, card=replace(dark_is_particle.card, boxes=boxes))
    picks = read_picks(spot_project.picks)
    result = scored([*score(with_pixel_sizes(spot_project, [2.0, odd, 2.0]), picks, model)])
    assert list(result.failures) == ["Micrographs/m1.mrc"]
    unscored = np.isnan(result.picks.particle_probability)
    np.testing.assert_array_equal(unscored, picks.table["micrograph"].str.contains("m1"))
    # nothing to score: one sentence, before any work
    with pytest.raises(SettingsError, match="pixel size"):
        next(score(with_pixel_sizes(spot_project, [odd] * 3), picks, model))
