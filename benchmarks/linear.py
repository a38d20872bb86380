"""Whether time is linear and memory flat in `score` of 10 to 1,000 micrographs.

    python benchmarks/linear.py [--micrographs 10 100 1000] [--side 2048] [--picks 20]
                                [--scheduler local processes:2] [--output FILE.json]

All micrographs are hard links to one file of noise, so that a thousand of them take the disk of
one, and reading them is reading from memory. Each run is a process of its own; the seconds a
micrograph are those beyond the shortest run, so that starting the program does not count. CPU
seconds and peak memory are those of the process (with workers, of the one that hands out the
work).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import mrcfile
import numpy as np
from programs import OURS, run_program
from summarise import write_rows


def write_project(folder: Path, n_micrographs: int, side: int, n_picks: int) -> None:
    """Write a folder of micrographs and one file of picks."""
    images = folder / "Micrographs"
    images.mkdir()
    rng = np.random.default_rng(0)
    first = images / "m00000.mrc"
    with mrcfile.new(first) as mrc:
        mrc.set_data(rng.standard_normal((side, side), dtype=np.float32))
        mrc.voxel_size = 1.0
    for i in range(1, n_micrographs):
        (images / f"m{i:05d}.mrc").hardlink_to(first)
    labels = ("MicrographName", "CoordinateX", "CoordinateY")
    lines = [
        "data_particles",
        "",
        "loop_",
        *(f"_rln{n} #{i + 1}" for i, n in enumerate(labels)),
    ]
    for i in range(n_micrographs):
        xy = rng.uniform(0, side, (n_picks, 2))
        lines += [f"Micrographs/m{i:05d}.mrc {x:.2f} {y:.2f}" for x, y in xy]
    (folder / "picks.star").write_text("\n".join([*lines, ""]))


def run(folder: Path, scheduler: str) -> dict[str, float]:
    """Return seconds, CPU seconds and peak memory in MiB of one scoring."""
    arguments = ["score", "-m", str(folder / "Micrographs"), "-p", str(folder / "picks.star"),
                 "--model", "bundled", "--diameter-px", "100", "--views", "1", "--device", "cpu",
                 "-o", str(folder / "out"), "--scheduler", scheduler]  # fmt: skip
    return run_program([*OURS, *arguments])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--micrographs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--picks", type=int, default=20, help="on each micrograph")
    parser.add_argument("--scheduler", nargs="+", default=["local"])
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    rows = []
    for scheduler in args.scheduler:
        for n in sorted(args.micrographs):
            with tempfile.TemporaryDirectory() as name:
                write_project(Path(name), n, args.side, args.picks)
                figures = run(Path(name), scheduler)
            shortest = next((r for r in rows if r["scheduler"] == scheduler), None)
            row = {"scheduler": scheduler, "micrographs": n, **figures}
            each = ""
            if shortest is not None:
                further = n - shortest["micrographs"]
                for figure in ("seconds", "cpu"):
                    row[f"{figure} each"] = (row[figure] - shortest[figure]) / further
                each = f"{1000 * row['cpu each']:8.1f} CPU ms each"
            rows.append(row)
            print(f"{scheduler:12} {n:5} micrographs {row['seconds']:8.1f} s {row['cpu']:8.1f} "
                  f"CPU s {row['mib']:6.0f} MiB{each}", flush=True)  # fmt: skip
    if args.output:
        write_rows(args.output, rows)


if __name__ == "__main__":
    main()
