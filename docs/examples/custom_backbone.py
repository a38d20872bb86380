"""Another network, or another base: which ranks held-out labels best?

python docs/examples/custom_backbone.py --micrographs MotionCorr/job002 --labels labels.star \
    --picks AutoPick/job006/autopick.star --diameter-angstrom 150 \
    bundled none:mobilenet_v3_small my_base.safetensors

A candidate is a base, as of `finetune --base`, and perhaps the name of a backbone. All are trained
with the same folds, so that the figures can be compared; with forty labels, a difference of two
or three of them is chance.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import napari_pickeroptimizer as po


def run(
    micrographs: po.Micrographs,
    labels: po.Picks,
    picks: po.Picks | None,
    candidates: list[str],
    settings: po.FineTuneSettings,
) -> dict[str, tuple[float, po.Classifier]]:
    """Return the accuracy on held-out labels, and the model, of each ``BASE[:BACKBONE]``."""
    found = {}
    for candidate in candidates:
        base, _, backbone = candidate.partition(":")
        own = replace(settings, base=base, backbone=backbone or None)
        *_, last = po.finetune(micrographs, labels, own, picks)
        found[candidate] = (float(last.validation.accuracy), last.model)
    return found


def main() -> None:
    """Compare the candidates, and save the best model."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("micrographs", "labels", "picks"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--diameter-angstrom", type=float, required=True)
    parser.add_argument("--output", type=Path, default=Path("best.safetensors"))
    parser.add_argument("candidates", nargs="+")
    given = parser.parse_args()
    found = run(
        po.Micrographs.find(given.micrographs),
        po.read_picks(given.labels),
        po.read_picks(given.picks),
        given.candidates,
        po.FineTuneSettings(diameter_ang=given.diameter_angstrom),
    )
    for candidate, (accuracy, _) in found.items():
        print(f"{accuracy:6.1%}  {candidate}")
    best = max(found, key=lambda name: found[name][0])
    found[best][1].save(given.output)
    print(f"{best} is saved as {given.output}")


if __name__ == "__main__":
    main()
