"""Suggestions: a few picks of a few micrographs, nothing labelled, and words on bad input."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
from torch import nn

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import (
    CheckpointError,
    MicrographNotFoundError,
    MicrographReadError,
    PickFormatError,
    SettingsError,
)
from napari_pickeroptimizer.fewshot.events import (
    BoxesRead,
    MicrographSkipped,
    Suggested,
    SuggestEvent,
)
from napari_pickeroptimizer.fewshot.settings import SuggestSettings
from napari_pickeroptimizer.fewshot.suggest import suggest
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.picks import Picks

QUICK = SuggestSettings(n=6, diameter_px=24, box_px=32, base="none", n_views=1, device="cpu")


class Middle(nn.Module):
    """Stands for a trained backbone: how dark, and how bright, the box's middle is."""

    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        third = boxes.shape[2] // 3
        middle = boxes[:, :, third:-third, third:-third]
        return torch.cat([-middle, middle], dim=1)


@pytest.fixture(scope="module")
def dark_is_particle() -> Classifier:
    """A model for which dark discs are particles, bright ones are not, and nothing is unclear."""
    network = TwoBranchNet(Middle(), 2).eval()
    with torch.no_grad():
        for head in (network.linear, network.halved_linear):
            head.bias.zero_()
        network.linear.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        network.halve[0].weight.copy_(torch.tensor([[[[1.0]], [[0.0]]]]))
        network.halve[0].bias.fill_(10.0)  # keeps the rectifier open: 10 - middle
        network.halved_linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        network.halved_linear.bias.copy_(torch.tensor([-10.0, 10.0]))
    card = ModelCard(
        (1, 2), ("particle", "contaminant"), "resnet18", BoxSettings(diameter_px=24, box_px=32)
    )
    return Classifier(network, card)


@pytest.fixture
def micrographs(spot_project) -> Micrographs:
    return Micrographs.find(spot_project.micrographs)


@pytest.fixture
def picks(spot_project) -> Picks:
    return read_picks(spot_project.picks)


@pytest.fixture
def truth(spot_project) -> Picks:
    return read_picks(spot_project.labels)


def result(events: list[SuggestEvent]) -> Suggested:
    assert isinstance(events[-1], Suggested)
    return events[-1]


def test_micrographs_are_told_as_they_are_read_then_the_suggestions_come(
    micrographs: Micrographs, picks: Picks
) -> None:
    events = list(suggest(micrographs, picks, QUICK))
    assert [type(e) for e in events] == [BoxesRead] * 3 + [Suggested]
    progress = [e.progress for e in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_suggestions_are_rows_of_the_picks_with_rank_and_reason(
    micrographs: Micrographs, picks: Picks
) -> None:
    found = result(list(suggest(micrographs, picks, QUICK)))
    table = found.picks.table
    assert table["suggestion"].tolist() == [1, 2, 3, 4, 5, 6]
    assert set(table["suggestion_reason"]) == {"unlike-the-others"}
    assert (found.by, found.n_wanted, found.n_compared) == ("diversity", 6, 72)
    np.testing.assert_array_equal(found.picks.coords_yx_px(), picks.coords_yx_px()[found.rows])
    assert len(set(found.rows.tolist())) == 6
    assert found.picks.sources == picks.sources
    assert not len(found.doubtful)


def test_without_a_model_both_kinds_are_suggested(
    micrographs: Micrographs, picks: Picks, truth: Picks
) -> None:
    found = result(list(suggest(micrographs, picks, replace(QUICK, n=4))))
    assert set(truth.labels[found.rows]) == {1, 2}


def test_a_seed_gives_the_same_suggestions_and_another_others(
    micrographs: Micrographs, picks: Picks
) -> None:
    def rows(seed: int) -> list[int]:
        return result(
            list(suggest(micrographs, picks, replace(QUICK, seed=seed)))
        ).rows.tolist()

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_what_is_labelled_is_not_suggested(
    micrographs: Micrographs, picks: Picks, truth: Picks
) -> None:
    near = truth.select(np.arange(0, 72, 2)).with_columns(
        x=picks.table["x"].to_numpy()[::2] + 8  # a third of a diameter beside the pick
    )
    found = result(list(suggest(micrographs, picks, replace(QUICK, n=72), labels=near)))
    assert sorted(found.rows) == list(range(1, 72, 2))


def test_labels_that_the_picks_bring_along_count_and_unlabelled_rows_do_not(
    micrographs: Micrographs, picks: Picks
) -> None:
    label = np.zeros(72, np.int8)
    label[:10] = 2
    settings = replace(QUICK, n=72)
    found = result(
        list(suggest(micrographs, picks.with_labels(label), settings, labels=picks))
    )
    assert sorted(found.rows) == list(range(10, 72))


def test_labels_may_spell_the_micrograph_in_another_way(
    micrographs: Micrographs, picks: Picks, truth: Picks
) -> None:
    names = [Path(n).stem for n in truth.table["micrograph"]]
    found = result(
        list(suggest(micrographs, picks, QUICK, labels=truth.with_columns(micrograph=names)))
    )
    assert len(found.picks) == 0


def test_all_come_where_there_are_fewer_than_wanted(
    micrographs: Micrographs, picks: Picks
) -> None:
    found = result(list(suggest(micrographs, picks.select(np.arange(3)), QUICK)))
    assert sorted(found.rows) == [0, 1, 2]
    assert found.n_wanted == 6


def test_doubles_are_asked_once_and_cut_off_picks_never(micrographs: Micrographs) -> None:
    x, y = [100.0, 102.0, 5.0, -50.0, 200.0], [100.0, 101.0, 100.0, 100.0, 258.0]
    found = result(list(suggest(micrographs, Picks.from_arrays("m0.mrc", x, y), QUICK)))
    assert len(found.rows) == 1
    assert found.rows[0] in (0, 1)


def test_no_more_is_read_than_the_settings_say_and_nothing_twice(
    micrographs: Micrographs, picks: Picks, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    original = Micrograph.read

    def counted(self: Micrograph, *into: np.ndarray) -> np.ndarray:
        reads.append(self.name)
        return original(self, *into)

    monkeypatch.setattr(Micrograph, "read", counted)
    settings = replace(QUICK, n_micrographs=2, n_pool=20)
    found = result(list(suggest(micrographs, picks, settings)))
    assert len(reads) == len(set(reads)) == 2
    assert found.n_compared == 20
    assert found.picks.table["micrograph"].nunique() == 2


def test_another_micrograph_takes_the_place_of_one_that_cannot_be_read(
    spot_project, picks: Picks, tmp_path: Path
) -> None:
    for file in spot_project.micrographs.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "m1.mrc").write_bytes(b"no image")
    settings = replace(QUICK, n_micrographs=2)
    for seed in range(3):
        events = list(suggest(Micrographs.find(tmp_path), picks, replace(settings, seed=seed)))
        assert sum(isinstance(e, BoxesRead) for e in events) == 2
        assert len(result(events).picks) == 6
        skipped = [e for e in events if isinstance(e, MicrographSkipped)]
        assert all(e.micrograph == "m1.mrc" for e in skipped)
        if skipped:
            return
    pytest.fail("no seed came upon the damaged micrograph")


def test_a_micrograph_that_is_not_there_is_told_and_the_others_are_used(
    micrographs: Micrographs, picks: Picks
) -> None:
    two = Micrographs(micrographs.items[:2])
    events = list(suggest(two, picks, QUICK))
    assert [e.micrograph for e in events if isinstance(e, MicrographSkipped)] == [
        "Micrographs/m2.mrc"
    ]
    assert result(events).rows.max() < 48


@pytest.mark.parametrize(
    ("by", "chosen_by"), [("auto", "mixed"), ("uncertainty", "uncertainty")]
)
def test_the_model_s_doubts_come_first(
    dark_is_particle: Classifier, tmp_path: Path, by: str, chosen_by: str
) -> None:
    rows, columns = np.indices((200, 400))
    image = np.random.default_rng(0).normal(0, 0.01, (200, 400))
    x = np.arange(40, 400, 40)
    contrast = [-4, -4, -4, 0, 4, 4, 4, -4, 4]
    for centre, level in zip(x, contrast, strict=True):
        image[np.hypot(rows - 100, columns - centre) < 12] += level
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(image.astype(np.float32))
    picks = Picks.from_arrays("a.mrc", x, np.full(len(x), 100.0))
    settings = replace(QUICK, n=2, by=by)
    found = result(
        list(suggest(Micrographs.find(tmp_path), picks, settings, classifier=dark_is_particle))
    )
    assert found.by == chosen_by
    assert found.rows[0] == 3
    assert found.picks.table["suggestion_score"][0] > 0.9
    assert found.picks.particle_probability[0] == pytest.approx(0.5, abs=0.2)
    assert found.picks.table["suggestion_reason"][0] == "model-unsure"


def test_a_label_that_the_model_contradicts_is_worth_a_second_look(
    micrographs: Micrographs, picks: Picks, truth: Picks, dark_is_particle: Classifier
) -> None:
    some = truth.select(np.arange(20))
    wrong = some.labels.copy()
    wrong[5] = 3 - wrong[5]
    wrong[6] = 4  # of a class that the model does not know
    found = result(
        list(
            suggest(
                micrographs,
                picks,
                QUICK,
                classifier=dark_is_particle,
                labels=some.with_labels(wrong),
            )
        )
    )
    assert found.doubtful.coords_yx_px().tolist() == [some.coords_yx_px()[5].tolist()]
    assert found.doubtful.labels.tolist() == [wrong[5]]


def test_a_label_that_the_others_contradict_is_found_though_the_model_does_not_object(
    micrographs: Micrographs, picks: Picks, truth: Picks, dark_is_particle: Classifier
) -> None:
    undecided = copy.deepcopy(dark_is_particle)
    with torch.no_grad():
        for head in (undecided.network.linear, undecided.network.halved_linear):
            head.weight.zero_()
            head.bias.zero_()
    wrong = truth.labels.copy()
    wrong[5] = 3 - wrong[5]
    settings = replace(QUICK, base="bundled")
    events = suggest(
        micrographs, picks, settings, classifier=undecided, labels=truth.with_labels(wrong)
    )
    doubtful = result(list(events)).doubtful
    assert doubtful.coords_yx_px().tolist() == [truth.coords_yx_px()[5].tolist()]


def test_picks_on_which_picker_and_model_differ(
    micrographs: Micrographs, picks: Picks, truth: Picks, dark_is_particle: Classifier
) -> None:
    agrees = np.where(truth.labels == 1, 10.0, 1.0)
    agrees[:2] = 11 - agrees[:2]  # one of each class
    found = result(
        list(
            suggest(
                micrographs,
                picks.with_columns(picker_score=agrees + np.linspace(0, 1e-3, 72)),
                replace(QUICK, by="disagreement"),
                classifier=dark_is_particle,
            )
        )
    )
    assert sorted(found.rows) == [0, 1]
    reason = dict(zip(found.rows, found.picks.table["suggestion_reason"], strict=True))
    particle, other = np.argsort(truth.labels[:2])
    assert reason[particle] == "model-sure-picker-not"
    assert reason[other] == "picker-sure-model-not"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"n_micrographs": 0}, "n_micrographs"),
        ({"n_pool": 0}, "n_pool"),
        ({"n_views": 9}, "at most 8"),
        ({"by": "chance"}, "diversity, uncertainty"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        replace(QUICK, **change)


@pytest.mark.parametrize("by", ["uncertainty", "mixed", "disagreement"])
def test_doubts_need_a_model(micrographs: Micrographs, picks: Picks, by: str) -> None:
    with pytest.raises(SettingsError, match="needs a model"):
        list(suggest(micrographs, picks, replace(QUICK, by=by)))


def test_a_diameter_is_needed_without_a_model(
    micrographs: Micrographs, picks: Picks, dark_is_particle: Classifier
) -> None:
    settings = replace(QUICK, diameter_px=None)
    with pytest.raises(SettingsError, match="diameter is missing"):
        list(suggest(micrographs, picks, settings))
    assert list(suggest(micrographs, picks, settings, classifier=dark_is_particle))


def test_disagreement_needs_the_picker_s_scores(
    micrographs: Micrographs, dark_is_particle: Classifier
) -> None:
    picks = Picks.from_arrays("m0.mrc", [100.0], [100.0])
    settings = replace(QUICK, by="disagreement")
    with pytest.raises(SettingsError, match="have none"):
        list(suggest(micrographs, picks, settings, classifier=dark_is_particle))


def test_a_pretrained_model_is_refused(
    micrographs: Micrographs, picks: Picks, dark_is_particle: Classifier
) -> None:
    card = replace(dark_is_particle.card, training={"kind": "pretraining"})
    with pytest.raises(CheckpointError, match="pretrained"):
        list(
            suggest(
                micrographs,
                picks,
                QUICK,
                classifier=Classifier(dark_is_particle.network, card),
            )
        )


def test_no_picks_and_no_micrographs_are_refused(
    micrographs: Micrographs, picks: Picks, tmp_path: Path
) -> None:
    with pytest.raises(PickFormatError, match="no picks"):
        list(suggest(micrographs, picks.select(np.array([], dtype=int)), QUICK))
    with pytest.raises(MicrographNotFoundError):
        list(suggest(Micrographs.named(["other.mrc"]), picks, QUICK))
    (tmp_path / "m0.mrc").write_bytes(b"no image")
    with pytest.raises(MicrographReadError, match="none of 1 micrographs"):
        list(suggest(Micrographs.find(tmp_path), picks, QUICK))
