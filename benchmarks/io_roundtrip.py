"""Read, filter and write 500,000 picks of 1,000 micrographs; beside the starfile package.

    python benchmarks/io_roundtrip.py [--picks 500000] [--micrographs 1000] [--repeats 3]

Two layouts: one particles STAR (RELION 3.1, optics, 30 columns) and a tree of coordinate files
with its ``autopick.star``. Both packages read, drop every third pick, add two columns
(class and P(particle)) and write. A third task only drops rows: there the result can be
compared byte by byte with the source minus the dropped lines.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import starfile

from napari_pickeroptimizer.io import read_picks, write_picks

OPTICS = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnImagePixelSize #5
opticsGroup1            1     0.885000   300.000000     1.770000


# version 30001

data_particles

loop_
"""
COLUMNS = [
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnAutopickFigureOfMerit",
    "rlnClassNumber",
    "rlnAnglePsi",
    "rlnImageName",
    "rlnMicrographName",
    "rlnOpticsGroup",
    "rlnCtfMaxResolution",
    "rlnCtfFigureOfMerit",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnPhaseShift",
    "rlnAngleRot",
    "rlnAngleTilt",
    "rlnOriginXAngst",
    "rlnOriginYAngst",
    "rlnNormCorrection",
    "rlnLogLikeliContribution",
    "rlnMaxValueProbDistribution",
    "rlnNrOfSignificantSamples",
    "rlnGroupNumber",
    "rlnRandomSubset",
    "rlnAngleRotPrior",
    "rlnAngleTiltPrior",
    "rlnAnglePsiPrior",
    "rlnBeamTiltX",
]
COORDINATES = "\n# version 30001\n\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
COORDINATES += "_rlnClassNumber #3\n_rlnAnglePsi #4\n_rlnAutopickFigureOfMerit #5\n"


def particle_rows(n: int, n_micrographs: int, rng: np.random.Generator) -> list[str]:
    """Return rows as RELION prints them: aligned, six decimals, a space at the end."""
    floats = rng.uniform(0, 4000, (n, len(COLUMNS) - 5))
    per_micrograph = -(-n // n_micrographs)
    rows = []
    for i, values in enumerate(floats):
        micrograph, place = divmod(i, per_micrograph)
        name = f"Movies/grid{micrograph % 4}/FoilHole_{micrograph:08d}_Data_fractions"
        text = [f"{v:12.6f}" for v in values]
        names = [
            f"{place + 1:06d}@Extract/job010/{name}.mrcs",
            f"MotionCorr/job002/{name}.mrc",
        ]
        rows.append(" ".join([*text[:3], f"{1:12d}", text[3], *names, f"{1:12d}", *text[4:]]))
    return [f"{r} {1:12d} " for r in rows]


def write_particles(path: Path, rows: list[str]) -> None:
    header = OPTICS + "".join(f"_{c} #{i} \n" for i, c in enumerate(COLUMNS, start=1))
    path.write_text(header + "\n".join(rows) + "\n\n")


def write_tree(project: Path, n: int, n_micrographs: int, rng: np.random.Generator) -> Path:
    job = project / "AutoPick" / "job006"
    index = "\n# version 30001\n\ndata_coordinate_files\n\nloop_\n_rlnMicrographName #1\n"
    index += "_rlnMicrographCoordinates #2\n"
    for m in range(n_micrographs):
        name = f"Movies/grid{m % 4}/FoilHole_{m:08d}_Data_fractions"
        file = job / f"{name}_autopick.star"
        file.parent.mkdir(parents=True, exist_ok=True)
        xy = rng.uniform(0, 4000, (n // n_micrographs, 3))
        rows = "".join(
            f"{x:12.6f} {y:12.6f} {0:12d} {0.0:12.6f} {s:12.6f} \n" for x, y, s in xy
        )
        file.write_text(COORDINATES + rows + " \n")
        index += f"MotionCorr/job002/{name}.mrc AutoPick/job006/{name}_autopick.star \n"
    (job / "autopick.star").write_text(index + " \n")
    return job / "autopick.star"


def ours(source: Path, output: Path, *, with_columns: bool) -> None:
    picks = read_picks(source)
    keep = np.arange(len(picks)) % 3 != 0
    if with_columns:
        picks = picks.with_columns(
            predicted=np.ones(len(picks), np.int8), probability_1=np.full(len(picks), 0.75)
        )
        write_picks(picks.select(keep), output)
    else:
        write_picks(picks.select(keep), output, columns={})


def starfile_particles(source: Path, output: Path, *, with_columns: bool) -> None:
    blocks = starfile.read(source)
    table = blocks["particles"]
    table = table[np.arange(len(table)) % 3 != 0]
    if with_columns:
        table = table.assign(rlnParticleSelectionType=1, poParticleProbability=0.75)
    starfile.write({**blocks, "particles": table}, output, overwrite=True)


def starfile_tree(source: Path, output: Path, *, with_columns: bool) -> None:
    project = source.parents[2]
    index = starfile.read(source)
    first = 0
    new = []
    for listed in index["rlnMicrographCoordinates"]:
        table = starfile.read(project / listed)
        keep = np.arange(first, first + len(table)) % 3 != 0
        first += len(table)
        table = table[keep]
        if with_columns:
            table = table.assign(rlnParticleSelectionType=1, poParticleProbability=0.75)
        file = output / Path(listed).relative_to("AutoPick/job006")
        file.parent.mkdir(parents=True, exist_ok=True)
        starfile.write(table, file, overwrite=True)
        new.append(file.relative_to(project).as_posix())
    index["rlnMicrographCoordinates"] = new
    starfile.write(index, output / "autopick.star", overwrite=True)


def best_times_s(task: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Return the best wall-clock and CPU time; the latter hardly minds a busy machine."""
    wall, cpu = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        task()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return min(wall), min(cpu)


def is_source_minus_rows(
    source: Path, output: Path, n_columns: int, first: int = 0
) -> tuple[bool, int]:
    """Compare `output` with `source` minus every third row; return that and the rows' end."""
    lines = source.read_text().split("\n")
    is_row = [len(s.split()) == n_columns for s in lines]
    kept = []
    for line, row in zip(lines, is_row, strict=True):
        if row:
            first += 1
            if (first - 1) % 3 == 0:
                continue
        kept.append(line)
    return output.read_text() == "\n".join(kept), first


def tree_is_lossless(source: Path, output: Path) -> bool:
    first, same = 0, True
    for file in sorted(source.parent.rglob("*_autopick.star"), key=lambda f: f.name):
        equal, first = is_source_minus_rows(
            file, output / file.relative_to(source.parent), 5, first
        )
        same &= equal
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picks", type=int, default=500_000)
    parser.add_argument("--micrographs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    project = Path(tempfile.mkdtemp(prefix="io_roundtrip_"))
    try:
        star = project / "particles.star"
        write_particles(star, particle_rows(args.picks, args.micrographs, rng))
        tree = write_tree(project, args.picks, args.micrographs, rng)
        print(
            f"{args.picks} picks, {args.micrographs} micrographs; "
            f"particles.star {star.stat().st_size / 1e6:.0f} MB, best of {args.repeats}"
        )
        print(f"{'':50} {'ours':>15} {'starfile':>15} {'CPU':>6}  identical")
        print(
            f"{'':50} {'wall':>7} {'CPU':>7} {'wall':>7} {'CPU':>7} {'ratio':>6}  minus rows"
        )
        peers = {"particles.star": starfile_particles, "autopick.star tree": starfile_tree}
        for (name, peer), source in zip(peers.items(), (star, tree), strict=True):
            for with_columns in (False, True):
                out = [project / "out" / f"{source.stem}_{who}" for who in ("ours", "peer")]
                if source is star:
                    out = [o.with_suffix(".star") for o in out]
                    out[0].parent.mkdir(exist_ok=True)
                seconds = [
                    best_times_s(
                        partial(f, source, o, with_columns=with_columns), args.repeats
                    )
                    for f, o in zip((ours, peer), out, strict=True)
                ]
                same = ["", ""]
                if not with_columns:
                    same = [
                        str(
                            is_source_minus_rows(source, o, len(COLUMNS))[0]
                            if source is star
                            else tree_is_lossless(source, o)
                        )
                        for o in out
                    ]
                what = "rows go" + ", 2 columns come" * with_columns
                (wall, cpu), (peer_wall, peer_cpu) = seconds
                print(
                    f"{name + ': ' + what:50} {wall:6.1f}s {cpu:6.1f}s {peer_wall:6.1f}s "
                    f"{peer_cpu:6.1f}s {peer_cpu / cpu:5.1f}x"
                    + ("" if with_columns else f"  ours {same[0]}, starfile {same[1]}")
                )
    finally:
        shutil.rmtree(project)


if __name__ == "__main__":
    main()
