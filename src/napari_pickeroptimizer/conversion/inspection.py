"""What a file is: picks of which program, how many, where; a micrograph; a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.conversion.losses import losses, other_labels, source_format
from napari_pickeroptimizer.errors import (
    CheckpointError,
    PickFormatError,
    PicksNotFoundError,
)
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.image_names import image_suffix, no_micrograph
from napari_pickeroptimizer.io.images import (
    image_shape_px,
    mrcs_sections,
    open_pixel_size_ang,
    stored_image,
)
from napari_pickeroptimizer.io.micrograph_files import find_micrograph_files
from napari_pickeroptimizer.io.registry import EXPECTED, FORMATS, format_of
from napari_pickeroptimizer.schema import COLUMNS, LABEL, PICKER_SCORE, Column

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.pick_format import Need
    from napari_pickeroptimizer.picks import Picks

MOST_NAMES = 2  # in a phrase about a target format
MODEL_SUFFIX = ".safetensors"
_MOST_HEADER_BYTES = 50_000_000
_HEAD_BYTES = 2**16


@dataclass(frozen=True)
class Target:
    """What picks would lose as a new file of a format.

    Parameters
    ----------
    format : str
        Its name.
    lost : tuple of str
        One phrase each; empty if nothing is.
    needs : tuple of str
        What has to be given, that the picks do not tell: fields of `Given`.
    """

    format: str
    lost: tuple[str, ...]
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Inspection:
    """What one path holds.

    Parameters
    ----------
    path : str
        The file, folder or glob.
    kind : {"picks", "micrographs", "model", "unreadable"}
        What it is.
    what : str
        In words: program and format; or why it cannot be read, and what to do.
    facts : mapping of str to value
        Counts, columns, sizes, ranges: what is known, in the order in which it is told.
    targets : tuple of Target
        For picks, one for each format that can be written.
    """

    path: str
    kind: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as values for JSON."""
        return asdict(self)


def inspect_path(where: str) -> Inspection:
    """Return what is at a path: a pick file or many, micrographs, or a model.

    Nothing is read but what it takes: of an image the header, of a model its card.

    Raises
    ------
    PickerOptimizerError
        What is there cannot be read; the message tells file, what was expected and what to do.
    """
    path = Path(where).expanduser()
    if path.suffix.lower() == MODEL_SUFFIX:
        return _model(where, path)
    if image_suffix(path) or (path.is_file() and no_micrograph(path)):
        return _image(where, path)
    if path.is_file() and _lists_micrographs(path):
        return _micrographs(where)
    try:
        return _picks(where, read_picks(where))
    except PicksNotFoundError:
        if not path.is_dir():
            raise
        return _micrographs(where)
    except PickFormatError as error:
        if path.is_file() and format_of(path) is None:
            raise PickFormatError(
                f"{where} is nothing that this program reads: expected picks ({EXPECTED}), an "
                f"image, or a model ({MODEL_SUFFIX})."
            ) from error
        raise


def _picks(where: str, picks: Picks) -> Inspection:
    pick_format = source_format(picks)
    anchor = None if pick_format is None else pick_format.room.anchor
    what = "picks of several formats" if pick_format is None else pick_format.title
    counts = [len(rows) for rows in picks.rows_by_micrograph().values()]
    columns = [c for c in COLUMNS if c.name in picks.table and not _is_empty(c, picks)]
    besides = dict.fromkeys(name for source in picks.sources for name in source.besides)
    facts: dict[str, Any] = {
        "format": None if pick_format is None else pick_format.name,
        "files": len(picks.sources),
        "picks": len(picks),
        "micrographs": len(counts),
        "picks_each": [min(counts), max(counts)] if counts else None,
        "columns": [c.name for c in columns],
        "other_columns": list(other_labels(picks)),
        "besides": list(besides),
        "pixel_size_ang": _common([s.pixel_size_ang for s in picks.sources]),
        "box_px": _common([s.box_px for s in picks.sources]),
        "places": anchor,
        "unreadable_by": picks.unreadable_by or None,
    }
    if len(picks):
        y_px, x_px = picks.coords_yx_px().T
        facts |= {"x": _range(x_px), "y": _range(y_px), "whole_pixels": _are_whole(x_px, y_px)}
    scores = picks.values(PICKER_SCORE)
    if np.isfinite(scores).any():
        facts["score"] = _range(scores[np.isfinite(scores)])
    ids, numbers = np.unique(picks.values(LABEL), return_counts=True)
    labels = dict(zip(ids.tolist(), numbers.tolist(), strict=True))
    labels.pop(0, None)
    if labels:
        facts["labels"] = {str(i): n for i, n in labels.items()}
    targets = tuple(
        Target(
            f.name,
            ()
            if f is pick_format
            else tuple(losses(picks, f, facts["box_px"], most_names=MOST_NAMES)),
            tuple(n for n in f.room.needs if f is not pick_format and facts.get(n) is None),
        )
        for f in FORMATS
        if f.write is not None
    )
    return Inspection(where, "picks", what, facts, targets)


def _image(where: str, path: Path) -> Inspection:
    n_sections = mrcs_sections(path) if image_suffix(path).startswith(".mrcs") else 1
    ny, nx = image_shape_px(path, 0)
    stored = stored_image(path, 0)
    facts = {
        "shape_px": [nx, ny],
        "sections": n_sections,
        "numbers": None if stored is None else stored.dtype.newbyteorder("=").name,
        "pixel_size_ang": open_pixel_size_ang(path),
    }
    what = "micrograph" if n_sections == 1 else "stack of micrographs"
    return Inspection(where, "micrographs", what, facts)


def _micrographs(where: str) -> Inspection:
    rows = find_micrograph_files(where)
    sizes = {row.pixel_size_ang for row in rows}
    facts = {
        "micrographs": len(rows),
        "found": sum(row.path.is_file() for row in rows),
        "pixel_size_ang": sizes.pop() if len(sizes) == 1 else None,
    }
    if not rows:
        raise PicksNotFoundError(f"{where} holds neither picks nor micrographs.")
    is_folder = Path(where).expanduser().is_dir()
    what = "folder of micrographs" if is_folder else "list of micrographs, without picks"
    return Inspection(where, "micrographs", what, facts)


def _lists_micrographs(path: Path) -> bool:
    """Whether a table names micrographs and, by its head, no picks."""
    pick_format = format_of(path)
    if pick_format is None:
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).decode("latin-1")
    return "_rlnMicrographName" in head and not pick_format.holds_picks(head)


def _model(where: str, path: Path) -> Inspection:
    """Return what a model's card says, unchecked: the weights are not read, and no torch."""
    expected = "expected a model written by `pickeroptimizer finetune`."
    if not path.is_file():
        raise CheckpointError(f"{path}: no such model file; {expected}")
    try:
        with path.open("rb") as file:
            n_bytes = int.from_bytes(file.read(8), "little")
            if n_bytes > min(_MOST_HEADER_BYTES, path.stat().st_size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(n_bytes))
        card = json.loads(header["__metadata__"]["card"])
        boxes = card["boxes"]
        facts = {
            "classes": dict(
                zip(map(str, card["class_ids"]), card["class_names"], strict=True)
            ),
            "backbone": card["backbone"],
            "diameter_px": boxes.get("diameter_px"),
            "pixel_size_ang": card.get("pixel_size_ang"),
            "version": card.get("versions", {}).get("napari-pickeroptimizer"),
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is no model of this program ({error}): {expected}"
        ) from error
    return Inspection(where, "model", "model of this program, as its card says", facts)


def _is_empty(column: Column, picks: Picks) -> bool:
    return bool(column.is_missing(picks.values(column)).all())


def _common(values: list[float | None]) -> float | None:
    return values[0] if values and len(set(values)) == 1 else None


def _range(values: np.ndarray[Any, Any]) -> list[float]:
    return [float(values.min()), float(values.max())]


def _are_whole(*values: np.ndarray[Any, Any]) -> bool:
    return all(bool((v == np.rint(v)).all()) for v in values)
