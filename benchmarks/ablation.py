"""What each part of the fine-tuning is worth on EMPIAR-10017: one table over variants.

    python benchmarks/ablation.py --project DIR [--base FILE] [--variants NAME ...] [--workers 2]

A variant is the default settings but for what `VARIANTS` says. Draws and test labels are those
of `fewshot.py`; no setting was chosen by them. A branch whose weight is 0 has no part in the
prediction.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fewshot import DRAW_COLUMNS, add_draw_arguments, draw_line
from grid import grouped, print_table, run_grid
from measures import FIGURES
from methods import Options, run_draw


@dataclass(frozen=True)
class Variant:
    """Settings of the fine-tuning other than the default, and what is done to the labels.

    Parameters
    ----------
    settings : dict
        Fields of `FineTuneSettings`.
    flip_labels : float
        Share of wrong training labels.
    typed : bool
        Whether negatives are contaminant or carbon, not just negatives.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    flip_labels: float = 0.0
    typed: bool = False


VARIANTS = {
    "default": Variant(),
    "first branch only": Variant({"branch_weights": (1.0, 0.0)}),
    "second branch only": Variant({"branch_weights": (0.0, 1.0)}),
    "label smoothing 0.1": Variant({"label_smoothing": 0.1}),
    "from random weights": Variant({"base": "none"}),
    "statistics adapted": Variant({"batch_norm": "adapt"}),
    "statistics adapted, backbone at the full rate": Variant(
        {"batch_norm": "adapt", "backbone_rate": 1.0}
    ),
    "no unlabelled picks": Variant({"n_unlabelled": 0}),
    "all classes as likely": Variant({"prior": "even"}),
    "stem and first stage frozen": Variant({"n_frozen": 5}),
    "all but the last stage frozen": Variant({"n_frozen": 7}),
    "backbone at the full rate": Variant({"backbone_rate": 1.0}),
    "half the learning rate": Variant({"learning_rate": 5e-4}),
    "160 steps": Variant({"n_steps": 160}),
    "10 % of the labels wrong": Variant(flip_labels=0.1),
    "10 % wrong, none left out": Variant({"leave_out_doubtful": False}, flip_labels=0.1),
    "typed negatives": Variant(typed=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_draw_arguments(parser, k=[20])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--base", help="first weights of all variants")
    parser.add_argument("--backbone")
    args = parser.parse_args()
    given = {"device": args.device, "base": args.base, "backbone": args.backbone}
    common = {key: value for key, value in given.items() if value is not None}
    lines = []
    for name in args.variants:
        variant = VARIANTS[name]
        options = Options(args.project, {**common, **variant.settings})
        rows = run_grid(
            partial(run_draw, options),
            [
                {
                    "k": k,
                    "method": "ours",
                    "start": options.start("ours"),
                    "settings": json.dumps(variant.settings, sort_keys=True, default=str),
                    "flip_labels": variant.flip_labels,
                    "typed": variant.typed,
                    "seed": seed,
                }
                for k in args.k
                for seed in range(args.seeds)
            ],
            workers=args.workers,
            output=args.output,
            figures=FIGURES,
        )
        lines += [(k, name, *draw_line(group)) for (k,), group in grouped(rows, "k").items()]
    print_table(("K", "variant", *DRAW_COLUMNS), sorted(lines, key=lambda line: line[0]))


if __name__ == "__main__":
    main()
