"""Tables of measured figures, from the files of ``benchmarks/results``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from marked_tables import table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
Row = dict[str, Any]

TARGETS = {
    ("empiar10017", "hand"): "EMPIAR-10017, hand labels",
    ("empiar10028", "blobs"): "EMPIAR-10028, blob detector",
    ("empiar10017", "off_centre"): "EMPIAR-10017, off-centre",
    ("empiar10028", "off_centre"): "EMPIAR-10028, off-centre",
    ("empiar10059", "off_centre"): "EMPIAR-10059, off-centre",
    ("sim_1igy", "typed"): "1IGY, simulated",
    ("sim_3sn6", "typed"): "3SN6, simulated",
    ("sim_4zxb", "typed"): "4ZXB, simulated",
    ("sim_1aon", "typed"): "1AON, simulated",
    ("sim_pdb3enl", "typed"): "3ENL, simulated",
    ("sim_1y1v", "typed"): "1Y1V, simulated",
}
METHODS = {
    "default": "default",
    "version before": "version before",
    "frozen probe": "frozen probe",
    "Topaz probe": "Topaz probe",
    "radial profiles": "radial profiles",
    "reference recipe": "reference",
}
LISTS = ("topaz", "deepPicker", "gautomatch", "crYOLO", "casper", "cryolo")
VIEWS = {
    "none": "no known carbon",
    "1": "**the box**",
    "2": "2 sides",
    "3": "3 sides",
    "1+2": "the box and 2 sides",
    "1+3": "the box and 3 sides",
    "1+2+3": "all three",
}


@cache
def read(name: str) -> Any:
    """Return a file of the results."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def known(values: Iterable[float | None]) -> list[float]:
    """Return the values of the draws that have one."""
    return [value for value in values if value is not None]


def mean_worst(values: list[float], digits: int = 4) -> str:
    """Return ``0.9938 (0.988)``."""
    return f"{fmean(values):.{digits}f} ({min(values):.3f})"


def percent(values: Iterable[float | None], *, worst: bool = True) -> str:
    """Return ``89.8 % (70.8 %)``, and nothing without values."""
    values = known(values)
    if not values:
        return ""
    mean = f"{100 * fmean(values):.1f} %"
    return f"{mean} ({100 * min(values):.1f} %)" if worst else mean


# ------------------------------------------------------------------ targets


def targets(
    variant: str, k: int, figure: str, name: str = "targets"
) -> dict[tuple[str, str], list[float]]:
    """Return the draws of a figure, by target."""
    return {
        (row["data"], row["pool"]): row[figure]
        for row in read(name)
        if row["variant"] == variant and row["k"] == k
    }


def target_table(figure: str) -> str:
    """Return mean (worst) of all methods on all targets."""
    found = {method: targets(method, 20, figure) for method in METHODS}
    lines = []
    for target, name in TARGETS.items():
        means = {m: round(fmean(of[target]), 4) for m, of in found.items() if target in of}
        best = max(means.values())
        cells = []
        for method, of in found.items():
            text = mean_worst(of[target]) if target in of else ""
            if means.get(method) == best:
                text = text.replace(f"{best:.4f}", f"**{best:.4f}**")
            cells.append(text)
        lines.append([name, *cells])
    whole = [
        f"{fmean(map(fmean, of.values())):.4f}" if len(of) == len(TARGETS) else ""
        for of in found.values()
    ]
    return table(["target", *METHODS.values()], [*lines, ["mean of the targets", *whole]])


def few_table() -> str:
    """Return the AUC with fewer and with more labels."""
    columns = [("default", 5), ("default", 10), ("default", 50)]
    columns += [("frozen probe", 5), ("frozen probe", 50)]
    found = [targets(variant, k, "auc") for variant, k in columns]
    lines = [
        [name, *(mean_worst(of[target]) for of in found)] for target, name in TARGETS.items()
    ]
    whole = [f"{fmean(map(fmean, of.values())):.4f}" for of in found]
    header = ["target", "K = 5", "K = 10", "K = 50", "frozen probe, K = 5", "K = 50"]
    return table(header, [*lines, ["mean of the targets", *whole]])


def against_table(name: str, first: str, variants: dict[str, str]) -> str:
    """Return variants against the first one, on the draws that all have, of a file of results."""
    draws = {
        (variant, figure): targets(variant, 20, figure, name)
        for variant in variants.values()
        for figure in ("auc", "f1_particle")
    }
    n = min(len(values) for by_target in draws.values() for values in by_target.values())
    means = {key: {t: fmean(v[:n]) for t, v in of.items()} for key, of in draws.items()}
    lines = []
    for printed, variant in variants.items():
        cells = []
        for figure in ("auc", "f1_particle"):
            of, of_first = means[variant, figure], means[variants[first], figure]
            worst = f"{min(of[t] - of_first[t] for t in of):+.4f}".replace("-", "−")
            cells += [f"{fmean(of.values()):.4f}", "" if printed == first else worst]
        lines.append([f"**{printed}**" if printed == first else printed, *cells])
    worst_of = f"worst against {first}"
    return table(("variant", "AUC", worst_of, "particle F1", worst_of), lines)


def branches_table() -> str:
    """Return both branches against one alone."""
    variants = {
        "both": "default",
        "first alone": "first branch only",
        "second alone": "second branch only",
    }
    return against_table("targets", "both", variants)


def auxiliary_table() -> str:
    """Return auxiliary losses against none."""
    variants = list(dict.fromkeys(row["variant"] for row in read("auxiliary_losses")))
    return against_table("auxiliary_losses", "none", {name: name for name in variants})


def classes_table() -> str:
    """Return accuracy and macro F1 of the typed classes of simulated proteins."""
    variants = {
        "default": "default",
        "frozen probe": "frozen probe",
        "radial profiles": "radial",
    }
    figures = {"accuracy": "accuracy", "f1_classes": "macro F1"}
    found = {
        f"{printed}: {name}": targets(variant, 20, figure, "classes")
        for variant, printed in variants.items()
        for figure, name in figures.items()
    }
    lines = [
        [TARGETS[target], *(mean_worst(of[target], 3) for of in found.values())]
        for target in found["default: accuracy"]
    ]
    whole = [f"{fmean(map(fmean, of.values())):.3f}" for of in found.values()]
    return table(["target", *found], [*lines, ["mean of the targets", *whole]])


# ------------------------------------------------------- draws of EMPIAR-10017


def fewshot_table() -> str:
    """Return the figures of the fine-tuning on the draws of hand labels."""
    lines = [
        [
            str(row["k"]),
            f"{fmean(row['auc']):.4f}",
            f"{min(row['auc']):.4f}",
            *(f"{fmean(row[figure]):.4f}" for figure in ("f1_particle", "f1_macro", "ece")),
            str(len(row["seeds"])),
        ]
        for row in sorted(read("fewshot"), key=lambda row: -row["k"])
    ]
    header = ("K", "AUC mean", "AUC worst", "F1 particle", "F1 macro", "ECE", "draws")
    return table(header, lines)


def calibration_table() -> str:
    """Return F1 and calibration error with and without calibration by the labels."""
    (row,) = (row for row in read("fewshot") if row["folds"])
    lines = []
    for name, suffix in (
        ("network and class prior only (`--folds 0`)", "_uncalibrated"),
        ("calibrated by the labels (default)", ""),
    ):
        f1, error = row[f"f1_particle{suffix}"], row[f"ece{suffix}"]
        figures = (fmean(f1), min(f1), fmean(error), max(error))
        lines.append([name, *(f"{figure:.4f}" for figure in figures)])
    return table(("probabilities", "F1 particle", "worst", "ECE", "worst"), lines)


# ------------------------------------------------------------------ forecasts


def substitute_table() -> str:
    """Return how often forecasts hold, in brackets as if labels were independent."""
    columns = ("precision covered", "width", "error", "recall covered", "width 7", "error 8")
    rows = {(row["target"], row["forecast"]): row for row in read("forecasts_substitute")}
    lines = []
    for target in dict.fromkeys(target for target, _ in rows):
        cells = []
        for column in columns:
            text = rows[target, "as it is"][column].replace("-", "−")
            other = rows[target, "labels independent"][column]
            if not column.startswith("error"):
                text = f"{text} ({other})".replace("%", " %")
            cells.append(text)
        data, pool, *_ = [*target.split(), ""]
        lines.append([TARGETS.get((data, pool), "**all**"), *cells])
    header = ("precision covered", "width", "error", "recall covered", "width", "error")
    return table(("target", *header), lines)


def fine_tuned_table() -> str:
    """Return how often forecasts of the fine-tuning itself hold."""
    (row,) = (
        row
        for row in read("forecasts")
        if row["target"] == "all" and row["forecast"] == "as it is"
    )
    lines = [
        [name, row[f"{name} covered"].replace("%", " %"), row[width]]
        for name, width in (("precision", "width"), ("recall", "width 7"))
    ]
    return table(("interval of the", "holds in", "width"), lines)


# --------------------------------------------------------------------- carbon


def carbon_table() -> str:
    """Return what is removed and kept of the lists of six pickers."""
    ours, without = sorted(read("carbon"), key=lambda row: row["variant"] != "default")
    lines = []
    for name in LISTS:
        removed = percent(ours[f"{name} carbon_removed"])
        lines.append([
            name,
            f"**{removed.replace(' (', '** (')}" if removed else "none there",
            percent(without[f"{name} carbon_removed"]),
            percent(ours[f"{name} fringe_removed"], worst=False) or "none there",
            percent(ours[f"{name} ice_removed"], worst=False),
            percent(ours[f"{name} confirmed_kept"]),
            percent(without[f"{name} confirmed_kept"], worst=False),
        ])  # fmt: skip
    header = ("list", "on carbon, removed", "without known carbon", "fringe", "in ice",
              "expert-confirmed off them, kept", "without")  # fmt: skip
    return table(header, lines)


def wider_table() -> str:
    """Return what wider views of the surroundings change."""
    (row,) = read("wider_view")
    elsewhere = read("wider_view_elsewhere")
    lines = []
    for view, name in VIEWS.items():
        kept = min(fmean(known(row[f"{view} {of} kept"])) for of in LISTS)
        means = [fmean(r[f"{view} auc"]) for r in elsewhere]
        box = [fmean(r["1 auc"]) for r in elsewhere]
        worst = min(a - b for a, b in zip(means, box, strict=True))
        lines.append([
            name,
            *(percent(row[f"{view} {of} removed"], worst=False) for of in LISTS[:3]),
            f"{100 * kept:.1f} %",
            f"{fmean(row[f'{view} auc']):.4f}",
            f"{fmean(means):.4f}",
            "" if view in ("none", "1") else f"{worst:+.3f}".replace("-", "−"),
        ])  # fmt: skip
    header = ("view", *LISTS[:3], "kept, least of six lists", "AUC", "AUC, ten targets",
              "worst target")  # fmt: skip
    return table(header, lines)


# --------------------------------------------------------------- frame, demo


def frame_table() -> str:
    """Return the planted mistakes that the frame check finds."""
    lines = [
        [row["mistake"], row["lists"], row["told"], row["least sigma"]]
        for row in read("frame_check")
    ]
    return table(("mistake", "lists", "told, and named rightly", "least σ"), lines)


def turned_table() -> str:
    """Return what is left of four turned views where clear picks get one."""
    lines = []
    for row in read("views"):
        data, pool, _ = row["target"].split()
        change = [auto - four for auto, four in zip(row["AUC auto"], row["AUC"], strict=True)]
        same = (percent(row[f"same at {at}"], worst=False) for at in (0.5, 0.95))
        lines.append(
            (
                TARGETS[data, pool],
                f"{fmean(row['views']):.1f}",
                f"{fmean(row['AUC']):.4f}",
                f"{fmean(change):+.4f} ({min(change):+.4f})".replace("-", "−"),
                f"{fmean(row['F1']):.3f}, {fmean(row['F1 auto']):.3f}",
                ", ".join(same),
                f"{fmean(row['loss']):.3f}, {fmean(row['loss auto']):.3f}",
            )
        )
    columns = (
        "target", "views a pick", "AUC, four views", "change (worst draw)",
        "F1: four, `auto`", "same decision at 0.5, 0.95", "log loss: four, `auto`",
    )  # fmt: skip
    return table(columns, lines)


def demo_table() -> str:
    """Return precision and recall of the demo, before and after, and what was expected."""
    demo = read("demo")
    found, expected = demo["evaluate --json"], demo["run.json: expectation"]
    lines = [
        [when, *(f"{100 * found[when][figure]:.1f} %" for figure in ("precision", "recall"))]
        for when in ("before", "after")
    ]
    true = (found["after"]["precision"], found["kept_true"])
    lines.append(["after, of the particles that were picked", *(f"{v:.3f}" for v in true)])
    lines.append([
        "this was expected as",
        *(
            "{mean:.2f} ({low:.2f}–{high:.2f})".format(**expected[figure])
            for figure in ("precision", "recall")
        ),
    ])  # fmt: skip
    return table(("", "precision", "recall"), lines)


# ------------------------------------------------------------------ scale


def linear_table() -> str:
    """Return time and memory of scoring, by the number of micrographs."""
    lines = [
        [
            f"{row['micrographs']:,}",
            f"{row['cpu']:.1f} s",
            f"{1000 * row['cpu each']:.0f} ms" if "cpu each" in row else "",
            f"{row['seconds']:.0f} s",
            f"{row['mib']:,.0f} MiB",
        ]
        for row in read("linear")
    ]
    header = ["micrographs", "CPU", "CPU of each further one", "wall clock", "peak memory"]
    return table(header, lines)


def decide_table() -> str:
    """Return time and memory of decisions on a million picks."""
    lines = [
        [f"`{row['command']}`", f"{row['cpu']:.1f} s", f"{row['seconds']:.0f} s",
         f"{row['mib']:,.0f} MiB"]
        for row in read("decide")
    ]  # fmt: skip
    return table(["command", "CPU", "wall clock", "peak memory"], lines)


def throughput_table() -> str:
    """Return picks a second, and peak memory, of programs and of the reference recipe."""
    row: Row = read("throughput")  # type: ignore[assignment]
    cells = []
    for name, words in (
        ("prune", "`prune`, with its report"),
        ("score, auto", "`score`"),
        ("score, 4 views", "`score --views 4`"),
    ):
        rates = [f"{row['picks'] / row[name][clock]:.0f}" for clock in ("wall", "cpu")]
        cells.append([words, *rates, f"{row[name]['MiB']:,.0f} MiB"])
    for name, words in (
        ("one at a time", "reference recipe, one MRC a box, one at a time"),
        ("batched", "reference recipe, batches of 32 from memory"),
    ):
        cells.append([words, *(f"{rate:.0f}" for rate in row["reference"][name]), ""])
    return table(
        ("picks, from start to end", "a second", "a CPU second", "peak memory, at most"), cells
    )
