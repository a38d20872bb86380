"""Write what the manifest and the documentation tell about formats and columns.

    python tools/update_formats.py

Both follow from `io.registry` and `schema`; a test fails where they do not.
"""

from __future__ import annotations

import re
from pathlib import Path

from marked_tables import filled, table

from napari_pickeroptimizer.io.image_names import MRC_SUFFIXES, PACKED_SUFFIXES, TIFF_SUFFIXES
from napari_pickeroptimizer.io.registry import FORMATS, KNOWN_SUFFIXES, SUFFIXES
from napari_pickeroptimizer.schema import COLUMNS

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "src" / "napari_pickeroptimizer" / "napari.yaml"
PAGE = ROOT / "docs" / "reference" / "formats.md"


def manifest(text: str) -> str:
    """Return the manifest with the patterns of its readers and writers."""
    micrographs = (*MRC_SUFFIXES, *TIFF_SUFFIXES, *PACKED_SUFFIXES, ".star")
    for command, key, values in (
        ("get_micrographs_reader", "filename_patterns", [f"*{s}" for s in micrographs]),
        ("get_picks_reader", "filename_patterns", [f"*{s}" for s in KNOWN_SUFFIXES]),
        ("write_points", "filename_extensions", SUFFIXES),
    ):
        listed = ", ".join(f'"{value}"' for value in values)
        text = re.sub(
            rf"(- command: \S+\.{command}\n(?:      .*\n)*?      {key}: )\[.*\]",
            rf"\g<1>[{listed}]",
            text,
        )
    return text


def page(text: str) -> str:
    """Return the page of formats with its two tables."""
    formats = table(
        ("file", "name ends in", "read and written", "cannot hold"),
        (
            (
                f.title,
                ", ".join(f"`{suffix}`" for suffix in f.suffixes),
                "yes" if f.read is not None else "no",
                f.cannot_hold or "–",
            )
            for f in FORMATS
        ),
    )
    columns = table(
        ("in `Picks.table`", "in a STAR", "in a CSV", "holds"),
        (
            (
                f"`{c.name}`",
                " or ".join(f"`{label}`" for label in c.star_labels) or "–",
                f"`{c.csv_name}`" if c.star else "–",
                c.words,
            )
            for c in COLUMNS
        ),
    )
    return filled(text, {"formats": formats, "columns": columns})


def main() -> None:
    for path, updated in ((MANIFEST, manifest), (PAGE, page)):
        text = path.read_text(encoding="utf-8")
        path.write_text(updated(text), encoding="utf-8")


if __name__ == "__main__":
    main()
