"""Picks and micrographs a second from MRC files, beside other programs and the machine's floor.

    OMP_WAIT_POLICY=passive python benchmarks/throughput.py --project DIR --model FILE.safetensors
                                    [--threads 2] [--repeats 3] [--topaz PROGRAM]
                                    [--topaz-micrographs 2] [--finetune] [--output FILE.json]

DIR is EMPIAR-10017 as `empiar10017.py` wants it; the picks are Topaz's. All is measured in one run
on the same processors, medians of the repeats, wall-clock and CPU seconds:

- `prune` and `score` as programs, from start to end, and `score` with four views of all; their
  peak memory;
- the network alone, as trained and as it scores;
- the reference recipe's prediction: one MRC a box, 224 px, ResNet-18, one box at a time; and its
  best case, 32 boxes at a time from memory;
- `topaz preprocess` and `topaz extract` on some of the micrographs;
- the floor: reading the files, and the network's operations at the best rate of the matrix unit
  that any product or convolution here reaches;
- what lies between: the import of torch, and the stages of scoring one after the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import mrcfile
import numpy as np
import torch
from baselines import reference_network, reference_pictures, reference_recipe_probabilities
from empiar10017 import BOX_PX, DIAMETER_PX, as_two_classes, draw_labels, open_project
from numpy.typing import NDArray
from programs import OURS, run_program
from torch.utils.flop_counter import FlopCounterMode

from napari_pickeroptimizer.box_size import window_side
from napari_pickeroptimizer.boxes import cut_windows, render, working_image
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.views import AUTO, DEFAULT_VIEWS, doubtful
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.reading import MicrographRows, group_by_micrograph

N_BOXES = 64  # of the reference recipe, which takes long
# Products of square matrices and 3 x 3 convolutions (channels, side), by which the rate of the
# matrix unit is found: which library is fastest depends on the processor.
MATRICES = (512, 2048)
CONVOLUTIONS = ((64, 6), (128, 12), (256, 12), (256, 28))
Row = dict[str, Any]


def timed(function: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the medians of wall-clock and CPU seconds."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return median(walls), median(cpus)


def program(arguments: list[str], threads: int) -> tuple[float, float, float]:
    """Run a program; return wall-clock and CPU seconds, and peak memory in MiB."""
    took = run_program(arguments, {"OMP_NUM_THREADS": str(threads)})
    return took["seconds"], took["cpu"], took["mib"]


def programs(commands: list[list[str]], threads: int, repeats: int) -> Row:
    """Return medians of the sum of commands that follow each other."""
    runs = [[program(c, threads) for c in commands] for _ in range(repeats)]
    wall, cpu = (median(sum(r[i] for r in run) for run in runs) for i in (0, 1))
    return {"wall": wall, "cpu": cpu, "MiB": max(r[2] for run in runs for r in run)}


def scoring(args: argparse.Namespace, command_name: str, picks: Path, n_views: str) -> Row:
    """Return what `score` or `prune` takes."""
    with tempfile.TemporaryDirectory() as folder:
        out = iter(range(args.repeats))
        runs = []
        for i in out:
            command = [
                *OURS, command_name,
                "-m", str(args.project / "Micrographs"), "-p", str(picks),
                "--model", str(args.model), "--views", n_views,
                "--device", "cpu", "-o", f"{folder}/{i}",
            ]  # fmt: skip
            runs.append(program(command, args.threads))
    wall, cpu, mib = (median(r[i] for r in runs) for i in range(3))
    return {"wall": wall, "cpu": cpu, "MiB": mib}


def stages(
    groups: list[MicrographRows], coords: NDArray[np.float64], model: Classifier
) -> Row:
    """Return CPU seconds of reading, resampling, cutting and the network, in turn."""
    seconds = dict.fromkeys(("read", "resample", "cut", "network"), 0.0)
    n_views = 0.0
    particle = model.card.class_ids.index(PARTICLE)

    def stage(name: str, function: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = function()
        seconds[name] += time.process_time() - start
        return result

    boxes = model.card.boxes
    for group in groups:
        micrograph = group.micrograph
        assert micrograph is not None
        image = stage("read", micrograph.read)
        working = stage(
            "resample", lambda i=image, m=micrograph: working_image(i, boxes, m.pixel_size_ang)
        )
        windows = stage(
            "cut",
            lambda w=working, g=group: render(
                cut_windows(w, coords[g.rows], window_side(boxes)), boxes.box_px
            ),
        )
        stage("network", lambda w=windows: model.predict(w, n_views=AUTO))
        is_doubtful = doubtful(model.predict(windows, n_views=1)[:, particle])
        n_views += len(windows) + (DEFAULT_VIEWS - 1) * float(is_doubtful.sum())
    return {**seconds, "views": n_views / len(coords)}


def floor(files: list[Path], gflop: float, repeats: int) -> Row:
    """Return CPU seconds to read the files, and to do the operations at the best rate."""
    n_bytes = sum(file.stat().st_size for file in files)
    memory = np.zeros(max(file.stat().st_size for file in files), np.uint8)

    def read_all() -> None:
        for path in files:
            with path.open("rb") as file:
                file.readinto(memory.data)

    _, read = timed(read_all, repeats)
    rates = matrix_rates(5 * repeats)
    rate = max(rates.values())
    return {"read": read, "GB/s": n_bytes / read / 1e9, "GFLOP": gflop, "GFLOP/s": rate,
            "network": gflop / rate, "rates": rates}  # fmt: skip


def matrix_rates(repeats: int) -> dict[str, float]:
    """Return GFLOP a CPU second of matrix products and convolutions, in two layouts."""
    rates: dict[str, float] = {}

    def measure(name: str, function: Callable[[], object], n_operations: float) -> None:
        function()
        rates[name] = n_operations / timed(function, repeats)[1] / 1e9

    with torch.inference_mode():
        for n in MATRICES:
            a = torch.randn(n, n)
            measure(f"mm {n}", lambda a=a: torch.mm(a, a), 2 * n**3)
        a = torch.randn(64, 256, 256)
        measure("bmm 64 x 256", lambda: torch.bmm(a, a), 2 * 64 * 256**3)
        for channels, side in CONVOLUTIONS:
            x, w = torch.randn(64, channels, side, side), torch.randn(channels, channels, 3, 3)
            layouts = {
                "channels last": [t.to(memory_format=torch.channels_last) for t in (x, w)]
            }
            if torch.backends.mkldnn.is_available():
                layouts["blocked"] = [t.to_mkldnn() for t in (x, w)]
            for layout, (image, weight) in layouts.items():
                measure(
                    f"convolution {channels} x {side}, {layout}",
                    lambda i=image, k=weight: torch.conv2d(i, k, None, 1, 1),
                    2 * 9 * channels**2 * side**2 * 64,
                )
    return rates


def reference(boxes: NDArray[np.float32], repeats: int) -> Row:
    """Return boxes a second, and a CPU second, of the reference recipe's prediction."""
    network = reference_network(2, 0, None).eval()

    def one_by_one(folder: Path) -> None:
        for file in sorted(folder.glob("*.mrc")):
            with mrcfile.open(file) as mrc:
                network(reference_pictures(mrc.data[None]))

    def together() -> None:
        for start in range(0, len(boxes), 32):
            network(reference_pictures(boxes[start : start + 32]))

    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        for i, box in enumerate(boxes):
            with mrcfile.new(Path(name) / f"{i:04d}.mrc") as mrc:
                mrc.set_data(box)
        single = timed(lambda: one_by_one(Path(name)), repeats)
        batched = timed(together, repeats)
    return {
        "one at a time": [len(boxes) / seconds for seconds in single],
        "batched": [len(boxes) / seconds for seconds in batched],
    }


def topaz(args: argparse.Namespace, files: list[Path]) -> Row:
    """Return what Topaz takes for some micrographs at a quarter of the size, by its ResNet-8."""
    with tempfile.TemporaryDirectory() as folder:
        small = f"{folder}/small"
        chosen = [str(file) for file in files[: args.topaz_micrographs]]
        made = [f"{small}/{Path(file).name}" for file in chosen]
        commands = [
            [args.topaz, "preprocess", "-s", "4", "-d", "-1", "-o", small, *chosen],
            [
                args.topaz,
                "extract",
                "-m",
                "resnet8_u32",
                "-r",
                "8",
                "-d",
                "-1",
                "-o",
                f"{folder}/picks.txt",
                *made,
            ],
        ]
        return {**programs(commands, args.threads, 1), "micrographs": len(chosen)}


def training(args: argparse.Namespace, picks: Picks) -> Row:
    """Return seconds of a fine-tuning on 20 + 20 labels, and of the reference recipe's."""
    project = open_project(args.project)
    train, _, _ = draw_labels(project.labels, 20, 0)
    labels = as_two_classes(project.labels).select(train)
    row: Row = {}
    for n_folds in (0, 3):
        settings = FineTuneSettings(diameter_px=DIAMETER_PX, n_folds=n_folds, device="cpu")
        wall, cpu = timed(
            lambda s=settings: list(finetune(project.micrographs, labels, s, picks)), 1
        )
        row[f"{n_folds} folds"] = {"wall": wall, "cpu": cpu}
    rng = np.random.default_rng(0)
    boxes = rng.standard_normal((40, BOX_PX, BOX_PX), np.float32)
    wall, cpu = timed(
        lambda: reference_recipe_probabilities(boxes, labels.labels, boxes[:1], seed=0), 1
    )
    row["reference"] = {"wall": wall, "cpu": cpu}
    return row


def measured(args: argparse.Namespace) -> Row:
    """Measure all."""
    torch.set_num_threads(args.threads)
    project = open_project(args.project)
    picks = project.picks("topaz")
    groups = [g for g in group_by_micrograph(project.micrographs, picks) if g.micrograph]
    files = [g.micrograph.path for g in groups if g.micrograph]
    model = Classifier.load(args.model)
    fast = model.for_inference(torch.device("cpu"))
    coords = picks.coords_yx_px()
    side = model.card.boxes.box_px
    boxes = torch.randn(256, 1, side, side)
    pick_file = picks.sources[0].path if picks.file_list is None else picks.file_list.path
    rows: Row = {"picks": len(picks), "micrographs": len(groups), "threads": args.threads}
    rows["prune"] = scoring(args, "prune", pick_file, AUTO)
    rows["score, auto"] = scoring(args, "score", pick_file, AUTO)
    rows["score, 4 views"] = scoring(args, "score", pick_file, str(DEFAULT_VIEWS))
    torch_alone = [[sys.executable, "-c", "import torch"]]
    rows["import torch"] = programs(torch_alone, args.threads, args.repeats)
    with torch.inference_mode():
        for name, network in (("as trained", model), ("as it scores", fast)):
            network.predict(boxes, n_views=1)
            wall, cpu = timed(lambda n=network: n.predict(boxes, n_views=1), 3 * args.repeats)
            rows[f"network {name}"] = {
                "boxes/s": len(boxes) / wall,
                "boxes/cpu s": len(boxes) / cpu,
            }
    parts = [stages(groups, coords, fast) for _ in range(args.repeats)]
    rows["stages"] = {name: median(part[name] for part in parts) for name in parts[0]}
    image = groups[0].micrograph.read() if groups[0].micrograph else None
    assert image is not None
    with FlopCounterMode(display=False) as counter:
        model.network(boxes[:1])
    gflop = counter.get_total_flops() / 1e9 * len(picks) * rows["stages"]["views"]
    rows["floor"] = floor(files, gflop, args.repeats)
    half = BOX_PX // 2
    centres = np.round(coords[groups[0].rows]).astype(int)
    inside = ((centres >= half) & (centres < np.array(image.shape) - half)).all(axis=1)
    large = [
        image[y - half : y + half, x - half : x + half] for y, x in centres[inside][:N_BOXES]
    ]
    rows["reference"] = reference(np.stack(large), args.repeats)
    if args.topaz:
        rows["topaz"] = topaz(args, files)
    if args.finetune:
        rows["fine-tuning"] = training(args, picks)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="written by finetune")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--topaz", help="the program `topaz`")
    parser.add_argument("--topaz-micrographs", type=int, default=2)
    parser.add_argument("--finetune", action="store_true")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    rows = measured(args)
    n, of = rows["picks"], rows["micrographs"]
    for name in ("prune", "score, auto", "score, 4 views"):
        row = rows[name]
        print(
            f"{name}: {row['wall']:.1f} s (CPU {row['cpu']:.1f} s), {n / row['wall']:.0f} picks/s, "
            f"{of / row['wall']:.2f} micrographs/s, {row['MiB']:.0f} MiB"
        )
    print(json.dumps(rows, indent=1))
    if args.output:
        args.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
