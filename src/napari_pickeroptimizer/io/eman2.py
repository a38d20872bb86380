"""EMAN2's ``info/*_info.json``: the centres of boxes among all that EMAN2 knows of a micrograph.

The text is changed only where boxes go: other keys, their order and spacing stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.outputs import write_each_micrograph
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.text import read_text
from napari_pickeroptimizer.schema import PICKER_SCORE, X, Y
from napari_pickeroptimizer.sources import PickSource

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks

_BOXES, _BOXES_3D = "boxes", "boxes_3d"
_ENDING = "_info"
# How EMAN2 found a box; behind it, those found automatically have a score.
_AUTOMATIC, _TOMOGRAM = "auto", "tomo"
_BLANKS = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class _Value:
    """A value in JSON text, and where it is written: ``text[start:stop]``."""

    start: int
    stop: int
    value: Any


@dataclass(frozen=True, eq=False)
class InfoSource(PickSource):
    """An info file: `render` leaves out boxes, and changes nothing else.

    Parameters
    ----------
    text : str
        All of it.
    boxes : tuple of _Value
        Each box.
    stop : int
        Where the list of boxes ends, behind its bracket.
    """

    text: str
    boxes: tuple[_Value, ...]
    start: int
    stop: int
    holds_columns = False

    @property
    def besides(self) -> tuple[str, ...]:
        """The keys of all else that EMAN2 knows of the micrograph."""
        return tuple(key for key, _ in _members(self.text) if key != _BOXES)

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only the boxes of `rows`; a score replaces a box's own."""
        if not self.boxes:
            return self.text
        scores = columns.get(PICKER_SCORE.star)
        parts = []
        for i, row in enumerate(np.asarray(rows).tolist()):
            box = self.boxes[row]
            if i:  # what separates boxes, as it is before this one
                parts.append(self.text[self.boxes[row - 1].stop : box.start])
            parts.append(self._box(box, None if scores is None else float(scores[i])))
        first, last = self.boxes[0], self.boxes[-1]
        kept = "".join(parts)
        if kept:
            kept = self.text[self.start + 1 : first.start] + kept
            kept += self.text[last.stop : self.stop - 1]
        return f"{self.text[: self.start]}[{kept}]{self.text[self.stop :]}"

    def _box(self, box: _Value, score: float | None) -> str:
        if score is None or not np.isfinite(_score(box.value)):
            return self.text[box.start : box.stop]
        old = list(_elements(self.text, box.start))[3]
        new = "NaN" if np.isnan(score) else f"{score:.6f}"
        return self.text[box.start : old.start] + new + self.text[old.stop : box.stop]


def read_info(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read the boxes of an EMAN2 info file; they are centres, row 0 the first of the file.

    Parameters
    ----------
    path : Path
        The file.
    micrograph : str, optional
        Name of the micrograph; by default the file's own without ``_info.json``.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file is no JSON object, has no boxes or those of a tomogram, or a box is no list of
        x, y and how it was found; the box is named.
    """
    text, encoding = read_text(path)
    try:
        keys = dict(_members(text))
        boxes = keys.get(_BOXES)
        is_list = boxes is not None and isinstance(boxes.value, list)
        elements = tuple(_elements(text, boxes.start)) if boxes and is_list else ()
    except json.JSONDecodeError as error:
        raise PickFormatError(
            f"{path}, line {error.lineno}: {error.msg}. Is the file damaged? EMAN2 can write it "
            "again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise PickFormatError(f"{path} is no JSON that is read: {error}.") from error
    if _BOXES_3D in keys:
        raise PickFormatError(
            f"{path} is of a tomogram ({_BOXES_3D}). This package prunes picks on two-dimensional "
            "micrographs."
        )
    helices = [key for key in keys if "helix" in key.lower()]
    if helices and not elements:
        raise PickFormatError(
            f"{path} holds filaments ({helices[0]}), whose boxes cannot go one by one. This "
            "package prunes picks of single particles."
        )
    if boxes is None or not is_list:
        raise PickFormatError(
            f"{path} has no list of boxes: found {', '.join(map(repr, [*keys][:5])) or 'nothing'}. "
            "Pass an info file of a micrograph that was boxed in EMAN2."
        )
    values = [
        _checked(text, element, f"{path}, box {i}") for i, element in enumerate(elements, 1)
    ]
    columns: dict[str, tuple[str, NDArray[Any]]] = {
        X.name: ("x", np.array([box[0] for box in values], dtype=np.float64)),
        Y.name: ("y", np.array([box[1] for box in values], dtype=np.float64)),
    }
    scores = np.array([_score(box) for box in values], dtype=np.float64)
    if not np.isnan(scores).all():
        columns[PICKER_SCORE.name] = ("score", scores)
    source = InfoSource(path, encoding, text, elements, boxes.start, boxes.stop)
    name = path.stem if micrograph is None else micrograph
    return FilePicks.parsed(
        source, columns, lambda row: f"{path}, box {row + 1}", name.removesuffix(_ENDING)
    )


def write_info(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to new info files with boxes alone, as for `PickFormat`."""

    def text_of(part: Picks) -> str:
        scores = part.values(PICKER_SCORE).tolist()
        rows = [
            [x, y, "manual"] if np.isnan(score) else [x, y, _AUTOMATIC, score]
            for (y, x), score in zip(part.coords_yx_px().tolist(), scores, strict=True)
        ]
        boxes = ",\n".join(map(json.dumps, rows))
        return f'{{\n"{_BOXES}": [\n{boxes}\n]\n}}\n'

    return write_each_micrograph(picks, output, ".json", text_of, ending=_ENDING)


def _checked(text: str, element: _Value, where: str) -> list[Any]:
    box: Any = element.value
    is_box = isinstance(box, list) and len(box) > 2 and isinstance(box[2], str)
    if not is_box or not all(_is_number(value) for value in box[:2]):
        found = " ".join(text[element.start : element.stop].split())[:60]
        raise PickFormatError(
            f"{where}: {found} is no box of EMAN2: expected a list of x and y of the centre, and "
            'how it was found, as [10, 20, "manual"].'
        )
    if box[2].startswith(_TOMOGRAM):
        raise PickFormatError(
            f"{where}: it is of a tomogram ({box[2]!r}). This package prunes picks on "
            "two-dimensional micrographs."
        )
    return list(box)


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float can be; true and false are none."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 1 << 53)


def _score(box: list[Any]) -> float:
    """Return the score of a box; only of one that was found automatically it is one."""
    scored = len(box) > 3 and box[2].startswith(_AUTOMATIC) and _is_number(box[3])
    return float(box[3]) if scored else np.nan


def _members(text: str) -> Iterator[tuple[str, _Value]]:
    """Yield the keys of the object that a text is, with their values.

    Raises
    ------
    json.JSONDecodeError, ValueError
        It is none, or a key is there twice.
    """
    i = _after(text, 0)
    _expect(text, i, "{")
    i = _after(text, i + 1)
    seen: set[str] = set()
    while text[i : i + 1] != "}":
        if seen:
            _expect(text, i, ",")
            i = _after(text, i + 1)
        _expect(text, i, '"')
        key, i = _DECODER.raw_decode(text, i)
        i = _after(text, i)
        _expect(text, i, ":")
        start = _after(text, i + 1)
        value, stop = _DECODER.raw_decode(text, start)
        if key in seen:
            raise json.JSONDecodeError(f"the key {key!r} is there twice", text, start)
        seen.add(key)
        yield key, _Value(start, stop, value)
        i = _after(text, stop)
    if _after(text, i + 1) < len(text):
        raise json.JSONDecodeError("more text behind the end", text, i + 1)


def _elements(text: str, start: int) -> Iterator[_Value]:
    """Yield the elements of the list that begins at `start`, which was decoded before."""
    i = _after(text, start + 1)
    while text[i] != "]":
        value, stop = _DECODER.raw_decode(text, i)
        yield _Value(i, stop, value)
        i = _after(text, stop)
        if text[i] == ",":
            i = _after(text, i + 1)


def _after(text: str, i: int) -> int:
    """Return the position of what follows blanks."""
    match = _BLANKS.match(text, i)
    assert match is not None  # the pattern matches nothing, too
    return match.end()


def _expect(text: str, i: int, character: str) -> None:
    if text[i : i + 1] != character:
        raise json.JSONDecodeError(f"expected {character}", text, i)


FORMAT = PickFormat(
    name="EMAN2",
    title="EMAN2 info file of a micrograph with its boxes",
    suffixes=(".json",),
    holds_picks=lambda head: f'"{_BOXES}"' in head,
    is_common_suffix=True,
    read=read_info,
    cannot_hold="classes and probabilities: a STAR is written for those",
    write=write_info,
    room=Room(columns=(PICKER_SCORE,), one_file_a_micrograph=True),
)
