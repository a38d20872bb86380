"""Figures that running text names, from ``benchmarks/results``.

A page holds them between comments, ``AUC <!-- figure: hand AUC -->0.994<!-- / -->``, and
`update_results.py` fills them in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from statistics import fmean

import label_tables
import result_tables as tables

HAND = ("empiar10017", "hand")
OFF_CENTRE = [("empiar10017", "off_centre"), ("empiar10059", "off_centre")]
CARBON_LISTS = tables.LISTS[:3]  # the pickers that have picks on carbon
WEIGHTS = tables.ROOT / "src/napari_pickeroptimizer/model/bundled.safetensors"


def target_mean(figure: str, target: tuple[str, str] | None = None, k: int = 20) -> float:
    """Return the mean of one target, or that of the means of all."""
    of = tables.targets("default", k, figure)
    return fmean(of[target]) if target else fmean(map(fmean, of.values()))


def best_on(figure: str, method: str) -> str:
    """Return on how many targets a method is best, as far as four digits tell."""
    n = 0
    for target in tables.TARGETS:
        of = {m: tables.targets(m, 20, figure).get(target) for m in tables.METHODS}
        means = {m: round(fmean(values), 4) for m, values in of.items() if values}
        n += means[method] == max(means.values())
    return str(n)


def branches_f1(variant: str) -> str:
    """Return the particle F1 with one branch or both, on the draws that both have."""
    of = tables.targets(variant, 20, "f1_particle")
    n = min(map(len, tables.targets("first branch only", 20, "f1_particle").values()))
    return f"{fmean(fmean(values[:n]) for values in of.values()):.4f}"


def typed(figure: str, variant: str = "default") -> float:
    """Return a figure of the typed classes of simulated proteins."""
    of = tables.targets(variant, 20, figure, "classes")
    return fmean(map(fmean, of.values()))


# --------------------------------------------------------------------- carbon


def carbon(variant: str) -> tables.Row:
    """Return the row with or without known carbon."""
    rows = tables.read("carbon")
    return next(r for r in rows if (r["variant"] == "default") == (variant == "default"))


def removed(name: str, variant: str = "default") -> float:
    """Return the percentage of a list's picks on carbon that is removed."""
    return 100 * fmean(tables.known(carbon(variant)[f"{name} carbon_removed"]))


def kept(name: str) -> float:
    """Return the percentage of a list's confirmed particles that is kept."""
    return 100 * fmean(carbon("default")[f"{name} confirmed_kept"])


def span(values: Iterable[float], digits: int = 1) -> str:
    """Return ``83.7 to 94.1``."""
    of = list(values)
    return f"{min(of):.{digits}f} to {max(of):.{digits}f}"


# ------------------------------------------------------------------ forecasts


def forecast(name: str, target: str = "all") -> tables.Row:
    """Return the row of a target in a file of forecasts."""
    return next(
        row
        for row in tables.read(name)
        if row["target"] == target and row["forecast"] == "as it is"
    )


def forecasts(name: str) -> list[tables.Row]:
    """Return the rows of all targets in a file of forecasts."""
    return [
        row
        for row in tables.read(name)
        if row["target"] != "all" and row["forecast"] == "as it is"
    ]


def of_substitute(column: str) -> str:
    """Return a figure of the substitute on hand labels, with three digits."""
    return f"{float(forecast('forecasts_substitute', 'empiar10017 hand topaz')[column]):.3f}"


def clear_of_10059(column: str) -> str:
    """Return a figure of clear cases where the classes overlap most."""
    found: str = forecast("forecasts_clear", "empiar10059 off_centre off_centre")[column]
    return found


def number(percentage: str) -> str:
    """Return ``96.7`` of ``96.7%``."""
    return percentage.rstrip("%")


def least_covered(name: str, column: str, *, but: str = "") -> str:
    """Return how often the intervals hold on the target where they hold least."""
    rows = [row for row in forecasts(name) if row["target"].split()[0] != but]
    return f"{min(float(number(row[column])) for row in rows):.1f}"


def few_wrong(variant: str, flipped: float) -> str:
    """Return the AUC on hand labels, a share of a few labels flipped."""
    return next(
        f"{fmean(row['auc']):.4f}"
        for row in tables.read("wrong_labels_few")
        if row["data"] == HAND[0] and (row["variant"], row["flipped"]) == (variant, flipped)
    )


def held(figure: str) -> str:
    """Return how many intervals hold with thousands of labels of which some are wrong."""
    draws = [draw for row in tables.read("wrong_labels") for draw in row[figure]]
    return f"{sum(low <= true <= high for true, _, low, high in draws)} of {len(draws)}"


# ---------------------------------------------------- auxiliary losses, wider view


def auxiliary(variant: str, figure: str = "auc") -> dict[tuple[str, str], float]:
    """Return the means of a variant, by target."""
    of = tables.targets(variant, 20, figure, "auxiliary_losses")
    return {target: fmean(values) for target, values in of.items()}


def off_centre_auc(variant: str) -> str:
    """Return the AUC of a variant on the off-centre picks of EMPIAR-10017."""
    return f"{auxiliary(variant)[OFF_CENTRE[0]]:.4f}"


def gain(variant: str, figure: str) -> str:
    """Return what a variant gains on the mean."""
    ours, none = (fmean(auxiliary(name, figure).values()) for name in (variant, "none"))
    return f"{ours - none:.4f}"


def losses_of(view: str) -> list[float]:
    """Return what a wider view loses in AUC against the box, on each of the other targets."""
    rows = tables.read("wider_view_elsewhere")
    return [fmean(row["1 auc"]) - fmean(row[f"{view} auc"]) for row in rows]


# ---------------------------------------------------------------- before labels


def before_labels() -> list[float]:
    """Return the AUC of the pools of real micrographs before any label."""
    aucs = label_tables.before_labels()
    return [auc for (data, _), auc in aucs.items() if data.startswith("empiar")]


def suggested_better(n: int) -> str:
    """Return in how many draws n suggested labels decide better than n at random."""
    random, suggested = (
        next(
            dict(zip(row["seeds"], row["f1_macro"], strict=True))
            for row in tables.read("suggest")
            if (row["model"], row["strategy"], row["n"]) == ("fine-tuned", strategy, n)
        )
        for strategy in ("random", "suggest")
    )
    return str(sum(suggested[seed] > random[seed] for seed in random))


# ------------------------------------------------------------ the bundled weights


def weights_card() -> tables.Row:
    """Return what the bundled weights say of their held-out boxes.

    A safetensors file begins with the length of its header, eight bytes, and the header, JSON.
    """
    with WEIGHTS.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    validation: tables.Row = json.loads(header["__metadata__"]["card"])["training"][
        "validation"
    ]
    return validation


# ---------------------------------------------------------- speed, the window


def times_reference(program: str) -> str:
    """Return how many times as fast as the reference recipe a program is, by the clock."""
    row: tables.Row = tables.read("throughput")  # type: ignore[assignment]
    ours = row["picks"] / row[program]["wall"]
    return f"{ours / row['reference']['one at a time'][0]:.0f}"


def label_key(column: str) -> str:
    """Return the median of milliseconds of a label."""
    step: tables.Row = next(r for r in tables.read("napari_scale") if r["step"] == "label key")
    return str(step[column]).split()[0]


# ----------------------------------------------------------------------- demo


def demo(when: str, figure: str) -> str:
    """Return a percentage of the demo."""
    return f"{100 * tables.read('demo')['evaluate --json'][when][figure]:.1f}"


def demo_sentence() -> str:
    """Return what `prune` says of the demo, as it says it."""
    of = tables.read("demo")
    n, n_kept = of["run.json: counts"]["picks"], of["run.json: counts"]["kept"]
    expected = of["run.json: expectation"]
    precision, recall = (
        "{mean:.2f} ({low:.2f}–{high:.2f})".format(**expected[name])
        for name in ("precision", "recall")
    )
    return (
        f"At {expected['threshold']:.2f} the scores alone keep {n_kept:,} of {n:,} scored picks "
        f"({100 * n_kept / n:.1f} %); expected precision {precision}, recall {recall}."
    )


FIGURES: dict[str, Callable[[], str]] = {
    "hand AUC": lambda: f"{target_mean('auc', HAND):.3f}",
    "hand AUC, worst": lambda: f"{min(tables.targets('default', 20, 'auc')[HAND]):.3f}",
    "hand AUC, five labels": lambda: f"{target_mean('auc', HAND, 5):.4f}",
    "mean AUC": lambda: f"{target_mean('auc'):.3f}",
    "mean AUC, five labels": lambda: f"{target_mean('auc', k=5):.3f}",
    "hand F1": lambda: f"{target_mean('f1_particle', HAND):.3f}",
    "mean F1": lambda: f"{target_mean('f1_particle'):.3f}",
    "off-centre AUC": lambda: f"{target_mean('auc', OFF_CENTRE[0]):.3f}",
    "noisy off-centre AUC": lambda: f"{target_mean('auc', OFF_CENTRE[1]):.2f}",
    "best by AUC": lambda: best_on("auc", "default"),
    "best by F1": lambda: best_on("f1_particle", "default"),
    "frozen probe, best by F1": lambda: best_on("f1_particle", "frozen probe"),
    "typed accuracy": lambda: f"{typed('accuracy'):.2f}",
    "typed macro F1": lambda: f"{typed('f1_classes'):.2f}",
    "first branch, F1": lambda: branches_f1("first branch only"),
    "both branches, F1": lambda: branches_f1("default"),
    "carbon removed": lambda: span(map(removed, CARBON_LISTS)),
    "topaz, carbon removed": lambda: f"{removed('topaz'):.0f}",
    "topaz, carbon removed without": lambda: f"{removed('topaz', 'without'):.0f}",
    "confirmed kept": lambda: span(map(kept, tables.LISTS)),
    "precision holds": lambda: number(forecast("forecasts")["precision covered"]),
    "recall holds": lambda: number(forecast("forecasts")["recall covered"]),
    "warned": lambda: number(forecast("forecasts_substitute")["warned"]),
    "warned of clear cases": lambda: number(forecast("forecasts_clear")["warned"]),
    "clear cases, precision": lambda: least_covered("forecasts_clear", "precision covered"),
    "clear cases, recall": lambda: least_covered(
        "forecasts_clear", "recall covered", but="empiar10059"
    ),
    "clear cases, recall of 10059": lambda: number(clear_of_10059("recall covered")),
    "clear cases, promised too much": lambda: f"{float(clear_of_10059('error 8')):.2f}",
    "substitute F1": lambda: of_substitute("F1 at 0.5"),
    "substitute F1, best": lambda: of_substitute("F1 at most"),
    "wrong labels trained on": lambda: few_wrong("all labels", 0.1),
    "wrong labels left out": lambda: few_wrong("default", 0.1),
    "right labels trained on": lambda: few_wrong("all labels", 0.0),
    "right labels left out": lambda: few_wrong("default", 0.0),
    "wrong labels, precision held": lambda: held("precision"),
    "wrong labels, recall held": lambda: held("recall"),
    "contrastive, off-centre": lambda: off_centre_auc("contrastive, 0.5"),
    "centring, off-centre": lambda: off_centre_auc("centring, 1"),
    "no other task, off-centre": lambda: off_centre_auc("none"),
    "contrastive, AUC gained": lambda: gain("contrastive, 0.1", "auc"),
    "contrastive, F1 gained": lambda: gain("contrastive, 0.1", "f1_particle"),
    "wider view, worst": lambda: f"{max(losses_of('2') + losses_of('3')):.3f}",
    "wider views, worse on": lambda: span(
        (sum(loss > 0.002 for loss in losses_of(view)) for view in ("1+2", "1+3", "1+2+3")), 0
    ),
    "suggested better, 10": lambda: suggested_better(10),
    "suggested better, 20": lambda: suggested_better(20),
    "suggested better, 40": lambda: suggested_better(40),
    "frame check, lists": lambda: tables.read("frame_check")[0]["lists"],
    "before labels, aim met": lambda: str(sum(auc >= 0.95 for auc in before_labels())),
    "score, times the reference": lambda: times_reference("score, auto"),
    "prune, times the reference": lambda: times_reference("prune"),
    "label key, processor": lambda: label_key("processor"),
    "label key, drawn": lambda: label_key("drawn"),
    "demo, precision before": lambda: demo("before", "precision"),
    "demo, precision after": lambda: demo("after", "precision"),
    "demo, recall before": lambda: demo("before", "recall"),
    "demo, recall after": lambda: demo("after", "recall"),
    "demo, what prune says": demo_sentence,
    "demo, AUC": lambda: f"{tables.read('demo')['evaluate --json']['roc_auc']:.3f}",
    "weights, held-out boxes": lambda: f"{weights_card()['n_boxes']:,}",
    "weights, categories right": lambda: f"{100 * weights_card()['accuracy']:.1f}",
    "weights, particle or not": lambda: f"{100 * weights_card()['particle_accuracy']:.1f}",
    "weights, MB": lambda: f"{WEIGHTS.stat().st_size / 1e6:.1f}",
}
