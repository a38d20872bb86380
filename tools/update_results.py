"""Write the tables of measured figures in README and documentation.

    python tools/update_results.py

They follow from ``benchmarks/results``, which `benchmarks/summarise.py` condenses from what the
benchmarks wrote; a test fails where they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import result_tables as tables
from marked_tables import filled, table


def readme_table() -> str:
    """Return the figures that the README gives."""
    auc, f1 = (tables.targets("default", 20, figure) for figure in ("auc", "f1_particle"))
    hand = ("empiar10017", "hand")
    (carbon,) = (row for row in tables.read("carbon") if row["variant"] == "default")
    of_carbon = [
        fmean(values)
        for n in tables.LISTS
        if (values := tables.known(carbon[f"{n} carbon_removed"]))
    ]
    kept = [fmean(carbon[f"{name} confirmed_kept"]) for name in tables.LISTS]
    (forecast, *_) = (row for row in tables.read("forecasts") if row["target"] == "all")
    frames = [row for row in tables.read("frame_check") if row["mistake"] != "none"]
    told, planted = (sum(int(row[key]) for row in frames) for key in ("told", "lists"))
    demo = tables.read("demo")["evaluate --json"]
    before, after = demo["before"], demo["after"]
    lines = [
        ("Ranking (ROC AUC), 20 labels of each class: EMPIAR-10017 with hand labels",
         f"{fmean(auc[hand]):.3f}", "`targets.py`"),
        ("the same, mean of eleven targets, six of them simulated",
         f"{fmean(map(fmean, auc.values())):.3f}", "`targets.py`"),
        ("Particle F1 at a threshold of 0.5, the same two",
         f"{fmean(f1[hand]):.3f}, {fmean(map(fmean, f1.values())):.3f}", "`targets.py`"),
        ("Picks on carbon that are removed, of three pickers",
         f"{100 * min(of_carbon):.1f} to {100 * max(of_carbon):.1f} %", "`carbon_and_ice.py`"),
        ("Particles confirmed by experts that are kept, of six pickers",
         f"{100 * min(kept):.1f} to {100 * max(kept):.1f} %", "`carbon_and_ice.py`"),
        ("How often the 90 % interval of the expected precision holds",
         forecast["precision covered"].replace("%", " %"), "`forecasts.py`"),
        ("How often that of the expected recall holds",
         forecast["recall covered"].replace("%", " %"), "`forecasts.py`"),
        ("Flipped, swapped, scaled or shifted pick lists that are noticed",
         f"{told} of {planted}, no false alarm", "`frame_check.py`"),
        ("Simulated micrographs: precision before and after",
         f"{100 * before['precision']:.1f} → {100 * after['precision']:.1f} %", "`make demo`"),
        ("the same: share of all particles that is left",
         f"{100 * before['recall']:.1f} → {100 * after['recall']:.1f} %", "`make demo`"),
    ]  # fmt: skip
    return table(("what", "measured", "with"), lines)


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"measured": readme_table},
    "docs/explanation/results.md": {
        "targets, AUC": lambda: tables.target_table("auc"),
        "targets, F1": lambda: tables.target_table("f1_particle"),
        "fewer and more labels": tables.few_table,
        "hand labels": tables.fewshot_table,
        "calibration": tables.calibration_table,
        "forecasts": tables.fine_tuned_table,
        "forecasts, substitute": tables.substitute_table,
        "wrong labels": tables.wrong_table,
        "carbon": tables.carbon_table,
        "frame check": tables.frame_table,
        "demo": tables.demo_table,
        "views": tables.turned_table,
    },
    "docs/explanation/ablation.md": {
        "branches": tables.branches_table,
        "auxiliary losses": tables.auxiliary_table,
        "wider view": tables.wider_table,
    },
}


def updated(page: str, text: str) -> str:
    """Return a page with its tables."""
    return filled(text, {name: content() for name, content in PAGES[page].items()})


def main() -> None:
    for page in PAGES:
        path = tables.ROOT / page
        text = path.read_text(encoding="utf-8")
        path.write_text(updated(page, text), encoding="utf-8")


if __name__ == "__main__":
    main()
