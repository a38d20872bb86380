"""Write the boxes of all labels of EMPIAR-10017 for `topaz_features.py`.

    python benchmarks/label_boxes.py --project DIR --output boxes.npy

(n, 101, 101) float32, rows as the project's labels: the micrograph downsampled four times, so
that the particle (27 px) fits into the detectors' receptive fields (71 px of the eight-layer
one), and standardised by its median and median absolute deviation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from empiar10017 import DIAMETER_PX, LabelBoxes, add_project_argument, open_project

from napari_pickeroptimizer.boxes import BoxSettings

BIN = 4
SIDE = 101  # odd, so that the pick is on a pixel; a detector takes what it needs of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_project_argument(parser)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = BoxSettings(
        diameter_px=DIAMETER_PX, box_factor=SIDE * BIN / DIAMETER_PX, box_px=SIDE
    )
    boxes = LabelBoxes(open_project(args.project)).working(settings)
    np.save(args.output, boxes)
    print(f"{args.output}: {boxes.shape[0]} boxes of {SIDE} px")


if __name__ == "__main__":
    main()
