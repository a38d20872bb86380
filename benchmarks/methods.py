"""The methods that the few-shot benchmarks compare, each on one draw of EMPIAR-10017's labels.

All get the same training labels; none sees a test box before its settings are fixed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import (
    probe_probabilities,
    radial_profile_probabilities,
    reference_recipe_probabilities,
)
from empiar10017 import (
    DIAMETER_PX,
    LabelBoxes,
    Project,
    as_two_classes,
    draw_labels,
    flipped,
    open_project,
)
from grid import Job, Row
from measures import measures
from numpy.typing import NDArray
from scipy.special import logit
from torch import nn

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.views import dihedral_view
from napari_pickeroptimizer.model.weights import backbone_of, initial_network
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.score import score
from napari_pickeroptimizer.trust import Calibration, forecast_performance
from napari_pickeroptimizer.trust.class_shares import class_shares

METHODS = ("radial", "probe", "topaz", "ours", "reference")
# For what is random in the draw's own treatment, apart from the draw itself.
FLIP_STREAM = 1
N_VIEWS = 4


@dataclass(frozen=True)
class Options:
    """What the jobs of a run share.

    Parameters
    ----------
    root : Path
        The project folder.
    settings : dict
        `FineTuneSettings` that are not the default ones, base and backbone among them.
    topaz_features : Path, optional
        (n_labels, n_features) array, rows as the project's labels.
    reference_weights : Path, optional
        torchvision's ResNet-18 to start the reference recipe from, by default random.
    """

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)
    topaz_features: Path | None = None
    reference_weights: Path | None = None

    def start(self, method: str) -> str:
        """Return what a method starts from, in words that tell two files of a name apart."""
        if method in ("ours", "probe"):
            base = self.settings.get("base", FineTuneSettings(diameter_px=1).base)
            backbone = backbone_of(base, self.settings.get("backbone"))
            return f"{backbone} {start_name(base, backbone)}"
        if method == "topaz" and self.topaz_features is not None:
            return file_name(self.topaz_features)
        if method == "reference":
            weights = self.reference_weights
            return f"resnet18 {file_name(weights) if weights else 'none'}"
        return ""


def start_name(base: str | Path, backbone: str) -> str:
    """Return the name of first weights, with a digest of those that a version may change."""
    if str(base) == "none":
        return "none"
    digest = hashlib.sha256()
    for tensor in initial_network(base, backbone, 2).features.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return f"{Path(base).name} {digest.hexdigest()[:8]}"


def file_name(path: Path) -> str:
    """Return a file's name with a digest of its content."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def settings_of(text: str) -> dict[str, Any]:
    """Return settings from JSON, which knows no tuples."""
    values = json.loads(text)
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def named_settings(texts: list[str]) -> dict[str, dict[str, Any]]:
    """Return variants by name from texts such as ``longer={"n_steps": 160}``."""
    split = (text.partition("=") for text in texts)
    return {name: settings_of(values) for name, _, values in split}


def run_draw(options: Options, job: Job) -> Row:
    """Run ``job["method"]`` on the draw (``k``, ``seed``) and return its figures.

    ``flip_labels`` is the share of wrong training labels, ``typed`` tells whether negatives
    are contaminants and carbon or just negatives.
    """
    project, boxes = load(options.root)
    train, test, names = draw_labels(project.labels, job["k"], job["seed"])
    labels = project.labels if job.get("typed") else as_two_classes(project.labels)
    taught = labels.labels[train]
    if job.get("flip_labels"):
        rng = np.random.default_rng([job["seed"], FLIP_STREAM])
        taught = flipped(taught, job["flip_labels"], rng)
    is_particle = project.labels.labels[test] == PARTICLE
    if job["method"] == "ours":
        return {"micrographs": names, **ours(options, project, job, train, taught, test)}
    probability = particle_probability(options, project, boxes, job, train, taught, test)
    return {"micrographs": names, **measures(is_particle, probability)}


def ours(
    options: Options,
    project: Project,
    job: Job,
    train: NDArray[np.intp],
    taught: NDArray[np.int8],
    test: NDArray[np.intp],
) -> Row:
    """Fine-tune with the defaults and return figures on the labels `test`."""
    settings = FineTuneSettings(
        diameter_px=DIAMETER_PX,
        seed=job["seed"],
        n_folds=job.get("folds") or 0,
        **options.settings,
    )
    labels, picks = project.labels, project.all_picks()
    model = fine_tuned(
        project.micrographs, labels.select(train).with_labels(taught), picks, settings
    )
    is_particle = labels.labels[test] == PARTICLE
    p = scored(project.micrographs, labels.select(test), model, settings).particle_probability
    figures: Row = measures(is_particle, p)
    if model.card.held_out_scores is not None:
        rng = np.random.default_rng(job["seed"])
        some = picks.select(np.sort(rng.choice(len(picks), 512, replace=False)))
        p_picks = scored(project.micrographs, some, model, settings).particle_probability
        figures |= uncalibrated(model, is_particle, p, p_picks)
        figures |= forecast(model, is_particle, p)
    return figures


def uncalibrated(
    model: Classifier,
    is_particle: NDArray[np.bool_],
    p: NDArray[np.float64],
    p_picks: NDArray[np.float64],
) -> Row:
    """Return F1 and ECE of what fine-tuning without folds gives: only the shares estimated."""
    line = model.card.calibration
    of_picks = line.undo(p_picks[np.isfinite(p_picks)])
    share = class_shares(np.stack([of_picks, 1 - of_picks], axis=1))[0]
    plain = measures(is_particle, Calibration(intercept=logit(share)).apply(line.undo(p)))
    return {f"{name}_uncalibrated": plain[name] for name in ("f1_particle", "f1_macro", "ece")}


def forecast(model: Classifier, is_particle: NDArray[np.bool_], p: NDArray[np.float64]) -> Row:
    """Return what was promised of the test labels, taken as picks, beside what is true."""
    assert model.card.held_out_scores is not None
    expected = forecast_performance(model.card.held_out_scores, model.card.calibration, p)
    row: Row = {}
    for name, threshold in (("half", 0.5), ("best", expected.best_f1())):
        at, kept = expected.at(threshold), p >= threshold
        truth = {"precision": is_particle[kept].mean(), "recall": kept[is_particle].mean()}
        for figure, value in truth.items():
            interval = getattr(at, figure)
            row[f"{name}_{figure}"] = float(value)
            row[f"{name}_{figure}_promised"] = [interval.mean, interval.low, interval.high]
    best = measures(is_particle, np.where(p >= expected.best_f1(), 1.0, 0.0))
    row["f1_particle_best"] = best["f1_particle"]
    return row


def particle_probability(
    options: Options,
    project: Project,
    boxes: LabelBoxes,
    job: Job,
    train: NDArray[np.intp],
    taught: NDArray[np.int8],
    test: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return P(particle) of the labels `test`, learned from `train` labelled `taught`."""
    class_ids = taught.astype(np.int64)
    particle = int(np.searchsorted(np.unique(class_ids), PARTICLE))
    method = job["method"]
    if method == "reference":
        probabilities = reference_recipe_probabilities(
            boxes.raw[train],
            class_ids,
            boxes.raw[test],
            seed=job["seed"],
            weights=options.reference_weights,
        )
    elif method == "radial":
        probabilities = radial_profile_probabilities(
            boxes.binned[train], class_ids, boxes.binned[test]
        )
    else:
        features = _features(method, options)
        probabilities = probe_probabilities(features[train], class_ids, features[test])
    return probabilities[:, particle]


def fine_tuned_picks(
    micrographs: Micrographs,
    labels: Picks,
    unlabelled: Picks | None,
    test: Picks,
    settings: FineTuneSettings,
) -> Picks:
    """Fine-tune and score through the same functions as the command line."""
    model = fine_tuned(micrographs, labels, unlabelled, settings)
    return scored(micrographs, test, model, settings)


def fine_tuned(
    micrographs: Micrographs,
    labels: Picks,
    unlabelled: Picks | None,
    settings: FineTuneSettings,
) -> Classifier:
    """Return the model of a fine-tuning.

    A branch that had no part in the loss has none in the prediction either.
    """
    model = None
    for event in finetune(micrographs, labels, settings, unlabelled):
        if isinstance(event, FineTuned):
            model = event.model
    assert model is not None
    trained = [i for i, weight in enumerate(settings.branch_weights) if weight > 0]
    if len(trained) < len(settings.branch_weights):
        model = Classifier(_Branches(model.network, trained), model.card)
    return model


def scored(
    micrographs: Micrographs, picks: Picks, model: Classifier, settings: FineTuneSettings
) -> Picks:
    """Return picks with their probabilities."""
    for event in score(micrographs, picks, model, device=settings.device):
        if isinstance(event, PicksScored):
            return event.picks
    raise AssertionError


class _Branches(nn.Module):
    """Some of a network's branches."""

    def __init__(self, network: nn.Module, branches: list[int]) -> None:
        super().__init__()
        self.network, self.branches, self.linear = network, branches, network.linear

    def logits_and_features(self, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, features = self.network.logits_and_features(boxes)
        return logits[self.branches], features


@cache
def load(root: Path) -> tuple[Project, LabelBoxes]:
    """Open the project, once a process."""
    project = open_project(root)
    return project, LabelBoxes(project)


def _features(method: str, options: Options) -> NDArray[np.float64]:
    project, _ = load(options.root)
    if method == "probe":
        defaults = FineTuneSettings(diameter_px=1)
        return frozen_features(
            options.root,
            str(options.settings.get("base", defaults.base)),
            options.settings.get("backbone", defaults.backbone),
        )
    assert options.topaz_features is not None, "the method topaz needs --topaz-features"
    features = np.load(options.topaz_features).astype(np.float64)
    assert len(features) == len(project.labels), (
        f"{options.topaz_features} has {len(features)} rows, the labels {len(project.labels)}"
    )
    return features


@cache
def frozen_features(root: Path, base: str, backbone: str) -> NDArray[np.float64]:
    """Return `base_features` of all labels of the project."""
    _, boxes = load(root)
    return base_features(boxes.working(BoxSettings(diameter_px=DIAMETER_PX)), base, backbone)


def base_features(
    boxes: NDArray[np.float32],
    base: str = "bundled",
    backbone: str | None = None,
    n_views: int = N_VIEWS,
) -> NDArray[np.float64]:
    """Return (n, n_channels) features of a base network that no label has touched.

    The feature map's mean over the (n, box_px, box_px) boxes and over turned views. A random
    network (``none``) is the same one for all draws.
    """
    torch.manual_seed(0)
    features = initial_network(base, backbone, 2).features.eval()
    with torch.inference_mode():
        parts = [
            torch.stack(
                [features(dihedral_view(part, i)).mean((2, 3)) for i in range(n_views)]
            ).mean(0)
            for part in torch.from_numpy(boxes)[:, None].split(256)
        ]
    return torch.cat(parts).double().numpy()
