"""Before the first label: how well pretrained models order the pools of the development targets.

    python benchmarks/before_labels.py --targets DIR [--models bundled FILE ...]

DIR is made by `make_targets.py`. A pretrained model scores a whole pool, particles against
everything else (`model_before_labels`); no label is used but to count the ROC AUC.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import torch
from grid import print_table
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from targets import Target, all_targets, load

from napari_pickeroptimizer.box_size import BoxSettings, window_side
from napari_pickeroptimizer.boxes import cut_windows, render, resampled_micrographs
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.model.before_labels import model_before_labels
from napari_pickeroptimizer.reading import MicrographFailed, group_by_micrograph


def pools() -> list[Target]:
    """Return each pool of the targets once."""
    return list(dict.fromkeys(Target(t.data, t.pool, None) for t in all_targets()))


@cache
def boxes_of(
    root: Path, target: Target, settings: BoxSettings
) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Return the boxes of a pool as `score` cuts them, and which of them are particles."""
    data = load(root, target)
    coords_yx_px = data.pool.coords_yx_px()
    boxes, is_particle = [], []
    groups = group_by_micrograph(data.micrographs, data.pool)
    for event in resampled_micrographs(groups, settings):
        if isinstance(event, MicrographFailed):
            raise SystemExit(event.reason)
        rows = event.group.rows
        rows = rows[~outside(coords_yx_px[rows], event.image.shape_px)]
        windows = cut_windows(event.image, coords_yx_px[rows], window_side(settings))
        boxes.append(render(windows, settings.box_px))
        is_particle.append(data.pool.labels[rows] == PARTICLE)
    return torch.cat(boxes), np.concatenate(is_particle)


def auc_of(root: Path, target: Target, base: str, n_views: int) -> float:
    """Return the ROC AUC of one pretrained model on one pool."""
    model = model_before_labels(diameter_px=load(root, target).diameter_px, base=base)
    boxes, is_particle = boxes_of(root, target, model.card.boxes)
    particle = model.card.class_ids.index(PARTICLE)
    return float(
        roc_auc_score(is_particle, model.predict(boxes, n_views=n_views)[:, particle])
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["bundled"], help="bundled, or files")
    parser.add_argument("--only", nargs="+", help="these pools, as in: empiar10017 hand")
    parser.add_argument("--views", type=int, default=4)
    args = parser.parse_args()
    lines: list[list[object]] = []
    columns: list[list[float]] = []
    chosen = [t for t in pools() if not args.only or f"{t.data} {t.pool}" in args.only]
    for target in chosen:
        columns.append([auc_of(args.targets, target, m, args.views) for m in args.models])
        lines.append([f"{target.data} {target.pool}", *(f"{a:.4f}" for a in columns[-1])])
        print(*lines[-1], flush=True)
    by_model = np.array(columns)
    lines.append(["mean of the pools", *(f"{a:.4f}" for a in by_model.mean(axis=0))])
    lines.append(["worst", *(f"{a:.4f}" for a in by_model.min(axis=0))])
    print("\nROC AUC without any label")
    print_table(("pool", *args.models), lines)


if __name__ == "__main__":
    main()
