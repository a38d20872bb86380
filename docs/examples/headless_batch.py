"""One model on several lists of picks, without a screen: a line for each, and a table.

python docs/examples/headless_batch.py --model model.safetensors --micrographs MotionCorr/job002 \
    --output Pruned AutoPick/job006/autopick.star AutoPick/job009/autopick.star
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import napari_pickeroptimizer as po
from napari_pickeroptimizer.errors import PickerOptimizerError

Row = dict[str, str | int]


def run(
    model: Path,
    micrographs: Path,
    lists: list[Path],
    output: Path,
    settings: po.PruneSettings | None = None,
) -> list[Row]:
    """Prune each list into its own folder; one that cannot be pruned does not stop the others."""
    classifier = po.Classifier.load(model)
    found = po.Micrographs.find(micrographs)
    rows: list[Row] = []
    for number, path in enumerate(lists, start=1):
        try:
            picks = po.read_picks(path)
            folder = output / f"{number:02d}_{path.stem}"
            *_, pruned = po.prune_picks(found, picks, classifier, folder, settings)
        except PickerOptimizerError as error:  # its sentence names the file and what to do
            rows.append({"picks": str(path), "kept": "", "of": "", "said": str(error)})
            continue
        counts, said = pruned.record["counts"], "; ".join(pruned.record["warnings"])
        rows.append(
            {"picks": str(path), "kept": counts["kept"], "of": counts["picks"], "said": said}
        )
    output.mkdir(parents=True, exist_ok=True)
    with (output / "lists.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["picks", "kept", "of", "said"])
        table.writeheader()
        table.writerows(rows)
    return rows


def main() -> None:
    """Prune all lists at one threshold, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "micrographs", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("lists", nargs="+", type=Path)
    given = parser.parse_args()
    settings = po.PruneSettings(threshold=given.threshold)
    for row in run(given.model, given.micrographs, given.lists, given.output, settings):
        print(row["picks"], row["kept"] or "not pruned:", "of" if row["of"] else "", row["of"])
        if row["said"]:
            print("   ", row["said"])


if __name__ == "__main__":
    main()
