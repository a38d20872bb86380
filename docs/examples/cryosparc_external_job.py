"""An external job of cryoSPARC: picks and micrographs in, kept and rejected picks out.

python docs/examples/cryosparc_external_job.py --url http://localhost:39000 --project P3 \
    --workspace W1 --picks J12.particles --micrographs J8.exposures \
    --model model.safetensors --output pruned_J12

Run it where the project folder can be read, after `python -m cryosparc.tools login`. It needs
cryosparc-tools 5, of the same version as cryoSPARC.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import napari_pickeroptimizer as po
from napari_pickeroptimizer.errors import MicrographNotFoundError

UNSCORED, KEPT = 0, 1


def prune_table(
    table: np.ndarray,
    project_folder: Path,
    model: Path,
    output: Path,
    settings: po.PruneSettings | None = None,
    pixel_size_ang: float | None = None,
) -> np.ndarray:
    """Prune the picks of a table of cryoSPARC, whose paths are relative to the project folder.

    Returns the (n,) class of each row: 1 is kept, 0 could not be scored (its micrograph is
    missing, or the pick lies outside), others are rejected. `output` gets the files of a
    pruning: ``scored.star`` with the probabilities, ``run.json``, and so on.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picks.cs"
        with path.open("wb") as file:
            np.save(file, table, allow_pickle=False)
        picks = po.read_picks(path)
    names = sorted(set(picks.table["micrograph"]))
    files = [project_folder / name for name in names if (project_folder / name).is_file()]
    if not files:
        raise MicrographNotFoundError(
            f"{names[0]} is not in the project folder {project_folder}."
        )
    micrographs = po.Micrographs.find(files, pixel_size_ang=pixel_size_ang)
    classifier = po.Classifier.load(model)
    *_, pruned = po.prune_picks(micrographs, picks, classifier, output, settings)
    for sentence in pruned.record["warnings"]:
        print(sentence)
    classes = np.zeros(len(table), dtype=np.int8)
    rows = pruned.picks.table["source_row"].to_numpy(dtype=int)
    classes[rows] = pruned.picks.table["predicted"].to_numpy()
    return classes


def process(
    job: Any,
    project_folder: Path,
    model: Path,
    output: Path,
    settings: po.PruneSettings | None = None,
) -> dict[str, int]:
    """Prune what is connected to an external job, and save its outputs; return their counts."""
    parts = {
        "kept": "Kept picks",
        "rejected": "Rejected picks",
        "unscored": "Picks not scored",
    }
    for name, title in parts.items():
        # all other slots of the input (pick_stats, ctf, ...) pass through by uid
        job.add_output(
            "particle", name=name, slots=["location"], passthrough="particles", title=title
        )
    with job.run():
        particles = job.load_input("particles", slots=["location", "pick_stats"])
        exposures = job.load_input("micrographs", slots=["micrograph_blob"])
        sizes = {float(size) for size in exposures["micrograph_blob/psize_A"]}
        classes = prune_table(
            particles.to_records(fixed=True),
            project_folder,
            model,
            output,
            settings,
            sizes.pop() if len(sizes) == 1 else None,
        )
        chosen = {
            "kept": classes == KEPT,
            "rejected": classes > KEPT,
            "unscored": classes == UNSCORED,
        }
        for name, mask in chosen.items():
            part = particles.mask(mask).filter_prefixes(["location"], copy=True)
            job.save_output(name, part)
        counts = {name: int(mask.sum()) for name, mask in chosen.items()}
        job.log(", ".join(f"{n} {name}" for name, n in counts.items()))
        for name in ("scored.star", "run.json"):
            job.upload(name, output / name, overwrite=True)
    return counts


def main() -> None:
    """Connect, make the external job with its two inputs, and process it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("url", "project", "workspace", "picks", "micrographs"):
        parser.add_argument(f"--{option}", required=True)
    for option in ("model", "output"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.5)
    given = parser.parse_args()

    from cryosparc.tools import CryoSPARC

    project = CryoSPARC(given.url).find_project(given.project)
    job = project.create_external_job(given.workspace, title="Pruned picks")
    picks_job, picks_output = given.picks.split(".")
    job.connect("particles", picks_job, picks_output, slots=["location", "pick_stats"])
    exposures_job, exposures_output = given.micrographs.split(".")
    job.connect("micrographs", exposures_job, exposures_output, slots=["micrograph_blob"])
    settings = po.PruneSettings(threshold=given.threshold)
    counts = process(job, Path(project.dir), given.model, given.output, settings)
    print(f"{job.project_uid} {job.uid}:", counts)


if __name__ == "__main__":
    main()
