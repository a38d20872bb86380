"""Condense the output of a benchmark to the figures that the documentation gives.

    python benchmarks/summarise.py output.json --figures auc f1_particle --name targets
    python benchmarks/summarise.py printed.txt --name forecasts

A JSON file of rows becomes one row a method, with its figures draw by draw; of a printed table
the cells are kept. They are written to ``benchmarks/results/NAME.json``, from which
``tools/update_results.py`` makes the tables of the pages. With ``--variant`` the rows are called
by another name, and added to the rows of that file. A row of several numbers of labels (of
`suggest.py`) becomes one for each number.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


def from_rows(rows: Iterable[Row], figures: Sequence[str], variant: str | None) -> list[Row]:
    """Return one row for all draws of a job.

    >>> rows = [{"job": {"k": 5, "seed": seed}, "auc": 0.9 + seed / 10} for seed in (0, 1)]
    >>> from_rows(rows, ["auc"], None)
    [{'k': 5, 'seeds': [0, 1], 'auc': [0.9, 1.0]}]
    """
    found: dict[str, Row] = {}
    for row in (part for several in rows for part in by_number(several)):
        job = {k: v for k, v in row["job"].items() if k not in ("seed", "settings", "start")}
        if "base" in job:  # the folder of a weights file is of this machine
            job["base"] = Path(job["base"]).name
        if variant is not None:
            job["variant"] = variant
        kept = found.setdefault(
            json.dumps(job), {**job, "seeds": [], **{f: [] for f in figures}}
        )
        if row["job"]["seed"] in kept["seeds"]:
            continue  # in several outputs
        kept["seeds"].append(row["job"]["seed"])
        for figure in figures:
            kept[figure].append(rounded(row.get(figure)))
    return list(found.values())


def by_number(row: Row) -> list[Row]:
    """Return a row for each number of labels that a row has figures of.

    >>> by_number({"job": {"n": [10, 20]}, "10": {"auc": 0.9}, "20": {"auc": 0.95}})
    [{'job': {'n': 10}, 'auc': 0.9}, {'job': {'n': 20}, 'auc': 0.95}]
    """
    numbers = row["job"].get("n")
    if not isinstance(numbers, list):
        return [row]
    return [{"job": {**row["job"], "n": n}, **row[str(n)]} for n in numbers]


def rounded(value: Any) -> Any:
    """Return a figure with six decimals, and none for what is no number."""
    if isinstance(value, list):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value


def from_printed(text: str) -> list[Row]:
    r"""Return the rows of the last table in what a script printed.

    >>> from_printed("| target | AUC |\n|---|---|\n| a | 0.99 |")
    [{'target': 'a', 'AUC': '0.99'}]
    """
    lines = [line for line in text.splitlines() if line.startswith("|")]
    start = max(n for n, line in enumerate(lines) if set(line) <= set("-|")) - 1
    header, _, *rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in lines[start:]]
    for n, name in enumerate(header):  # *width* and *error* belong to what is before them
        if name in header[:n]:
            header[n] = f"{name} {n}"
    return [dict(zip(header, row, strict=True)) for row in rows]


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write a file of results, a line a row."""
    lines = [json.dumps({name: rounded(value) for name, value in r.items()}) for r in rows]
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("outputs", nargs="+", type=Path)
    parser.add_argument("--figures", nargs="+", default=["auc", "f1_particle"])
    parser.add_argument("--name", required=True)
    parser.add_argument("--variant", help="name of all these rows, which are added")
    args = parser.parse_args()
    file = RESULTS / f"{args.name}.json"
    known = args.variant and file.exists()
    rows: list[Row] = json.loads(file.read_text()) if known else []
    rows = [row for row in rows if row["variant"] != args.variant]
    named = {} if args.variant is None else {"variant": args.variant}
    written: list[Row] = []
    for output in args.outputs:
        text = output.read_text(encoding="utf-8")
        if output.suffix == ".json":
            written += json.loads(text)
        else:
            rows += [{**named, **row} for row in from_printed(text)]
    rows += from_rows(written, args.figures, args.variant)
    RESULTS.mkdir(exist_ok=True)
    write_rows(file, rows)


if __name__ == "__main__":
    main()
