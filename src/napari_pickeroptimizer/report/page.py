"""The page around a report: template, style, script; one file that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from napari_pickeroptimizer.io.atomic import atomic_path

DASH = "–"
GAP = "\N{NO-BREAK SPACE}"


def write_page(path: str | Path, template: str, values: Mapping[str, Any]) -> Path:
    """Fill a template and write the page in one step; return its path.

    The page is written in pieces as the template makes them, never held as a whole.
    """
    path = Path(path)
    stream = (
        environment()
        .get_template(template)
        .stream(
            **values, style=_markup("style.css"), script=_markup("page.js"), policy=_policy()
        )
    )
    stream.enable_buffering(64)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        stream.dump(file, encoding="utf-8")
    return path


@cache
def environment() -> jinja2.Environment:
    """Return the templates' environment: everything is escaped, nothing may be undefined."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": count,
        "percent": percent,
        "figure": figure,
        "name": base_name,
        "score": score,
        "breaks": breaks,
    }
    return made


def _source(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _markup(name: str) -> Markup:
    return Markup(_source(name))  # noqa: S704 (our own files)


def _policy() -> Markup:
    """Return what the browser may load: our style, this one script, images inside the page."""
    digest = base64.b64encode(hashlib.sha256(_source("page.js").encode()).digest()).decode()
    return Markup(  # noqa: S704 (a digest)
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def count(value: int) -> str:
    """Return a number of things.

    Examples
    --------
    >>> count(41230)
    '41,230'
    """
    return f"{value:,}"


def percent(value: float | None, digits: int = 0) -> str:
    r"""Return a share in per cent, a dash where there is none; 0 and 100 % only if exactly so.

    Examples
    --------
    >>> percent(0.686), percent(0.9999), percent(0.001), percent(1.0), percent(None)
    ('69\xa0%', '>\xa099\xa0%', '<\xa01\xa0%', '100\xa0%', '–')
    """
    if value is None or value != value:
        return DASH
    text = f"{100 * value:.{digits}f}"
    least = 10.0**-digits
    if value < 1 and float(text) == 100:
        return f">{GAP}{100 - least:.{digits}f}{GAP}%"
    if value > 0 and float(text) == 0:
        return f"<{GAP}{least:.{digits}f}{GAP}%"
    return f"{text}{GAP}%"


def figure(value: float | None, digits: int = 2) -> str:
    """Return a figure, a dash where there is none.

    Examples
    --------
    >>> figure(0.9512), figure(float("nan"))
    ('0.95', '–')
    """
    return DASH if value is None or value != value else f"{value:.{digits}f}"


def breaks(name: str) -> Markup:
    """Return a path or a file name that may be broken behind its separators.

    Examples
    --------
    >>> breaks("a/b_1.mrc")
    Markup('a/<wbr>b_<wbr>1.mrc')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[/\\_])", str(name)))


def score(value: float) -> str:
    r"""Return a probability; 0 and 1 are never said of what is only near them.

    Examples
    --------
    >>> score(0.62), score(0.9991), score(0.0002)
    ('0.62', '>\xa00.99', '<\xa00.01')
    """
    if value == value and value > 0.995:
        return f">{GAP}0.99"
    return f"<{GAP}0.01" if value < 0.005 else figure(value)


def base_name(name: str) -> str:
    """Return the last part of a path, of whatever system.

    Examples
    --------
    >>> base_name("Movies/a_0001.mrc")
    'a_0001.mrc'
    """
    return str(name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
