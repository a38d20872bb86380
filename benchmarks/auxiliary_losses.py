"""Does an auxiliary loss help the fine-tuning? Compared without a change to the package.

    python benchmarks/auxiliary_losses.py --targets DIR [--only TARGET ...] [--seeds 3]
                                          [--base DATA=FILE] [--workers 2] [--output FILE.json]

Beside the cross-entropy of both branches, the network learns one task more from the same views of
the labels, by the mean of its feature map:

- *contrastive*: labels of a class lie closer to each other than to those of the others (the
  supervised contrastive loss of P. Khosla et al., NeurIPS 2020, at a temperature of 0.1);
- *centring*: where in a view of a particle its centre is, in box sides, by a linear layer;
- *hardness*: not a task but a weight, (1 - p)^2, so that what is known no longer counts (the
  focal loss of T.-Y. Lin et al., ICCV 2017).

Targets and draws are those of `targets.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from grid import Job, Row, add_grid_arguments, grouped, run_grid
from targets import add_base_argument, all_targets, print_comparison
from targets import run_draw as run_plain_draw
from torch import nn
from torch.nn import functional

from napari_pickeroptimizer.boxes import Windows, render
from napari_pickeroptimizer.fewshot import augment, train
from napari_pickeroptimizer.model.network import TwoBranchNet

ONLY = (
    "empiar10017 hand topaz",
    "empiar10028 blobs blobs",
    "empiar10017 off_centre off_centre",
    "sim_3sn6 typed picks",
    "sim_pdb3enl typed picks",
)
TEMPERATURE = 0.1
FOCUS = 2.0
VARIANTS: dict[str, tuple[str, float]] = {
    "none": ("", 0.0),
    "contrastive, 0.1": ("contrastive", 0.1),
    "contrastive, 0.5": ("contrastive", 0.5),
    "centring, 1": ("centring", 1.0),
    "hardness": ("hardness", 1.0),
}

Loss = Callable[..., tuple[torch.Tensor, torch.Tensor]]


class Seen:
    """What the last step saw: features of its views, and the centres of the labels in them."""

    features: torch.Tensor
    centres: torch.Tensor


def contrastive(features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the supervised contrastive loss of (b, c) features."""
    directions = functional.normalize(features, dim=1)
    alike = directions @ directions.T / TEMPERATURE
    itself = torch.eye(len(alike), dtype=torch.bool, device=alike.device)
    alike = alike.masked_fill(itself, -torch.inf)
    log_share = alike - alike.logsumexp(dim=1, keepdim=True)
    same = (targets[:, None] == targets) & ~itself
    log_share = log_share.masked_fill(~same, 0)
    return -(log_share.sum(dim=1) / same.sum(dim=1).clamp(min=1)).mean()


@contextmanager
def auxiliary(name: str, weight: float) -> Iterator[None]:
    """Train with one task more."""
    seen, plain = Seen(), train.multi_loss
    heads: list[nn.Linear] = []

    def forward(network: TwoBranchNet, boxes: torch.Tensor) -> torch.Tensor:
        logits, seen.features = network.logits_and_features(boxes)
        return logits

    def rendered(windows: Windows, box_px: int, matrices: torch.Tensor) -> torch.Tensor:
        turned = torch.linalg.inv(matrices[:, :, :2])
        seen.centres = -(turned @ matrices[:, :, 2:])[:, :, 0] / box_px
        return render(windows, box_px, matrices)

    def loss(
        logits: torch.Tensor, targets: torch.Tensor, *args: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        total, by_branch = plain(logits, targets, *args)
        features = seen.features[: len(targets)]
        if name == "contrastive":
            total = total + weight * contrastive(features, targets)
        elif name == "centring":
            is_particle = targets == 0
            offset = head(features[is_particle]) - seen.centres[: len(targets)][is_particle]
            total = total + weight * offset.square().mean() / seen.centres.var()
        elif name == "hardness":
            total = torch.zeros((), device=logits.device)
            for branch in logits:
                entropy = functional.cross_entropy(branch, targets, reduction="none")
                total = total + ((1 - torch.exp(-entropy)) ** FOCUS * entropy).mean()
        return total, by_branch

    def head(features: torch.Tensor) -> torch.Tensor:
        return heads[0](features)

    groups = train.parameter_groups

    def with_head(network: TwoBranchNet, settings: Any) -> list[dict[str, Any]]:
        heads[:] = [nn.Linear(network.linear.in_features, 2)]
        nn.init.zeros_(heads[0].weight)
        rate = settings.learning_rate
        more = {"params": list(heads[0].parameters()), "lr": rate}
        return [*groups(network, settings), *([more] if name == "centring" else [])]

    with (
        patch.object(TwoBranchNet, "forward", forward),
        patch.object(augment, "render", rendered),
        patch.object(train, "multi_loss", loss),
        patch.object(train, "parameter_groups", with_head),
    ):
        yield


def run_draw(root: Path, job: Job) -> Row:
    """Return the figures of one variant on one draw of one target."""
    with auxiliary(*VARIANTS[job["variant"]]):
        return run_plain_draw(root, job)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(ONLY), help="by their whole names")
    add_base_argument(parser)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    args = parser.parse_args()
    bases = dict(args.base)
    jobs: list[Job] = [
        {"data": t.data, "pool": t.pool, "picks": t.picks, "k": args.k, "variant": variant,
         "settings": f'{{"base": "{bases[t.data]}"}}' if t.data in bases else "{}",
         "seed": seed}
        for seed in range(args.first_seed, args.first_seed + args.seeds)
        for variant in VARIANTS
        for t in all_targets()
        if t.name in args.only
    ]  # fmt: skip
    rows = run_grid(
        partial(run_draw, args.targets),
        jobs,
        workers=args.workers,
        output=args.output,
        figures=("auc", "f1_particle"),
    )
    for _, group in grouped(rows, "k").items():
        for figure in ("auc", "f1_particle"):
            print_comparison(group, figure)


if __name__ == "__main__":
    main()
