"""Run a function over many jobs in worker processes, keeping what is done in a JSON file.

A job is a small dict of plain values which says all that its row depends on (``k``, ``seed``,
``method``, ``start``, ...). A row is the job and its figures. A run that was stopped is taken up
again: a job whose row is in the file is not run again. Rows of other jobs are kept there and
left alone, so a file never mixes figures of different settings.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_pickeroptimizer.io.atomic import write_text_atomic

Job = dict[str, Any]
Row = dict[str, Any]


def add_grid_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--output``."""
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument(
        "--output",
        type=Path,
        help="also write all figures as JSON; rows in it are not run again",
    )


def run_grid(
    function: Callable[[Job], Row],
    jobs: Sequence[Job],
    *,
    workers: int = 1,
    output: Path | None = None,
    figures: Sequence[str] = (),
) -> list[Row]:
    """Return the rows of `jobs`, in their order, computing those which `output` lacks.

    Parameters
    ----------
    function : callable
        Job to a dict of its figures; has to be picklable, such as a partial of a function
        of a module.
    jobs : sequence of dict
        What to run; values are JSON's.
    workers : int
        Processes, of one thread each.
    output : Path, optional
        JSON file of rows, read first and rewritten after every job.
    figures : sequence of str
        Which of a row's figures are printed as they come.
    """
    known: list[Row] = []
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.is_file():
            known = json.loads(output.read_text())
    before = {_key(row["job"]) for row in known if "job" in row}
    missing = [job for job in jobs if _key(job) not in before]
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        running = {pool.submit(_timed, function, job): job for job in missing}
        for done in as_completed(running):
            if done.exception() is not None:
                pool.shutdown(cancel_futures=True)  # else it is told after all the others
            known.append({"job": running[done], **done.result()})
            print(_line(known[-1], figures), flush=True)
            if output is not None:
                write_text_atomic(output, json.dumps(known, indent=1))
    rows = {_key(row["job"]): {**row["job"], **row} for row in known if "job" in row}
    return [rows[_key(job)] for job in jobs]


def mean_and_worst(rows: Iterable[Row], figure: str) -> tuple[float, float]:
    """Return the mean of a figure and its least value over rows."""
    values = [row[figure] for row in rows]
    return float(np.mean(values)), float(min(values))


def grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Return rows by their values of `keys`, in order of first appearance.

    Examples
    --------
    >>> grouped([{"k": 5, "seed": 0}, {"k": 5, "seed": 1}], "k")
    {(5,): [{'k': 5, 'seed': 0}, {'k': 5, 'seed': 1}]}
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def print_table(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table; floats with four digits."""
    print("\n| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for line in lines:
        cells = [f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in line]
        print("| " + " | ".join(cells) + " |")


def _key(job: Job) -> str:
    return json.dumps(job, sort_keys=True)


def _timed(function: Callable[[Job], Row], job: Job) -> Row:
    started = time.perf_counter()
    figures = function(job)
    return {**figures, "seconds": round(time.perf_counter() - started, 1)}


def _one_thread() -> None:
    torch.set_num_threads(1)


def _line(row: Row, figures: Sequence[str]) -> str:
    """Return what a finished job says of itself, settings of no effect left out."""
    values = row["job"].items()
    who = "  ".join(f"{k} {v}" for k, v in values if v is not None and v not in ("", False))
    what = "  ".join(f"{name} {row[name]:.4f}" for name in figures)
    return f"{who}  {what}  {row['seconds']} s"
