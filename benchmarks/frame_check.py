"""The frame check on real and simulated picks, right ones and with planted mistakes.

    python benchmarks/frame_check.py --targets DIR [--only NAME ...] [--project DIR]
                                     [--samples 20]

DIR is made by `make_targets.py`: every pick list of every target is checked as it is, and with
each mistake planted: rows or columns counted from the other end, x and y swapped, picked on a copy
binned by two (or by a half), and corners of boxes of three sizes in place of centres, or half a box
side added twice. ``--project`` is a project of `tools/make_empiar10017.py`, with micrographs of
full size. ``--samples`` draws that many small sets of 20 picks from each list too, as labels are.
The printed contrast is the least of any list; the time is that of a check from the files.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from grid import print_table
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.image_frame.check import other_frame
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.reading import MicrographRows, group_by_micrograph

Points = NDArray[np.float64]
Planted = Callable[[Points, tuple[int, int], float], Points]
HALF_BOXES = (0.5, 0.75, 1.0)  # in diameters

# How the picks are made wrong, and how the frame that undoes it is called.
MISTAKES: dict[str, tuple[Planted, str]] = {
    "y flipped": (
        lambda p, s, d: np.stack([s[0] - 1 - p[:, 0], p[:, 1]], axis=1),
        "with y counted from the other end",
    ),
    "x flipped": (
        lambda p, s, d: np.stack([p[:, 0], s[1] - 1 - p[:, 1]], axis=1),
        "with x counted from the other end",
    ),
    "both flipped": (
        lambda p, s, d: np.asarray(s) - 1 - p,
        "with x and y counted from the other end",
    ),
    "swapped": (lambda p, s, d: p[:, ::-1], "with x and y swapped"),
    "binned by 2": (lambda p, s, d: (p + 0.5) / 2 - 0.5, "multiplied by 2"),
    "times 2": (lambda p, s, d: (p + 0.5) * 2 - 0.5, "multiplied by 1/2"),
}
for half in HALF_BOXES:
    MISTAKES[f"corner, box {2 * half:g} d"] = (
        lambda p, s, d, h=half: p - h * d,  # type: ignore[misc]
        "moved by +",
    )
    MISTAKES[f"added twice, {2 * half:g} d"] = (
        lambda p, s, d, h=half: p + h * d,  # type: ignore[misc]
        "moved by -",
    )


def cases(
    targets: Path, only: list[str] | None, project: Path | None
) -> Iterator[tuple[str, Path, Path, BoxSettings]]:
    """Yield name, picks, micrographs and diameter of every list."""
    for folder in sorted(targets.iterdir()):
        if only and folder.name not in only:
            continue
        described = json.loads((folder / "dataset.json").read_text())
        settings = BoxSettings(diameter_px=described["diameter_px"])
        for path in sorted((folder / "lists").glob("*.star")):
            yield (
                f"{folder.name} {path.stem}",
                path,
                folder / described["micrographs"],
                settings,
            )
    if project is not None:
        files = [*sorted(project.glob("*_particles.star")), project / "truth.star"]
        for path in files:
            settings = BoxSettings(diameter_px=108)
            yield f"{project.name} {path.stem}", path, project / "micrographs.star", settings


def checked(
    groups: list[MicrographRows], coords: Points, settings: BoxSettings, mistake: str
) -> OtherFrameFits | None:
    """Return what the check says of picks with a mistake."""
    wrong = coords.copy()
    if mistake != "none":
        for group in groups:
            assert group.micrograph is not None
            shape, diameter = group.micrograph.shape_px(), settings.diameter_in(None)
            wrong[group.rows] = MISTAKES[mistake][0](coords[group.rows], shape, diameter)
    return other_frame(groups, wrong, settings)


def sample(groups: list[MicrographRows], rng: np.random.Generator) -> list[MicrographRows]:
    """Return 20 picks of three micrographs, as labels might be."""
    chosen = rng.choice(len(groups), min(3, len(groups)), replace=False)
    rows = np.concatenate([groups[i].rows for i in chosen])
    rows = np.sort(rng.choice(rows, min(20, len(rows)), replace=False))
    return [
        MicrographRows(g.name, g.micrograph, np.intersect1d(g.rows, rows))
        for g in (groups[i] for i in chosen)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--samples", type=int, default=20)
    arguments = parser.parse_args()
    said: dict[str, list[OtherFrameFits | None]] = {m: [] for m in ("none", *MISTAKES)}
    of_samples: dict[str, list[bool]] = {"none": [], "y flipped": []}
    seconds: list[float] = []
    failures = []
    rng = np.random.default_rng(0)
    for name, path, where, settings in cases(
        arguments.targets, arguments.only, arguments.project
    ):
        picks = read_picks(path)
        groups = group_by_micrograph(Micrographs.find(where), picks)
        groups = [g for g in groups if g.micrograph is not None]
        coords = picks.coords_yx_px()
        for mistake, found in said.items():
            started = time.perf_counter()
            result = checked(groups, coords, settings, mistake)
            if mistake == "none":
                seconds.append(time.perf_counter() - started)
            found.append(result)
            is_right = (
                result is None
                if mistake == "none"
                else result is not None and result.frame.startswith(MISTAKES[mistake][1])
            )
            if not is_right:
                failures.append(f"{name} ({mistake}): {result}")
        for _ in range(arguments.samples):
            few = sample(groups, rng)
            for mistake, results in of_samples.items():
                results.append(checked(few, coords, settings, mistake) is not None)
    lines: list[list[object]] = []
    for mistake, found in said.items():
        told = [f for f in found if f is not None]
        contrast = f"{min(abs(f.contrast) for f in told):.2f}" if told else ""
        sigma = f"{min(f.sigma for f in told):.1f}" if told else ""
        lines.append([mistake, len(found), len(told), contrast, sigma])
    print_table(("mistake", "lists", "told", "least contrast", "least sigma"), lines)
    for mistake, results in of_samples.items():
        if results:
            print(f"20 picks, {mistake}: told in {sum(results)} of {len(results)} samples")
    print(
        f"seconds a check of right picks: {np.mean(seconds):.2f}, at most {max(seconds):.2f}"
    )
    print("\n".join(failures) or "nothing missed, no false alarm, every mistake named")


if __name__ == "__main__":
    main()
