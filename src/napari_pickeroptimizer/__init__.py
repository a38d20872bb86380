"""Few-shot pruning of false particle picks in cryo-EM.

The names below are the public API. Each is imported when it is first used, so that
``import napari_pickeroptimizer`` is instant and loads neither torch nor napari.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.openmp import settle

settle(os.environ)  # before PyTorch is loaded

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.evaluation import evaluate_picks
    from napari_pickeroptimizer.fewshot.finetune import finetune
    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings, SuggestSettings
    from napari_pickeroptimizer.fewshot.suggest import suggest
    from napari_pickeroptimizer.io import read_picks, write_picks
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.before_labels import model_before_labels
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.decide import decide
    from napari_pickeroptimizer.prune.run import prune_picks
    from napari_pickeroptimizer.prune.score import score
    from napari_pickeroptimizer.prune.settings import PruneSettings
    from napari_pickeroptimizer.report import write_evaluation_report, write_prune_report
    from napari_pickeroptimizer.simulate.project import simulate_project
    from napari_pickeroptimizer.simulate.settings import SimulationSettings
    from napari_pickeroptimizer.trust import forecast_performance

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "FineTuneSettings",
    "Micrographs",
    "Picks",
    "PruneSettings",
    "SimulationSettings",
    "SuggestSettings",
    "decide",
    "evaluate_picks",
    "finetune",
    "forecast_performance",
    "model_before_labels",
    "prune_picks",
    "read_picks",
    "score",
    "simulate_project",
    "suggest",
    "write_evaluation_report",
    "write_picks",
    "write_prune_report",
]

_HOMES = {
    "Classifier": "model.checkpoint:Classifier",
    "FineTuneSettings": "fewshot.settings:FineTuneSettings",
    "Micrographs": "micrographs:Micrographs",
    "Picks": "picks:Picks",
    "PruneSettings": "prune.settings:PruneSettings",
    "SimulationSettings": "simulate.settings:SimulationSettings",
    "SuggestSettings": "fewshot.settings:SuggestSettings",
    "decide": "prune.decide:decide",
    "evaluate_picks": "evaluate.evaluation:evaluate_picks",
    "finetune": "fewshot.finetune:finetune",
    "forecast_performance": "trust:forecast_performance",
    "model_before_labels": "model.before_labels:model_before_labels",
    # not `prune`: that is the subpackage, which would take the name as soon as it is imported
    "prune_picks": "prune.run:prune_picks",
    "read_picks": "io:read_picks",
    "score": "prune.score:score",
    "simulate_project": "simulate.project:simulate_project",
    "suggest": "fewshot.suggest:suggest",
    "write_evaluation_report": "report:write_evaluation_report",
    "write_picks": "io:write_picks",
    "write_prune_report": "report:write_prune_report",
}


def __getattr__(name: str) -> Any:  # Any: one function hands out classes and functions alike
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
