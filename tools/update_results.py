"""Write the measured figures in README and documentation: tables, and figures in sentences.

    python tools/update_results.py

They follow from ``benchmarks/results``, which `benchmarks/summarise.py` condenses from what the
benchmarks wrote; a test fails where they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import label_tables
import marked_tables as marked
import result_tables as tables
from figures import FIGURES
from window_table import window_table


def in_short() -> list[tuple[str, str, str, str]]:
    """Return what is measured, the figure, the script, and the place in the results."""
    frames = [row for row in tables.read("frame_check") if row["mistake"] != "none"]
    told, planted = (sum(int(row[key]) for row in frames) for key in ("told", "lists"))
    of = {name: figure() for name, figure in FIGURES.items()}
    return [
        ("Ranking (ROC AUC), 20 labels of each class: EMPIAR-10017 with hand labels",
         of["hand AUC"], "`targets.py`", "#several-proteins-and-pickers"),
        ("the same, mean of eleven targets, six of them simulated",
         of["mean AUC"], "`targets.py`", "#several-proteins-and-pickers"),
        ("Particle F1 at a threshold of 0.5, the same two",
         f"{of['hand F1']}, {of['mean F1']}", "`targets.py`", "#several-proteins-and-pickers"),
        ("Picks on carbon that are removed, of three pickers",
         f"{of['carbon removed']} %", "`carbon_and_ice.py`", "#picks-on-carbon-and-in-ice"),
        ("Particles confirmed by experts that are kept, of six pickers",
         f"{of['confirmed kept']} %", "`carbon_and_ice.py`", "#picks-on-carbon-and-in-ice"),
        ("How often the 90 % interval of the expected precision holds",
         f"{of['precision holds']} %", "`forecasts.py`", "#how-good-are-the-forecasts"),
        ("How often that of the expected recall holds",
         f"{of['recall holds']} %", "`forecasts.py`", "#how-good-are-the-forecasts"),
        ("Flipped, swapped, scaled or shifted pick lists that are noticed",
         f"{told} of {planted}, no false alarm", "`frame_check.py`", "#frame-check"),
        ("Simulated micrographs: precision before and after",
         f"{of['demo, precision before']} → {of['demo, precision after']} %", "`make demo`",
         "#on-simulated-micrographs"),
        ("the same: share of all particles that is left",
         f"{of['demo, recall before']} → {of['demo, recall after']} %", "`make demo`",
         "#on-simulated-micrographs"),
    ]  # fmt: skip


def readme_table() -> str:
    """Return the figures that the README gives."""
    return marked.table(("what", "measured", "with"), [row[:3] for row in in_short()])


def summary_table() -> str:
    """Return the same figures as links to their sections."""
    rows = [(what, f"[{figure}]({place})") for what, figure, _, place in in_short()]
    return marked.table(("what", "measured"), rows)


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"measured": readme_table},
    "docs/explanation/results.md": {
        "in short": summary_table,
        "targets, AUC": lambda: tables.target_table("auc"),
        "targets, F1": lambda: tables.target_table("f1_particle"),
        "fewer and more labels": tables.few_table,
        "hand labels": tables.fewshot_table,
        "classes": tables.classes_table,
        "carbon": tables.carbon_table,
        "frame check": tables.frame_table,
        "demo": tables.demo_table,
        "views": tables.turned_table,
        "throughput": tables.throughput_table,
        "window": window_table,
        "linear": tables.linear_table,
        "decide": tables.decide_table,
    },
    "docs/explanation/forecast-results.md": {
        "calibration": tables.calibration_table,
        "forecasts": tables.fine_tuned_table,
        "forecasts, substitute": tables.substitute_table,
        "a few wrong labels": label_tables.few_wrong_table,
        "wrong labels": label_tables.wrong_table,
    },
    "docs/how-to/before-labels.md": {"before labels": label_tables.before_table},
    "docs/how-to/suggest.md": {
        "suggested, surrogate": lambda: label_tables.suggestions_table("surrogate"),
        "suggested, fine-tuned": lambda: label_tables.suggestions_table("fine-tuned"),
    },
    "docs/explanation/ablation.md": {
        "branches": tables.branches_table,
        "auxiliary losses": tables.auxiliary_table,
        "wider view": tables.wider_table,
    },
}


def pages() -> list[Path]:
    """Return README and documentation."""
    return [tables.ROOT / "README.md", *sorted((tables.ROOT / "docs").rglob("*.md"))]


def updated(page: str, text: str) -> str:
    """Return a page with its tables, and with the figures in its sentences."""
    contents = {name: content() for name, content in PAGES.get(page, {}).items()}
    return marked.with_figures(marked.filled(text, contents), FIGURES)


def main() -> None:
    for path in pages():
        text = path.read_text(encoding="utf-8")
        new = updated(path.relative_to(tables.ROOT).as_posix(), text)
        if new != text:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
