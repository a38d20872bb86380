"""One view of clear picks and four of doubtful ones, beside four views of all.

    python benchmarks/views.py --targets DIR [--only TARGET ...] [--seeds 2] [--k 20]
                               [--workers 1] [--output FILE.json]

DIR is made by `make_targets.py`; targets, draws and fine-tuning are those of `targets.py`, and the
default settings: the model is cross-validated and calibrated with four views. Of each draw's test
picks are printed: views a pick, AUC and particle F1 at 0.5 with four views and the difference with
``auto``, the share of equal decisions at 0.5 and at 0.95, and the logarithmic loss of the
probabilities, which tells whether the calibration holds.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from empiar10017 import working_boxes
from grid import Job, Row, add_grid_arguments, grouped, print_table, run_grid
from methods import fine_tuned
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss, roc_auc_score
from targets import Target, draw, load

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.model.views import AUTO, DEFAULT_VIEWS, doubtful

TARGETS = (
    "empiar10017 hand topaz",
    "empiar10028 blobs blobs",
    "empiar10017 off_centre off_centre",
    "empiar10059 off_centre off_centre",
    "sim_1igy typed picks",
    "sim_1aon typed picks",
    "sim_pdb3enl typed picks",
)
COLUMNS = (
    "views", "AUC", "AUC auto", "F1", "F1 auto", "same at 0.5", "same at 0.95", "loss", "loss auto"
)  # fmt: skip


def compared(
    truth: NDArray[np.bool_],
    one: NDArray[np.floating],
    four: NDArray[np.floating],
    auto: NDArray[np.floating],
) -> dict[str, float]:
    """Return the columns for P(particle) by one view, four, and as many as needed."""
    by_views = {"": four.astype(float), " auto": auto.astype(float)}
    row = {"views": 1 + (DEFAULT_VIEWS - 1) * float(doubtful(one).mean())}
    for end, p in by_views.items():
        row[f"AUC{end}"] = float(roc_auc_score(truth, p))
        row[f"F1{end}"] = float(f1_score(truth, p > 0.5))
        row[f"loss{end}"] = float(log_loss(truth, p.clip(1e-6, 1 - 1e-6)))
    for at in (0.5, 0.95):
        row[f"same at {at}"] = float(((four > at) == (auto > at)).mean())
    return row


def run(job: Job, root: Path) -> Row:
    """Fine-tune on one draw and score its test picks in three ways."""
    data = load(root, Target(*job["target"].split()))
    train, test = draw(data.pool, data.with_carbon, job["k"], job["seed"])
    settings = FineTuneSettings(diameter_px=data.diameter_px, seed=job["seed"])
    model = fine_tuned(data.micrographs, data.pool.select(train), data.picks, settings)
    boxes = working_boxes(data.micrographs, data.pool.select(test), model.card.boxes)[:, None]
    particle = model.card.class_ids.index(PARTICLE)
    one, four, auto = (
        model.predict(torch.from_numpy(boxes), n_views=n)[:, particle]
        for n in (1, DEFAULT_VIEWS, AUTO)
    )
    return compared(data.pool.labels[test] == PARTICLE, one, four, auto)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--k", type=int, default=20)
    add_grid_arguments(parser)
    args = parser.parse_args()
    jobs = [
        {"target": name, "k": args.k, "seed": 10 + i}
        for i in range(args.seeds)
        for name in args.only
    ]
    rows = run_grid(
        partial(run, root=args.targets), jobs, workers=args.workers, output=args.output,
        figures=COLUMNS,
    )  # fmt: skip
    lines = [
        [name, *(float(np.mean([row[column] for row in of_target])) for column in COLUMNS)]
        for (name,), of_target in grouped(rows, "target").items()
    ]
    print_table(["target", *COLUMNS], lines)


if __name__ == "__main__":
    main()
