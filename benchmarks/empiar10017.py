"""EMPIAR-10017 laid out as a RELION project: what the benchmarks on it share."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks, concatenate

DIAMETER_PX = 108.0
MATCH_RADIUS_PX = 54.0
PICKERS = ("topaz", "crYOLO", "deepPicker")
N_TRAINING_MICROGRAPHS = 3


@dataclass(frozen=True)
class Project:
    """The project's micrographs, hand labels (particle 1, contaminant 2, carbon 3) and picks."""

    root: Path
    micrographs: Micrographs
    labels: Picks

    def picks(self, picker: str) -> Picks:
        """Return the real output of one picker, six micrographs."""
        return read_picks(self.root / "AutoPick" / picker / "autopick.star")

    def all_picks(self) -> Picks:
        """Return the output of all pickers: unlabelled picks to adapt to."""
        return concatenate(self.picks(picker) for picker in PICKERS)


def open_project(root: Path) -> Project:
    """Open what the tool ``make_empiar10017.py`` wrote into `root`."""
    return Project(
        root, Micrographs.find(root / "micrographs.star"), read_picks(root / "labels.star")
    )


def add_project_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--project``."""
    parser.add_argument(
        "--project",
        type=Path,
        required=True,
        help="EMPIAR-10017 as a RELION project (make_empiar10017.py DIR)",
    )


def draw_labels(
    labels: Picks, k: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[str]]:
    """Draw the protocol's labels of one seed.

    Three training micrographs, one at least with carbon, K particles and K negatives from
    them; everything labelled on the other micrographs is the test set.

    Returns
    -------
    train_rows, test_rows : positions in `labels`
    names : the three training micrographs
    """
    rng = np.random.default_rng(seed)
    micrograph = labels.table["micrograph"].to_numpy(dtype=str)
    names = np.unique(micrograph)
    with_carbon = set(micrograph[labels.labels == CARBON])
    negative = labels.labels != PARTICLE
    while True:
        chosen = rng.choice(names, N_TRAINING_MICROGRAPHS, replace=False)
        pool = np.isin(micrograph, chosen)
        particles, negatives = (
            np.flatnonzero(pool & ~negative),
            np.flatnonzero(pool & negative),
        )
        enough = min(len(particles), len(negatives)) >= k
        if enough and with_carbon.intersection(chosen):
            break
    train = np.concatenate(
        [rng.choice(particles, k, replace=False), rng.choice(negatives, k, replace=False)]
    )
    return train, np.flatnonzero(~pool), [str(name) for name in chosen]


def as_two_classes(labels: Picks) -> Picks:
    """Return labels with every negative as class 2: the protocol's negatives are untyped."""
    return labels.with_labels(np.where(labels.labels == PARTICLE, PARTICLE, CONTAMINANT))


def load_regions(path: Path) -> dict[str, dict[str, list[list[float]]]]:
    """Return hand-drawn carbon polygons and ice discs by micrograph stem."""
    regions: dict[str, dict[str, list[list[float]]]] = json.loads(path.read_text())
    return regions
