"""Tables on labels: before the first one, suggested ones, wrong ones."""

from __future__ import annotations

from statistics import fmean

import result_tables as tables
from marked_tables import table


def before_labels() -> dict[tuple[str, str], float]:
    """Return the AUC before any label, with weights that know none of the pool's data set."""
    aucs = {}
    for row in tables.read("before_labels"):
        if (target := tuple(row["pool"].split())) in tables.TARGETS:
            known = target[0] in ("empiar10028", "empiar10059")
            aucs[target] = float(row["without.safetensors" if known else "bundled"])
    return aucs


def before_table() -> str:
    """Return the AUC of the pools before any label."""
    aucs = before_labels()
    return table(
        ("pool", "AUC"), [[tables.TARGETS[t], f"{auc:.3f}"] for t, auc in aucs.items()]
    )


def few_wrong_table() -> str:
    """Return a few labels of which some are wrong, left out or not."""
    lines = []
    for row in tables.read("wrong_labels_few"):
        lines.append([
            tables.TARGETS[row["data"], row["pool"]],
            f"{row['flipped']:.0%}".replace("%", " %"),
            {"default": "**left out**", "all labels": "trained on"}[row["variant"]],
            tables.mean_worst(row["auc"]),
            f"{fmean(row['f1_particle']):.3f}",
            tables.percent(row["found"], worst=False),
        ])  # fmt: skip
    columns = ("target", "wrong", "contradicted labels", "AUC", "particle F1")
    return table((*columns, "wrong ones among the first ten of `suggest`"), lines)


def wrong_table() -> str:
    """Return thousands of labels of which some are wrong."""
    lines = []
    for row in tables.read("wrong_labels"):
        held = [
            sum(low <= true <= high for true, _, low, high in row[figure])
            for figure in ("precision", "recall")
        ]
        off = [
            f"{fmean(expected - true for true, expected, *_ in row[figure]):+.3f}"
            for figure in ("precision", "recall")
        ]
        lines.append([
            tables.TARGETS[row["data"], row["pool"]],
            f"{row['flipped']:.0%}".replace("%", " %"),
            tables.mean_worst(row["auc"]),
            f"{fmean(row['f1_particle']):.3f}",
            *(
                f"{n} of {len(row['seeds'])} ({error.replace('-', '−')})"
                for n, error in zip(held, off, strict=True)
            ),
        ])  # fmt: skip
    header = (
        "target",
        "wrong",
        "AUC",
        "particle F1",
        "precision held (off)",
        "recall held (off)",
    )
    return table(header, lines)


def suggestions_table(model: str) -> str:
    """Return suggested labels and random ones, by their number."""
    matched = tables.read("suggest_needed")
    needed = {(row["variant"], int(row["suggested"])): row["f1_macro"] for row in matched}
    names = {"uncertainty": "by `uncertainty`", "diversity": "by `diversity`"}
    rows = [row for row in tables.read("suggest") if row["model"] == model]
    lines = []
    for row in sorted(rows, key=lambda row: (row["strategy"], row["by"] or "", row["n"])):
        suggested = row["strategy"] == "suggest"
        if row["by"] in names and row["n"] == 10:
            continue  # the first ten are the same, whatever the next ones are chosen by
        lines.append([
            names.get(row["by"], "**suggested**") if suggested else "at random",
            str(row["n"]),
            tables.mean_worst(row["auc"]),
            f"{fmean(row['f1_particle']):.3f}",
            tables.mean_worst(row["f1_macro"], 3),
            needed.get((f"{model}, {row['by']}", row["n"]), "") if suggested else "",
        ])  # fmt: skip
    header = ("labels", "n", "AUC", "particle F1", "macro F1", "random ones for that macro F1")
    return table(header, lines)
