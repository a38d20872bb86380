"""A model comes as soon as its training is over; the cross-validation follows."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from napari_pickeroptimizer.fewshot.events import FineTuneEvent, ModelTrained, StepDone
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks

SETTINGS = FineTuneSettings(
    diameter_px=24, box_px=32, base="none", n_steps=2, batch_size=16, n_folds=2, device="cpu"
)


def three_classes(labels: Picks) -> Picks:
    """Return the labels with every other false pick called carbon: logits are shifted then."""
    classes = labels.labels.copy()
    classes[np.flatnonzero(classes == 2)[::2]] = 3
    return labels.with_labels(classes)


def test_the_first_answer_is_the_model_without_folds_and_the_last_has_its_weights(
    spot_project,
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    labels = three_classes(read_picks(spot_project.labels))
    picks = read_picks(spot_project.picks)

    def run(n_folds: int) -> list[FineTuneEvent]:
        settings = dataclasses.replace(SETTINGS, base="bundled", n_steps=3, n_folds=n_folds)
        return list(finetune(micrographs, labels, settings, picks))

    without, course = run(0), run(2)
    assert not any(isinstance(e, ModelTrained) for e in without)
    (first,) = (e.model for e in course if isinstance(e, ModelTrained))
    plain, last = without[-1].model, course[-1].model
    assert first.card == plain.card
    assert first.card.held_out_scores is None
    assert first.card.calibration.slope == 1
    assert last.card.calibration != first.card.calibration
    assert last.card.held_out_scores is not None
    for name, weights in plain.network.state_dict().items():
        assert torch.equal(first.network.state_dict()[name], weights)
        assert torch.equal(last.network.state_dict()[name], weights)


def test_the_first_answer_comes_when_its_training_ends_and_can_be_taken_alone(
    spot_project,
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one training after the other
    try:
        course = finetune(micrographs, read_picks(spot_project.labels), SETTINGS)
        steps = []
        for event in course:
            if isinstance(event, ModelTrained):
                break
            steps += [event.fold] if isinstance(event, StepDone) else []
        course.close()
    finally:
        torch.set_num_threads(before)
    assert steps == [None, None]
    boxes = torch.zeros(2, 1, 32, 32)
    assert np.isfinite(event.model.predict(boxes)).all()
