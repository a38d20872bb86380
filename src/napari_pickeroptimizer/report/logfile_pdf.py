"""``logfile.pdf``: the page that RELION shows of a job, with the figures of a pruning."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from napari_pickeroptimizer import __version__
from napari_pickeroptimizer.classes import counted
from napari_pickeroptimizer.shares import percent

LOGFILE = "logfile.pdf"
# A4 at 150 dots an inch
DOTS_AN_INCH = 150
PAGE = (1240, 1754)
MARGIN, TEXT, TITLE = 110, 26, 44
LINE = 40
LETTERS_A_LINE = 84
# of a page; the others are in run.json
MOST_MICROGRAPHS, MOST_WARNINGS = 12, 6


def write_logfile(path: Path, record: Mapping[str, Any], job: str) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
        The file.
    record : mapping
        Contents of ``run.json``.
    job : str
        The folder of the job, as RELION names it.
    """
    page = Image.new("L", PAGE, 255)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), "Pruned picks", font=ImageFont.load_default(TITLE), fill=0)
    font, top = ImageFont.load_default(TEXT), MARGIN + 2 * LINE
    for line in logfile_lines(record, job):
        draw.text((MARGIN, top), line, font=font, fill=0)
        top += LINE
    page.save(path, "PDF", resolution=DOTS_AN_INCH, title=f"{job} pruned picks")


def logfile_lines(record: Mapping[str, Any], job: str) -> list[str]:
    """Return the lines of the page: counts, threshold, expectation, micrographs, warnings."""
    counts, expected = record["counts"], record["expectation"]
    n = counts["picks"]
    lines = [
        f"{job}, pickeroptimizer {__version__}, {record['started']}",
        "",
        f"Picks: {n:,}",
        f"Kept: {counts['kept']:,} ({percent(counts['kept'] / max(n, 1), 1)})",
        f"Rejected: {counts['rejected']:,}"
        + _in_brackets(counted(k, name) for name, k in counts["rejected_by_class"].items()),
        f"Not scored: {counts['unscored']:,}",
        "",
        f"Threshold: {record['threshold']:.3f}, the least probability of a kept pick",
    ]
    if expected is None:
        lines.append("Expected precision and recall: none, the model was not cross-validated")
    else:
        lines += [
            f"Expected {name}: {_interval(expected[name])}" for name in ("precision", "recall")
        ]
    flagged = [m for m in record["micrographs"] if m["flag"]]
    lines += [
        "",
        f"Micrographs: {len(record['micrographs']):,}, {len(flagged):,} of them unusual",
    ]
    lines += [
        f"   {_end_of(m['micrograph'])}: {m['flag']}, {m['kept']} of {m['picks']} kept"
        for m in flagged[:MOST_MICROGRAPHS]
    ]
    lines += _more(len(flagged) - MOST_MICROGRAPHS)
    if record["unreadable"]:
        lines.append(f"Micrographs that could not be read: {len(record['unreadable']):,}")
    if record["warnings"]:
        lines += ["", "Warnings:"]
        for warning in record["warnings"][:MOST_WARNINGS]:
            lines += textwrap.wrap(
                warning, LETTERS_A_LINE, initial_indent="-  ", subsequent_indent="   "
            )
        lines += _more(len(record["warnings"]) - MOST_WARNINGS)
    return lines


def _in_brackets(parts: Any) -> str:
    text = ", ".join(parts)
    return f" ({text})" if text else ""


def _interval(values: Mapping[str, float]) -> str:
    return f"{values['mean']:.3f} (90 % interval {values['low']:.3f} to {values['high']:.3f})"


def _end_of(name: str) -> str:
    """Return a name that fits into a line."""
    return name if len(name) <= 50 else f"...{name[-47:]}"


def _more(n: int) -> list[str]:
    return [f"   and {n:,} more, in run.json"] if n > 0 else []
