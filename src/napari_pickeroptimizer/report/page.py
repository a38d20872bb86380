"""What a report consists of, and the page made of it: one file that loads nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from napari_pickeroptimizer.io.atomic import atomic_path
from napari_pickeroptimizer.report import formatting
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from napari_pickeroptimizer.report.pictures import Gallery, ShownMicrograph
    from napari_pickeroptimizer.report.provenance import Entries
    from napari_pickeroptimizer.report.tables import Table

Legend = Sequence[tuple[str, str]]  # (kind of the symbol, name)


@dataclass(frozen=True)
class Summary:
    """The box on top: a sentence, and what qualifies it.

    Parameters
    ----------
    sentence : str
        The result.
    lines : sequence of str
        One paragraph each.
    state : str
        ``good``, ``weak`` (warnings qualify the result) or ``none`` (there is none).
    """

    sentence: str
    lines: Sequence[str] = ()
    state: str = "good"


@dataclass(frozen=True)
class Tile:
    """A figure in large type, with its name above and a note below; `kind` colours it."""

    name: str
    value: str
    note: str
    kind: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart or a table with its caption; without either, the caption says why.

    Parameters
    ----------
    title, caption : str
        Its heading, and the text below.
    chart : Markup, optional
        An SVG.
    legend : sequence of (str, str)
        Symbols of the chart with their names.
    table : Table, optional
        Instead of a chart.
    """

    title: str
    caption: str
    chart: Markup | None = None
    legend: Legend = ()
    table: Table | None = None


@dataclass(frozen=True)
class FigureSection:
    """Figures side by side under a heading; `key` is the section's id in the page."""

    key: str
    title: str
    intro: str
    figures: Sequence[Figure]


@dataclass(frozen=True)
class MicrographSection:
    """The micrographs: a chart over all of them, a table, and pictures of some.

    Parameters
    ----------
    intro : str
        A sentence or two.
    table : Table
        One row a micrograph.
    pictures : sequence of (str, list of ShownMicrograph)
        Headings, and what is shown under each.
    legend : sequence of (str, str)
        Of the marks in the pictures.
    overview : Figure, optional
        The chart.
    """

    intro: str
    table: Table
    pictures: Sequence[tuple[str, list[ShownMicrograph]]]
    legend: Legend
    overview: Figure | None = None


@dataclass(frozen=True)
class GallerySection:
    """Boxes under a heading."""

    title: str
    intro: str
    galleries: Sequence[Gallery]


@dataclass(frozen=True)
class Page:
    """A report.

    Parameters
    ----------
    kind, title, subtitle : str
        The head of the page.
    summary : Summary
        The result.
    tiles : sequence of Tile
        The main figures.
    bar : sequence of (str, str, int)
        Kind, name and number of picks of each segment of a bar; may be empty.
    warnings : sequence of str
        Each is shown once.
    sections : sequence of FigureSection
        The charts.
    micrographs : MicrographSection
        The micrographs.
    boxes : GallerySection or None
        The boxes.
    provenance : sequence of (str, list of (str, str))
        Inputs, settings, versions, ...: headings, and names with values.
    command : str or None
        The command line, where there was one.
    """

    kind: str
    title: str
    subtitle: str
    summary: Summary
    tiles: Sequence[Tile]
    bar: Sequence[tuple[str, str, int]]
    warnings: Sequence[str]
    sections: Sequence[FigureSection]
    micrographs: MicrographSection
    boxes: GallerySection | None
    provenance: Sequence[tuple[str, Entries]]
    command: str | None = None


def write_page(path: str | Path, page: Page) -> Path:
    """Write a page in one step, and return its path.

    It is written in pieces as the template makes them, so memory does not grow with it.
    """
    path = Path(path)
    stream = environment().get_template("report.html").stream(
        page=page,
        warnings=list(dict.fromkeys(filter(None, page.warnings))),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=software_versions()["napari-pickeroptimizer"],
        style=_markup("style.css"),
        script=_markup("page.js"),
        policy=_policy(),
    )  # fmt: skip
    stream.enable_buffering(64)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        stream.dump(file, encoding="utf-8", errors="backslashreplace")  # bytes of a path
    return path


@cache
def environment() -> jinja2.Environment:
    """Return the environment of the templates: text is escaped, an undefined name an error."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": "{:,}".format,
        "percent": formatting.percent,
        "base_name": formatting.base_name,
        "score": formatting.score,
        "breakable": formatting.breakable,
    }
    return made


def source(name: str) -> str:
    """Return the text of a template, the style sheet or the script."""
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _markup(name: str) -> Markup:
    return Markup(source(name))  # noqa: S704 (our own files)


def _policy() -> Markup:
    """Return what the browser may load: our style, this one script, images inside the page."""
    digest = base64.b64encode(hashlib.sha256(source("page.js").encode()).digest()).decode()
    return Markup(  # noqa: S704 (a digest)
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
