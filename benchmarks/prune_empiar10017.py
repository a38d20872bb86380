"""Prune the real output of three pickers on EMPIAR-10017 with 20 + 20 labels.

    python benchmarks/prune_empiar10017.py --project DIR --regions regions.json [--seeds 3]

20 particles and 20 negatives from three micrographs; then the picks of Topaz, crYOLO and
DeepPicker on six micrographs are pruned at P = 0.5. Printed, before and after: picks inside
the hand-drawn carbon polygons and ice discs, and picks confirmed by an expert centre within
54 px. A seed's training micrographs may be among the six, as they are for a user. What was
promised is printed beside: experts leave particles out, so it cannot be met in full.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
from empiar10017 import (
    DIAMETER_PX,
    MATCH_RADIUS_PX,
    PICKERS,
    add_project_argument,
    as_two_classes,
    draw_labels,
    open_project,
)
from numpy.typing import NDArray

from napari_pickeroptimizer.evaluate.evaluation import evaluate_picks
from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.pretrain.regions import KINDS, Regions, read_regions
from napari_pickeroptimizer.prune.run import Pruned, prune_picks


def inside(picks: Picks, regions: dict[str, Regions]) -> dict[str, NDArray[np.bool_]]:
    """Return which picks lie in the carbon polygons and in the ice discs."""
    xy = picks.coords_yx_px()[:, ::-1]
    kinds = np.full(len(picks), "", dtype="U6")
    for name, rows in picks.rows_by_micrograph().items():
        kinds[rows] = regions[PurePosixPath(name).stem].kinds_at(xy[rows])
    return {kind: kinds == kind for kind in KINDS}


def share(chosen: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    """Return the share of `among` that is chosen, NaN where there is nothing to choose from."""
    return float(chosen[among].mean()) if among.any() else float("nan")


def forecast(done: Pruned) -> str:
    """Return what was promised of a run, and its warnings."""
    assert done.forecast is not None, "fine-tuning was cross-validated"
    said = done.forecast.at(done.record["threshold"])
    return " ".join([said.sentence(), *done.record["warnings"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_project_argument(parser)
    parser.add_argument("--regions", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--output", type=Path, help="keep the pruned picks of seed 0 here")
    args = parser.parse_args()
    project, regions = open_project(args.project), read_regions(args.regions)
    truth = read_picks(args.project / "truth.star")
    labels = as_two_classes(project.labels)
    rows = []
    for seed in range(args.seeds):
        train, _, _ = draw_labels(project.labels, args.k, seed)
        settings = FineTuneSettings(diameter_px=DIAMETER_PX, seed=seed)
        events = finetune(
            project.micrographs, labels.select(train), settings, project.all_picks()
        )
        model = next(e.model for e in events if isinstance(e, FineTuned))
        for picker in PICKERS:
            with tempfile.TemporaryDirectory() as folder:
                keep = args.output is not None and seed == 0
                output = args.output / picker if keep else Path(folder) / picker
                done = list(
                    prune_picks(project.micrographs, project.picks(picker), model, output)
                )[-1]
            assert isinstance(done, Pruned)
            picks = done.picks
            removed = picks.table["predicted"].to_numpy() != 1
            carbon, ice = inside(picks, regions).values()
            result = evaluate_picks(picks, truth, MATCH_RADIUS_PX)
            confirmed = evaluate_picks(picks.select(~carbon & ~ice), truth, MATCH_RADIUS_PX)
            rows.append(
                (seed, picker, len(picks), result.after.n_picks, carbon.sum(),
                 share(removed, carbon), ice.sum(), share(removed, ice),
                 result.kept_true, confirmed.kept_true, result.before.precision,
                 result.after.precision, result.before.recall, result.after.recall)
            )  # fmt: skip
            print(
                f"seed {seed} {picker:<10} {rows[-1][2]} -> {rows[-1][3]} picks; carbon removed "
                f"{rows[-1][5]:.1%} of {rows[-1][4]}, ice {rows[-1][7]:.1%} of {rows[-1][6]}; "
                f"expert-confirmed kept {rows[-1][8]:.1%}\n    {forecast(done)}", flush=True,
            )  # fmt: skip
    columns = (
        "picker", "picks", "kept", "on carbon, removed", "in ice, removed",
        "expert-confirmed kept", "of these off carbon and ice",
        "precision before / after", "recall before / after",
    )  # fmt: skip
    print("\n| " + " | ".join(columns) + " |")
    print("|---|---|---|---|---|---|---|---|---|")
    for picker in PICKERS:
        m = np.mean([r[2:] for r in rows if r[1] == picker], axis=0)
        print(
            f"| {picker} | {m[0]:.0f} | {m[1]:.0f} | {m[3]:.1%} of {m[2]:.0f} "
            f"| {m[5]:.1%} of {m[4]:.0f} | {m[6]:.1%} | {m[7]:.1%} "
            f"| {m[8]:.1%} / {m[9]:.1%} | {m[10]:.1%} / {m[11]:.1%} |"
        )
    print(f"\nmean of {args.seeds} seeds; precision and recall against expert centres, 54 px")


if __name__ == "__main__":
    main()
