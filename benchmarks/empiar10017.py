"""EMPIAR-10017 laid out as a RELION project: what the benchmarks on it share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings, window_side
from napari_pickeroptimizer.boxes import MAD_TO_SIGMA, cut_windows, render, working_image
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks, concatenate

DIAMETER_PX = 108.0
MATCH_RADIUS_PX = 54.0
BOX_PX = 216  # two diameters, the hand labels' own box
RADIAL_BIN = 4
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


def flipped(
    labels: NDArray[np.int8], share: float, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Return labels, a share of them wrong: particles made negatives and negatives particles.

    A particle becomes of the class of a negative drawn from the others.

    Examples
    --------
    >>> flipped(np.array([1, 2, 1, 2], np.int8), 1.0, np.random.default_rng(0))
    array([2, 1, 2, 1], dtype=int8)
    """
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    negatives = rng.choice(labels[labels != PARTICLE], len(wrong))
    result = labels.copy()
    result[wrong] = np.where(labels[wrong] == PARTICLE, negatives, PARTICLE)
    return result


def working_boxes(
    micrographs: Micrographs, picks: Picks, settings: BoxSettings
) -> NDArray[np.float32]:
    """Return (n, box_px, box_px) boxes of picks, standardised by their micrographs."""
    boxes = np.empty((len(picks), settings.box_px, settings.box_px), np.float32)
    for name, rows in picks.rows_by_micrograph().items():
        micrograph = micrographs.resolve(name)
        image = working_image(micrograph.read(), settings, micrograph.pixel_size_ang)
        windows = cut_windows(image, picks.coords_yx_px()[rows], window_side(settings))
        boxes[rows] = render(windows, settings.box_px)[:, 0].numpy()
    return boxes


class LabelBoxes:
    """Boxes of all labels of a project, in their order; cut when they are first asked for."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def raw(self) -> NDArray[np.float32]:
        """(n, 216, 216) grey levels at the original resolution."""
        boxes, _ = self._cut()
        return boxes

    @cached_property
    def binned(self) -> NDArray[np.float32]:
        """(n, 54, 54) means of 4 x 4 pixels, standardised by the micrograph."""
        _, boxes = self._cut()
        return boxes

    def working(self, settings: BoxSettings) -> NDArray[np.float32]:
        """Return (n, box_px, box_px) boxes as the package's networks get them."""
        return working_boxes(self.project.micrographs, self.project.labels, settings)

    def _cut(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        labels = self.project.labels
        side = BOX_PX // RADIAL_BIN
        raw = np.empty((len(labels), BOX_PX, BOX_PX), np.float32)
        standardised = np.empty((len(labels), side, side), np.float32)
        corners = np.rint(labels.coords_yx_px()).astype(int) - BOX_PX // 2
        for name, rows in labels.rows_by_micrograph().items():
            image = self.project.micrographs[name].read()
            median = np.median(image)
            sigma = MAD_TO_SIGMA * np.median(np.abs(image - median))
            padded = np.pad(image, BOX_PX, mode="edge")
            for row in rows:
                y, x = corners[row] + BOX_PX
                raw[row] = padded[y : y + BOX_PX, x : x + BOX_PX]
            blocks = raw[rows].reshape(-1, side, RADIAL_BIN, side, RADIAL_BIN)
            standardised[rows] = (blocks.mean((2, 4)) - median) / sigma
        return raw, standardised
