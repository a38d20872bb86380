from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer import Micrographs, Picks
from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.run import Pruned
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.trust import Calibration, HeldOutScores, forecast_performance

MakeRun = Callable[..., tuple[Pruned, Micrographs, Classifier]]


def scored_picks(names: list[str], n: int, side_px: int, seed: int = 0) -> Picks:
    """`n` picks on each micrograph, most of them sure; the last micrograph loses nearly all."""
    rng = np.random.default_rng(seed)
    p = np.where(rng.random((len(names), n)) < 0.8, rng.beta(9, 1, (len(names), n)),
                 rng.beta(1, 9, (len(names), n)))  # fmt: skip
    p[-1] = rng.beta(1, 9, n)
    x, y = rng.uniform(0, side_px - 1, (2, len(names) * n))
    picks = Picks.from_arrays(np.repeat(names, n), x, y)
    carbon = (1 - p.ravel()) * rng.random(len(picks))
    return picks.with_columns(
        probability_1=p.ravel(), probability_2=1 - p.ravel() - carbon, probability_3=carbon
    )


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that makes micrographs of noise, and the outcome of a run on them."""

    def make(
        n_micrographs: int = 8,
        n_picks: int = 40,
        *,
        side_px: int = 128,
        n_labels: int = 30,
        names: list[str] | None = None,
        threshold: float = 0.5,
    ) -> tuple[Pruned, Micrographs, Classifier]:
        names = names or [f"mics/m{i:04d}.mrc" for i in range(n_micrographs)]
        rng = np.random.default_rng(1)
        (tmp_path / "mics").mkdir(exist_ok=True)
        for name in names:
            with mrcfile.new(tmp_path / "mics" / Path(name).name, overwrite=True) as mrc:
                mrc.set_data(rng.normal(0, 1, (side_px, side_px)).astype(np.float32))
        micrographs = Micrographs.find(tmp_path / "mics")
        held_out = None
        if n_labels:
            is_particle = np.arange(2 * n_labels) < n_labels
            logits = rng.normal(0, 1.5, 2 * n_labels) + np.where(is_particle, 2.5, -2.5)
            held_out = HeldOutScores(logits, is_particle)
        card = ModelCard(
            class_ids=(1, 2, 3),
            class_names=("particle", "contaminant", "carbon"),
            backbone="resnet18_half",
            boxes=BoxSettings(diameter_px=20),
            training={"labels": {"particle": n_labels}, "settings": {"n_folds": 3}},
            calibration=Calibration(slope=0.9, intercept=0.3),
            held_out_scores=held_out,
        )
        picks = scored_picks(names, n_picks, side_px)
        decision = Decision.of_picks(picks, group_by_micrograph(micrographs, picks))
        decided = decision.decided(picks, threshold)
        forecast = None
        if held_out is not None:
            forecast = forecast_performance(
                held_out, card.calibration, picks.particle_probability
            )
        by_micrograph = decision.by_micrograph(threshold)
        record = {
            "command": "prune",
            "started": "2026-01-02T03:04:05+00:00",
            "seconds": 61.5,
            "inputs": {"micrographs": ["mics"], "picks": ["AutoPick/picks.star"]},
            "settings": {"threshold": threshold, "device": "cpu"},
            "threshold": threshold,
            "expectation": forecast.at(threshold).to_dict() if forecast else None,
            "versions": {"napari-pickeroptimizer": "0.1"},
            "counts": decision.counts(threshold).to_dict(),
            "outside": {},
            "unreadable": {},
            "warnings": [
                *(forecast.warnings if forecast else ()),
                *by_micrograph.check().warnings,
            ],
            "micrographs": by_micrograph.to_dicts(),
            "files": ["kept.star", "scored/a.star", "scored/b.star"],
        }
        # of a classifier the report asks for the card only
        return Pruned(decided, [], record, forecast), micrographs, Classifier(None, card)

    return make
