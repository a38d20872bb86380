"""Pretraining as a generator of events; it can be stopped at any step and resumed exactly."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import Windows
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.augment import random_views
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.card_schema import PRETRAINING
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import class_probabilities, multi_loss
from napari_pickeroptimizer.model.triton import preload_triton
from napari_pickeroptimizer.model.weights import initial_network
from napari_pickeroptimizer.pretrain.degrade import random_blur, random_noise
from napari_pickeroptimizer.pretrain.events import (
    Pretrained,
    PretrainEvent,
    Resumed,
    StepDone,
    Validated,
)
from napari_pickeroptimizer.pretrain.known_false import drawn_known_false
from napari_pickeroptimizer.pretrain.resume import ResumeFile, interrupts_deferred
from napari_pickeroptimizer.pretrain.rows import RowSampler, split_rows, step_seed
from napari_pickeroptimizer.pretrain.settings import WITHOUT_EFFECT
from napari_pickeroptimizer.pretrain.validate import PretrainValidation, validate
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    import numpy as np

    from napari_pickeroptimizer.pretrain.categories import CategorySet
    from napari_pickeroptimizer.pretrain.settings import PretrainSettings

SPEED_OVER_STEPS = 20


def pretrain(
    categories: CategorySet, settings: PretrainSettings, output: str | Path
) -> Iterator[PretrainEvent]:
    """Train a network to classify categories of boxes, and write the model.

    Closing the generator, or Ctrl-C, saves the state to ``<output>.resume``; so does every
    `settings.save_every`-th step. Called again with the same boxes and settings it resumes from
    there, to the same result as an uninterrupted run on the same machine. The file is
    removed at the end.

    Parameters
    ----------
    categories : CategorySet
        The boxes.
    settings : PretrainSettings
        Steps, batch size, seed, device, ...
    output : str or Path
        The model file to write (``.safetensors``).

    Yields
    ------
    Resumed, StepDone, Validated
        As they happen, with the overall progress.
    Pretrained
        Last: the model.

    Raises
    ------
    SettingsError, CheckpointError
        The settings do not fit the boxes, the base or the saved state.
    BoxSetError
        A window holds a value that is no number.
    """
    output = Path(output)
    settings.checked_side(categories.side)
    known_false = drawn_known_false(categories, settings)
    train_rows, held_out = split_rows(
        categories.targets, settings.validation_share, settings.seed
    )
    resume = ResumeFile.beside(output, _fingerprint(categories, settings))
    state = resume.load()
    trainer = Trainer(len(categories.names), settings)
    if state is not None:
        trainer.load_state(state)
        yield Resumed(resume.path, trainer.step, settings.n_steps, trainer.progress)
    saved_at = trainer.step
    validation = None
    try:
        for event in _steps(trainer, categories, train_rows):
            due = event.step == settings.n_steps or event.step % settings.report_every == 0
            yield event
            if due and len(held_out):
                validation = validate(trainer.network, categories, held_out, trainer.device)
                yield Validated(event.step, event.n_steps, validation, event.progress)
            # at the end too: writing the model may fail for want of space
            if event.step == settings.n_steps or event.step % settings.save_every == 0:
                with interrupts_deferred():
                    resume.save(trainer.state())
                    saved_at = trainer.step
        if validation is None and len(held_out):  # interrupted after the last step
            validation = validate(trainer.network, categories, held_out, trainer.device)
    except (GeneratorExit, KeyboardInterrupt):
        if trainer.step > saved_at:
            resume.save(trainer.state())
        raise
    card = model_card(categories, settings, len(train_rows), validation)
    model = Classifier(trainer.network.to("cpu").eval(), card, known_false)
    model.save(output, half=settings.half)
    resume.remove()
    yield Pretrained(model, output, validation)


def _steps(
    trainer: Trainer, categories: CategorySet, train_rows: NDArray[np.intp]
) -> Iterator[StepDone]:
    """Yield the remaining steps; the next batch is read during each."""
    settings = trainer.settings
    sampler = RowSampler(
        train_rows,
        categories.targets[train_rows],
        categories.class_ids,
        settings.balance,
        settings.seed,
    )

    def batch(step: int) -> tuple[Windows, torch.Tensor]:
        rows = sampler.draw(step, settings.batch_size)
        return categories.draw(rows), torch.from_numpy(categories.targets[rows])

    times = deque([perf_counter()], maxlen=SPEED_OVER_STEPS + 1)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(batch, trainer.step + 1)
        while trainer.step < settings.n_steps:
            windows, targets = ahead.result()
            ahead = pool.submit(batch, trainer.step + 2)
            with interrupts_deferred():
                losses, accuracy = trainer.advance(windows, targets)
            times.append(perf_counter())
            speed = settings.batch_size * (len(times) - 1) / max(1e-9, times[-1] - times[0])
            yield StepDone(
                trainer.step, settings.n_steps, losses, accuracy, speed, trainer.progress
            )


class Trainer:
    """The state of training: everything that a step changes.

    Parameters
    ----------
    n_categories : int
        Outputs of the network.
    settings : PretrainSettings
        How to learn.

    Attributes
    ----------
    step : int
        Steps done.
    """

    def __init__(self, n_categories: int, settings: PretrainSettings) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        self.step = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = initial_network(settings.base, settings.backbone, n_categories)
        self.network = network.to(self.device).train()
        preload_triton()  # the optimisers of torch import it
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.learning_rate, total_steps=settings.n_steps + 1
        )

    @property
    def progress(self) -> float:
        """Done part, 0..1."""
        return self.step / self.settings.n_steps

    def advance(
        self, windows: Windows, targets: torch.Tensor
    ) -> tuple[tuple[float, ...], float]:
        """Do one step on (n, 1, side, side) windows; return branch losses and accuracy."""
        settings = self.settings
        seed = step_seed(settings.seed, self.step + 1)
        generator = torch.Generator().manual_seed(seed)
        windows = Windows(windows.pixels.to(self.device), windows.offset_xy_px.to(self.device))
        boxes = random_views(windows, settings.boxes.box_px, settings.augmentation, generator)
        boxes = random_blur(boxes, settings.blur_px, generator)
        boxes = random_noise(boxes, settings.noise_sigma, generator)
        wanted = targets.to(self.device)
        gpus = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(seed)  # for backbones with dropout
            with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.amp):
                logits = self.network(boxes)
        logits = logits.float()
        loss, by_branch = multi_loss(
            logits, wanted, settings.branch_weights, settings.label_smoothing
        )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        hits = class_probabilities(logits.detach()).argmax(dim=1) == wanted
        return tuple(by_branch.tolist()), float(hits.float().mean())

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values for resuming."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from the values of `state`."""
        self.step = int(state["step"])
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        # the optimiser's state has the learning rate; the schedule needs only its place
        place = {"last_epoch": self.step, "_step_count": self.step + 1}
        self.schedule.load_state_dict(place)


def _fingerprint(categories: CategorySet, settings: PretrainSettings) -> dict[str, Any]:
    """Everything that the result depends on."""
    stacks = [
        (categories.names[s.category], s.path.name, len(s.pixels)) for s in categories.stacks
    ]
    return {
        "settings": {k: v for k, v in settings.record().items() if k not in WITHOUT_EFFECT},
        "boxes": categories.counts,
        "entries": ", ".join(categories.entries),
        "files": hashlib.sha256(repr(stacks).encode()).hexdigest()[:12],
    }


def model_card(
    categories: CategorySet,
    settings: PretrainSettings,
    n_trained: int,
    validation: PretrainValidation | None,
) -> ModelCard:
    """Return the card of a model trained on `categories`."""
    training = {
        "kind": PRETRAINING,
        "settings": settings.record(),
        "categories": categories.classes,
        "counts": categories.counts,
        "entries": list(categories.entries),
        "leave_out": list(categories.left_out),
        "n_trained": n_trained,
        "validation": validation.summary() if validation is not None else None,
    }
    return ModelCard(
        class_ids=tuple(range(1, len(categories.names) + 1)),
        class_names=categories.names,
        backbone=settings.backbone,
        boxes=settings.boxes,
        training=training,
        versions=software_versions(),
    )
