"""What pruning does to picks on carbon and in ice: six pickers on EMPIAR-10017, K + K labels.

    python benchmarks/carbon_and_ice.py --targets DIR --masks FOLDER --regions regions.json
                                        [--set NAME=JSON ...] [--seeds 10] [--output FILE.json]

DIR is made by `make_targets.py`. FOLDER holds the class masks of seven micrographs (carbon,
ice), regions.json carbon polygons and ice discs of all ten. A pick is on carbon inside a polygon,
in ice where either says so; "fringe" is what the masks, drawn with coarse boxes, call carbon
beyond the polygons: mostly the bright rim of the ice. Picks in the streaks along the borders
(90 px of the original micrographs) are left out.

K particles and K untyped negatives from three micrographs; then each picker's whole list is
pruned at P = 0.5. Printed: the share of the picks on carbon, fringe and in ice that is removed,
and of the picks that experts confirm (within half a diameter of their centres, off carbon and
ice) that is kept; mean and worst of the draws.
"""

from __future__ import annotations

import argparse
import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from empiar10017 import DIAMETER_PX
from grid import Job, Row, add_grid_arguments, grouped, print_table, run_grid
from methods import fine_tuned, named_settings, scored
from numpy.typing import NDArray
from PIL import Image
from prune_empiar10017 import inside, share
from scipy.spatial import cKDTree
from targets import PICKERS, Target, draw, load

from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.pretrain.regions import Regions, read_regions

ICE_IN_MASK, CARBON_IN_MASK = 2, 3
FIGURES = ("carbon_removed", "fringe_removed", "ice_removed", "confirmed_kept")
BORDER_PX, SIDE_PX = 90, 4096  # of the original micrographs
THRESHOLD = 0.5


def pick_kinds(
    picks: Picks, targets: Path, masks: Path, regions: dict[str, Regions]
) -> dict[str, NDArray[np.bool_]]:
    """Return the picks of each kind: ``carbon``, ``fringe``, ``ice``, ``confirmed``."""
    data = targets / "empiar10017"
    scale = json.loads((data / "dataset.json").read_text())["diameter_px"] / DIAMETER_PX
    # in pixels of the original micrographs, as polygons and centres are
    y, x = ((picks.coords_yx_px() + 0.5) / scale - 0.5).T
    original = Picks.from_arrays(picks.table["micrograph"].tolist(), x, y)
    kinds = inside(original, regions)
    kinds["fringe"] = np.zeros(len(picks), dtype=bool)
    truth = read_picks(data / "lists" / "experts.star")
    confirmed = np.zeros(len(picks), dtype=bool)
    for name, rows in original.rows_by_micrograph().items():
        stem = Path(name).stem
        path = masks / f"{stem}.png"
        if path.is_file():
            mask = np.asarray(Image.open(path))
            at = (original.coords_yx_px()[rows] / 4).astype(int).clip(0, mask.shape[0] - 1)
            there = mask[tuple(at.T)]
            kinds["ice"][rows] |= there == ICE_IN_MASK
            kinds["fringe"][rows] = (there == CARBON_IN_MASK) & ~kinds["carbon"][rows]
        centres = truth.select(truth.rows_by_micrograph()[name]).coords_yx_px()
        distance, _ = cKDTree(centres).query(picks.coords_yx_px()[rows])
        confirmed[rows] = distance <= 0.5 * DIAMETER_PX * scale
    kinds["confirmed"] = confirmed & ~kinds["carbon"] & ~kinds["ice"] & ~kinds["fringe"]
    coords = original.coords_yx_px()
    within = ((coords > BORDER_PX) & (coords < SIDE_PX - 1 - BORDER_PX)).all(axis=1)
    return {kind: rows & within for kind, rows in kinds.items()}


@cache
def loaded(
    targets: Path, masks: Path, regions: Path, picker: str
) -> tuple[Picks, dict[str, NDArray[np.bool_]]]:
    """Read a picker's list and the kinds of its picks, once a process."""
    picks = read_picks(targets / "empiar10017" / "lists" / f"{picker}.star")
    return picks, pick_kinds(picks, targets, masks, read_regions(regions))


def run_draw(
    targets: Path, masks: Path, regions: Path, variants: dict[str, dict[str, Any]], job: Job
) -> Row:
    """Return the figures of one draw for every picker; it is taught with Topaz's list."""
    data = load(targets, Target("empiar10017", "hand", "topaz"))
    train, _ = draw(data.pool, data.with_carbon, job["k"], job["seed"])
    settings = FineTuneSettings(
        diameter_px=data.diameter_px, n_folds=0, seed=job["seed"], **variants[job["variant"]]
    )
    model = fine_tuned(data.micrographs, data.pool.select(train), data.picks, settings)
    row: Row = {}
    for picker in PICKERS:
        picks, kinds = loaded(targets, masks, regions, picker)
        p = scored(data.micrographs, picks, model, settings).particle_probability
        removed = ~(p >= THRESHOLD)
        row[f"{picker} carbon_removed"] = share(removed, kinds["carbon"])
        row[f"{picker} fringe_removed"] = share(removed, kinds["fringe"])
        row[f"{picker} ice_removed"] = share(removed, kinds["ice"])
        row[f"{picker} confirmed_kept"] = share(~removed, kinds["confirmed"])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--regions", type=Path, required=True)
    parser.add_argument(
        "--set", action="append", default=[], help="one variant more: NAME=JSON of settings"
    )
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    args = parser.parse_args()
    variants: dict[str, dict[str, Any]] = {"default": {}, **named_settings(args.set)}
    jobs: list[Job] = [
        {"k": args.k, "variant": name, "settings": json.dumps(values, sort_keys=True),
         "seed": seed}
        for name, values in variants.items()
        for seed in range(args.seeds)
    ]  # fmt: skip
    rows = run_grid(
        partial(run_draw, args.targets, args.masks, args.regions, variants),
        jobs,
        workers=args.workers,
        output=args.output,
        figures=[f"topaz {figure}" for figure in FIGURES],
    )
    for (variant,), group in grouped(rows, "variant").items():
        lines: list[list[object]] = []
        for picker in PICKERS:
            _, kinds = loaded(args.targets, args.masks, args.regions, picker)
            line: list[object] = [picker]
            for figure in FIGURES:
                values = [row[f"{picker} {figure}"] for row in group]
                n = int(kinds[figure.partition("_")[0]].sum())
                line.append(f"{np.mean(values):.1%} ({min(values):.1%}) of {n}")
            lines.append(line)
        print(f"\n{variant}: mean (worst) of {len(group)} draws, threshold {THRESHOLD}")
        print_table(("list", *(figure.replace("_", ", ") for figure in FIGURES)), lines)


if __name__ == "__main__":
    main()
