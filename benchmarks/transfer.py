r"""Two-step transfer on EMPIAR-10017: the same fine-tuning from different first weights.

    python benchmarks/transfer.py --project DIR --backbone mobilenet_v2 \
        --start "from scratch=none" --start "ImageNet=mobilenet.pth" \
        --start "cryo=cryo.safetensors" --start "ImageNet, then cryo=both.safetensors"

The starts are of one backbone: `imagenet_weights.py` makes a file of ImageNet's weights, and
``pickeroptimizer pretrain --base none`` or ``--base mobilenet.pth`` the other two. Draws,
settings and test labels are those of `fewshot.py`; `--probe` adds a logistic regression on
each start's features as they are.
"""

from __future__ import annotations

import argparse
from functools import partial

from fewshot import DRAW_COLUMNS, add_draw_arguments, draw_line
from grid import grouped, print_table, run_grid
from measures import FIGURES
from methods import Options, run_draw


def named_start(text: str) -> tuple[str, str]:
    """Return name and base of ``NAME=BASE``."""
    name, _, base = text.partition("=")
    if not (name and base):
        raise argparse.ArgumentTypeError(f"expected NAME=BASE, got {text!r}")
    return name, base


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_draw_arguments(parser, k=[20])
    parser.add_argument("--start", action="append", type=named_start, required=True)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--probe", action="store_true")
    args = parser.parse_args()
    lines = []
    for name, base in args.start:
        options = Options(
            args.project, {"device": args.device, "backbone": args.backbone, "base": base}
        )
        for method in ("ours", "probe") if args.probe else ("ours",):
            rows = run_grid(
                partial(run_draw, options),
                [
                    {"k": k, "method": method, "start": options.start(method), "seed": seed}
                    for k in args.k
                    for seed in range(args.seeds)
                ],
                workers=args.workers,
                output=args.output,
                figures=FIGURES,
            )
            lines += [
                (k, name, method, *draw_line(group))
                for (k,), group in grouped(rows, "k").items()
            ]
    print_table(("K", "start", "method", *DRAW_COLUMNS), sorted(lines, key=lambda r: r[0]))
    print(f"\nbackbone {args.backbone}")


if __name__ == "__main__":
    main()
