"""``pickeroptimizer inspect``: what files are, and what they would lose in other formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_pickeroptimizer.classes import plural
from napari_pickeroptimizer.cli import EXIT_BAD_INPUT
from napari_pickeroptimizer.cli.options import JsonOption
from napari_pickeroptimizer.cli.show import err, out, print_json
from napari_pickeroptimizer.errors import PickerOptimizerError

if TYPE_CHECKING:
    from napari_pickeroptimizer.conversion.inspection import Inspection

# What a format needs and picks do not tell, by the option that gives it.
OPTIONS = {"box_px": "--box-size", "shapes_yx_px": "--micrographs"}


def inspect(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Pick files, folders or quoted globs of them, micrographs, models.",
            show_default=False,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Tell what files are: format, counts, columns, coordinates, losses in other formats."""
    from napari_pickeroptimizer.conversion.inspection import Inspection, inspect_path

    found: list[Inspection] = []
    for path in paths:
        try:
            found.append(inspect_path(path))
        except (PickerOptimizerError, OSError) as error:
            found.append(Inspection(path, "unreadable", str(error)))
    if as_json:
        print_json({"files": [one.as_dict() for one in found]})
    for one in found:
        if one.kind == "unreadable":
            err.print(f"Error: {one.what}")
        elif not as_json:
            out.print("\n".join(lines_of(one)))
    if any(one.kind == "unreadable" for one in found):
        raise typer.Exit(code=EXIT_BAD_INPUT)


def lines_of(one: Inspection) -> list[str]:
    """Return what is told of a file: one line, or for picks several."""
    if one.kind == "picks":
        return [f"{one.path}: {one.what}", *(f"  {line}" for line in _picks(one))]
    told = [f"{one.path}: {one.what}", *_said(one.facts)]
    return [", ".join(told)]


def _picks(one: Inspection) -> list[str]:
    from napari_pickeroptimizer.conversion.losses import shown

    facts = one.facts
    counts = [plural(facts[key], key[:-1]) for key in ("picks", "micrographs", "files")]
    lines = ["{} on {}, in {}".format(*counts)]
    if facts["micrographs"] > 1:
        least, most = facts["picks_each"]
        lines[0] += f" ({least:,} to {most:,} on each)"
    lines.append(f"columns: {', '.join(facts['columns'])}")
    for key, words in (("other_columns", "other columns"), ("besides", "also in the file")):
        if facts[key]:
            lines.append(f"{words}: {shown(facts[key])}")
    if "x" in facts:
        (x0, x1), (y0, y1) = facts["x"], facts["y"]
        digits = "whole pixels" if facts["whole_pixels"] else "with fractions of pixels"
        lines.append(f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g} (centres), {digits}")
    if facts["places"]:
        lines.append(f"the format gives the {facts['places']} of a box")
    if facts["unreadable_by"]:
        lines.append(facts["unreadable_by"])
    if "score" in facts:
        lines.append("score {:g} to {:g}".format(*facts["score"]))
    lines += _said({k: facts.get(k) for k in ("labels", "box_px", "pixel_size_ang")})
    alike: dict[str, list[str]] = {}
    for target in one.targets:
        needs = ", ".join(OPTIONS[need] for need in target.needs)
        lost = f"loses {'; '.join(target.lost)}" if target.lost else "loses nothing"
        text = f"{lost}; needs {needs}" if needs else lost
        alike.setdefault(text, []).append(target.format)
    return lines + [f"as {', '.join(formats)}: {text}" for text, formats in alike.items()]


def _said(facts: Any) -> list[str]:
    """Return facts that are known, in words."""
    from napari_pickeroptimizer.conversion.losses import shown

    words: dict[str, Callable[[Any], str]] = {
        "shape_px": lambda v: f"{v[0]} x {v[1]} pixels",
        "sections": lambda v: f"{v} sections" if v > 1 else "",
        "numbers": str,
        "micrographs": lambda v: plural(v, "micrograph"),
        "found": lambda v: f"{v:,} of them are there",
        "pixel_size_ang": lambda v: f"pixel size {v:g} Å",
        "box_px": lambda v: f"boxes of {v:g} pixels",
        "labels": lambda v: (
            "labels: " + ", ".join(f"{n:,} of class {i}" for i, n in v.items())
        ),
        "classes": lambda v: "classes " + shown([f"{i} {n}" for i, n in v.items()]),
        "backbone": str,
        "diameter_px": lambda v: f"diameter {v:g} px",
        "version": lambda v: f"version {v}",
    }
    said = [words[key](value) for key, value in facts.items() if value is not None]
    return [text for text in said if text]
