"""How long `decide` takes on a million scored picks, beside scoring them.

    python benchmarks/decide.py --model model.safetensors [--picks 1000000] [--micrographs 4000]
                                [--output FILE.json]

Scores are drawn, not computed: two groups of picks, as a good model gives them (seed 0). The
command runs as a program of its own, with its report and without. Beside it stands what scoring
the same picks would take, from the seconds of a thousand boxes through the model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from programs import OURS, run_program
from summarise import write_rows

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.prune.journal import (
    ScoreJournal,
    Shard,
    model_digest,
    record_of,
)
from napari_pickeroptimizer.prune.score_folder import FOLDER
from napari_pickeroptimizer.reading import group_by_micrograph

HEADER = (
    "\ndata_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
    "_rlnCoordinateY #3\n"
)
N_BOXES = 1000


def write_scored_picks(
    folder: Path, model: Classifier, n_picks: int, n_micrographs: int
) -> None:
    """Write picks and a journal of their scores."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(50, 3900, (n_picks, 2))
    names = [f"Micrographs/m{i:05d}.mrc" for i in range(n_micrographs)]
    of_pick = np.sort(rng.integers(n_micrographs, size=n_picks))
    with (folder / "picks.star").open("w") as file:
        file.write(HEADER)
        file.writelines(
            f"{names[i]} {x:.2f} {y:.2f}\n" for i, (x, y) in zip(of_pick, xy, strict=True)
        )
    picks = read_picks(folder / "picks.star")
    micrographs = Micrographs(tuple(Micrograph(name, Path(name), 1.8) for name in names))
    header = {"model": model_digest(model), "card": model.card.to_json(), "n_views": 4}
    n_others, coords_yx_px = len(model.card.class_ids) - 1, picks.coords_yx_px()
    with ScoreJournal(folder / "run" / FOLDER, header, Shard()) as journal:
        journal.set_inputs({"picks": [str(folder / "picks.star")]})
        for group in group_by_micrograph(micrographs, picks):
            n = len(group.rows)
            good = rng.random(n) < 0.6
            p = np.where(good, rng.beta(8, 1.5, n), rng.beta(1.5, 8, n))
            others = np.repeat(((1 - p) / n_others)[:, None], n_others, axis=1)
            table = np.column_stack([p, others]).astype(np.float32)
            event = MicrographScored(group, table, 0, 1, 1, shape_px=(4000, 4000))
            journal.append(record_of(event, picks, coords_yx_px))


def run(folder: Path, *options: str) -> dict[str, float]:
    """Return seconds, CPU seconds and peak memory in MiB of one decision."""
    output = str(folder / "run")
    return run_program([*OURS, "decide", "--output", output, "--overwrite", *options])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--picks", type=int, default=1_000_000)
    parser.add_argument("--micrographs", type=int, default=4000)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    model = Classifier.load(arguments.model)
    boxes = torch.randn(N_BOXES, 1, model.card.boxes.box_px, model.card.boxes.box_px)
    start = time.monotonic()
    model.predict(boxes)
    scoring = (time.monotonic() - start) * arguments.picks / N_BOXES
    with tempfile.TemporaryDirectory() as folder:
        write_scored_picks(Path(folder), model, arguments.picks, arguments.micrographs)
        rows = [
            ("decide --threshold 0.6 --no-report", ("--threshold", "0.6", "--no-report")),
            ("decide --threshold 0.6", ("--threshold", "0.6")),
            (
                "decide --min-distance 0.5d --no-report",
                ("--min-distance", "0.5d", "--no-report"),
            ),
        ]
        print(f"{arguments.picks:,} picks on {arguments.micrographs:,} micrographs, seconds")
        measured = []
        for name, options in rows:
            row = {"command": name, "picks": arguments.picks, **run(Path(folder), *options)}
            measured.append(row)
            print(f"  {name:<42}{row['seconds']:8.1f} s {row['cpu']:8.1f} CPU s "
                  f"{row['mib']:6.0f} MiB", flush=True)  # fmt: skip
    if arguments.output:
        write_rows(arguments.output, measured)
    print(f"  {'scoring the boxes (from a thousand)':<42}{scoring:8.1f}")


if __name__ == "__main__":
    main()
