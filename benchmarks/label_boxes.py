"""Write the boxes of labels for `topaz_features.py`.

    python benchmarks/label_boxes.py --project DIR --output boxes.npy
    python benchmarks/label_boxes.py --targets DIR --output FOLDER

Of a project of EMPIAR-10017 one file, rows as the project's labels; of the targets of
`make_targets.py` a file ``DATA_POOL.npy`` for each pool, rows as the pool's picks.

(n, 101, 101) float32: the micrograph downsampled until the particle has 27 px, so that it fits
into the detectors' receptive fields (71 px of the eight-layer one), and standardised by its
median and median absolute deviation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from empiar10017 import DIAMETER_PX, LabelBoxes, open_project, working_boxes
from targets import all_targets, load

from napari_pickeroptimizer.box_size import BoxSettings

PARTICLE = 27
SIDE = 101  # odd, so that the pick is on a pixel; a detector takes what it needs of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--project", type=Path)
    source.add_argument("--targets", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    if args.project:
        boxes = LabelBoxes(open_project(args.project)).working(box_settings(DIAMETER_PX))
        save(args.output, boxes)
        return
    args.output.mkdir(parents=True, exist_ok=True)
    for target in {(t.data, t.pool): t for t in all_targets()}.values():
        data = load(args.targets, target)
        boxes = working_boxes(data.micrographs, data.pool, box_settings(data.diameter_px))
        save(args.output / f"{target.data}_{target.pool}.npy", boxes)


def box_settings(diameter_px: float) -> BoxSettings:
    """Return the boxes that a detector of particles of 27 px sees."""
    return BoxSettings(diameter_px, box_factor=SIDE / PARTICLE, box_px=SIDE)


def save(path: Path, boxes: np.ndarray) -> None:
    """Write boxes, and say so."""
    np.save(path, boxes)
    print(f"{path}: {boxes.shape[0]} boxes of {SIDE} px", flush=True)


if __name__ == "__main__":
    main()
