"""The main job on real micrographs: beta-galactosidase with carbon film, Topaz's own picks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.run import Pruned, prune_picks
from napari_pickeroptimizer.prune.score import score

TRAINING = "Falcon_2012_06_12-14_33_35_0"
HELD_OUT = "Falcon_2012_06_12-15_30_21_0"


@pytest.fixture(scope="module")
def labels(empiar10017: Path) -> Picks:
    """Hand labels but for the streaky border."""
    labels = read_picks(empiar10017 / "labels")
    coords = labels.coords_yx_px()
    return labels.select(((coords > 90) & (coords < 4005)).all(axis=1))


@pytest.fixture(scope="module")
def model(empiar10017: Path, labels: Picks) -> Classifier:
    """A model of 20 particles and 20 negatives of one micrograph, half the usual steps."""
    rng = np.random.default_rng(0)
    chosen = np.concatenate(
        [
            rng.choice(
                np.flatnonzero(
                    (labels.labels == class_id)
                    & labels.table["micrograph"].str.contains(TRAINING)
                ),
                20,
                replace=False,
            )
            for class_id in (1, 2)
        ]
    )
    settings = FineTuneSettings(diameter_ang=191, n_steps=40, n_folds=0, device="cpu")
    events = finetune(
        Micrographs.find(empiar10017 / "Micrographs"),
        labels.select(chosen),
        settings,
        read_picks(empiar10017 / "topaz"),
    )
    return next(e.model for e in events if isinstance(e, FineTuned))


def test_particles_of_a_micrograph_it_never_saw_are_told_from_junk(
    empiar10017: Path, labels: Picks, model: Classifier
) -> None:
    unseen = labels.select(labels.table["micrograph"].str.contains(HELD_OUT).to_numpy())
    events = list(score(Micrographs.find(empiar10017 / "Micrographs"), unseen, model))
    assert isinstance(events[-1], PicksScored)
    probability = events[-1].picks.particle_probability
    assert roc_auc_score(unseen.labels == 1, probability) > 0.9


def test_topaz_picks_in_box_files_come_back_as_the_same_rows(
    empiar10017: Path, model: Classifier, tmp_path: Path
) -> None:
    picks = read_picks(empiar10017 / "topaz")
    events = prune_picks(Micrographs.find(empiar10017 / "Micrographs"), picks, model, tmp_path)
    done = list(events)[-1]
    assert isinstance(done, Pruned)
    assert 0.3 < done.record["counts"]["kept"] / len(picks) < 0.95
    for name in (TRAINING, HELD_OUT):
        source = (empiar10017 / "topaz" / f"{name}.box").read_text().splitlines()
        twins = [
            (tmp_path / twin / f"{name}.box").read_text().splitlines()
            for twin in ("kept", "rejected")
        ]
        assert sorted(twins[0] + twins[1]) == sorted(source)
