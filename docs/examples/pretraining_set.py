"""Boxes of projects that you have finished, as a base for the fine-tuning of the next ones.

python docs/examples/pretraining_set.py --output base.safetensors \
    --project ribosome MotionCorr/job002 labels.star 260 \
    --project groel Mics picks_with_classes.star 190

Each project is a name, its micrographs, picks with classes, and the particle diameter in Å. The
particles of each become a category of their own; at least two categories are needed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import napari_pickeroptimizer as po
from napari_pickeroptimizer.pretrain.categories import read_categories
from napari_pickeroptimizer.pretrain.collect import CollectSettings, collect
from napari_pickeroptimizer.pretrain.settings import PretrainSettings
from napari_pickeroptimizer.pretrain.train import pretrain


@dataclass(frozen=True)
class Project:
    """A data set whose picks have classes."""

    name: str
    micrographs: Path
    labels: Path
    diameter_ang: float


def run(
    projects: list[Project], folder: Path, output: Path, settings: PretrainSettings
) -> dict[str, int]:
    """Cut the boxes of all projects, train on their categories, and return their numbers."""
    for project in projects:
        settings_of_boxes = CollectSettings(project.name, diameter_ang=project.diameter_ang)
        micrographs = po.Micrographs.find(project.micrographs)
        labels = po.read_picks(project.labels)
        *_, collected = collect(micrographs, labels, None, settings_of_boxes, folder)
        print(project.name, collected.counts)
    categories = read_categories(folder)
    *_, last = pretrain(categories, settings, output)
    if last.validation is not None:
        print(f"held-out boxes: {last.validation.accuracy:.1%} of the categories right")
    return categories.counts


def main() -> None:
    """Make a set beside the output, and train on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", nargs=4, action="append", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10_000)
    given = parser.parse_args()
    projects = [
        Project(name, Path(mics), Path(labels), float(diameter))
        for name, mics, labels, diameter in given.project
    ]
    folder = given.output.with_suffix(".set")
    run(projects, folder, given.output, PretrainSettings(n_steps=given.steps))


if __name__ == "__main__":
    main()
