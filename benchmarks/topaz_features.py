"""Features of Topaz's pretrained particle detector, for `fewshot.py --topaz-features`.

    TOPAZ_ENV/bin/python benchmarks/topaz_features.py boxes.npy features.npy

Run by the Python of an environment of its own, which holds topaz-em and nothing of ours:
Topaz is licensed under the GPL. It reads boxes that `label_boxes.py` wrote and writes one row
of (n, n_features) float32 for each: what the detector's last layer sees at the pick, the mean
over four turned views.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from topaz.model.factory import load_model

N_VIEWS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boxes", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--detector", nargs="+", default=["resnet8_u64"])
    args = parser.parse_args()
    boxes = torch.from_numpy(np.load(args.boxes))[:, None]  # (n, 1, side, side)
    parts = []
    for name in args.detector:
        detector = load_model(name).eval()
        margin = (boxes.shape[-1] - detector.width) // 2
        assert margin >= 0, (
            f"{name} looks at {detector.width} px, boxes have {boxes.shape[-1]}"
        )
        end = margin + detector.width
        parts.append(at_the_pick(detector.features, boxes[..., margin:end, margin:end]))
        print(f"{name}: {parts[-1].shape[1]} features of {detector.width} px", flush=True)
    np.save(args.features, np.concatenate(parts, axis=1))


def at_the_pick(trunk: torch.nn.Module, boxes: torch.Tensor) -> np.ndarray:
    """Return (n, c) features of boxes as large as the receptive field: one pixel of a map."""
    with torch.inference_mode():
        rows = [
            torch.stack(
                [trunk(torch.rot90(part, i, (2, 3)))[:, :, 0, 0] for i in range(N_VIEWS)]
            ).mean(0)
            for part in boxes.split(64)
        ]
    return torch.cat(rows).numpy()


if __name__ == "__main__":
    main()
