"""Scores on disk: an append-only journal, from which a killed run resumes.

The folder ``scores`` of an output folder holds one file for each shard of a scoring,
``<model>-<views>views.<shard>-of-<shards>.log``, where ``<model>`` is the start of the model's
digest and ``<views>`` a number or ``auto``. A file is UTF-8 text, one record a line::

    <crc32 of the JSON text, 8 hex digits> <JSON> LF

A line that was cut off, as by a kill, has no LF: it is removed when the file is continued. A
line with a wrong checksum is skipped, and its micrograph scored again. Records have a
``kind``:

``header`` (the first)
    ``version`` of the format; ``model``, the SHA-256 of weights and card; ``card``, the model's
    card; ``n_views``; ``shard``, its index and the number of shards.
``inputs`` (whenever other inputs were passed)
    The user's inputs: the newest record is valid.
``scored`` (one a micrograph)
    ``names``, as the picks spell it; ``image`` (path, section, flip_y, pixel_size_ang, and size
    and mtime_ns of the file); ``picks``, the SHA-256 of the picks' coordinates in the order of
    the table; ``shape_px`` (ny, nx); ``n_outside``; ``p``, the (n, n_classes) probabilities, and
    ``figures``, means of grey levels and features for models that compare them (or null).
``failed``
    ``names``, ``image`` and ``picks`` likewise, and the ``reason``.

Arrays are base64 of little-endian float32 (``p``) and float64 (``figures``). A micrograph may
have several records: the newest with the current picks, image, model and views is used.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import OutputError, SettingsError
from napari_pickeroptimizer.io.atomic import writing
from napari_pickeroptimizer.micrographs import Micrograph
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.prune.score_folder import FILES
from napari_pickeroptimizer.reading import MicrographFailed, MicrographRows
from napari_pickeroptimizer.staging import lock_file
from napari_pickeroptimizer.trust.reference import MicrographFigures

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks

SCORES_VERSION = 1


@dataclass(frozen=True)
class Shard:
    """One of several parts of a scoring, each a part of the micrographs.

    Parameters
    ----------
    index, count : int
        Index, from 1, and number of shards.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise SettingsError(f"shard {self} does not exist: expected 1/{self.count} or so.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard of a text such as ``2/8``.

        Raises
        ------
        SettingsError
            The text is not a shard.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if match is None:
            raise SettingsError(
                f"{text!r} is no shard: expected such as 2/8, the second of 8."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def of(self, groups: Sequence[MicrographRows]) -> list[MicrographRows]:
        """Return the micrographs of this shard: every `count`-th."""
        return list(groups[self.index - 1 :: self.count])


@dataclass(frozen=True, eq=False)
class Record:
    """A record ``scored`` or ``failed``, and its shard."""

    values: Mapping[str, Any]
    shard: Shard

    @property
    def names(self) -> tuple[str, ...]:
        """The micrograph, as the picks spell it."""
        return tuple(self.values["names"])

    @property
    def is_scored(self) -> bool:
        """Whether it holds scores."""
        return bool(self.values["kind"] == "scored")

    @property
    def key(self) -> str:
        """Digest of image and picks: scores are valid while it is the same."""
        return _key(self.values["image"], self.values["picks"])

    @property
    def micrograph(self) -> Micrograph | None:
        """The image as resolved at scoring; None where it was missing."""
        image = self.values["image"]
        if image is None:
            return None
        return Micrograph(
            image["name"], Path(image["path"]), image["pixel_size_ang"], image["section"],
            image["flip_y"],
        )  # fmt: skip

    @property
    def shape_px(self) -> tuple[int, int] | None:
        """(ny, nx) of the image, None where it was not read."""
        shape = self.values.get("shape_px")
        return None if shape is None else (int(shape[0]), int(shape[1]))

    def event(
        self, group: MicrographRows, n_classes: int, done: tuple[int, int]
    ) -> MicrographScored | MicrographFailed:
        """Return the scoring event that the record was written from."""
        if not self.is_scored:
            return MicrographFailed(group, self.values["reason"], *done)
        p = _floats(self.values["p"], "<f4").reshape(-1, n_classes).astype(np.float32)
        figures = self.values["figures"]
        return MicrographScored(
            group, p, self.values["n_outside"], *done, None,
            None if figures is None else MicrographFigures(
                figures["n"], _floats(figures["grey"]), _floats(figures["features"]),
                figures["share"],
            ),
            self.shape_px,
        )  # fmt: skip


@dataclass(eq=False)
class StoredScores:
    """All scores of one model in a folder, as its files are read.

    Parameters
    ----------
    header : mapping
        Model, card, views.
    inputs : mapping
        The user's inputs of the newest scoring.
    records : list of Record
        In the order of files and lines.
    shards : list of Shard
        Of the files.
    """

    header: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)


def model_digest(classifier: Classifier) -> str:
    """Return the SHA-256 of a model's weights and card, in hex digits."""
    digest = hashlib.sha256(classifier.card.to_json().encode())
    for name, weights in sorted(classifier.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def picks_digest(coords_yx_px: NDArray[np.float64]) -> str:
    """Return the SHA-256 of (n, 2) coordinates in their order, in hex digits."""
    return hashlib.sha256(
        np.ascontiguousarray(coords_yx_px, dtype="<f8").tobytes()
    ).hexdigest()


def image_identity(micrograph: Micrograph | None) -> dict[str, Any] | None:
    """Return path, options, size and time of an image, to detect changes; None if missing."""
    if micrograph is None:
        return None
    try:
        status = micrograph.path.stat()
    except OSError:
        status = None
    return {
        "name": micrograph.name,
        "path": os.path.abspath(micrograph.path),  # noqa: PTH100 (links stay)
        "section": micrograph.section,
        "flip_y": micrograph.flip_y,
        "pixel_size_ang": micrograph.pixel_size_ang,
        "size": None if status is None else status.st_size,
        "mtime_ns": None if status is None else status.st_mtime_ns,
    }


def group_key(group: MicrographRows, coords_yx_px: NDArray[np.float64]) -> str:
    """Return the key of a micrograph's record."""
    return _key(image_identity(group.micrograph), picks_digest(coords_yx_px[group.rows]))


class ScoreJournal:
    """The file of one shard, opened for appending; a context manager.

    Parameters
    ----------
    folder : Path
        The folder ``scores``, made if need be.
    header : mapping
        ``model``, ``card`` and ``n_views``.
    shard : Shard
        Which part.

    Raises
    ------
    SettingsError
        Another process scores this shard.
    OutputError
        The file cannot be written.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any], shard: Shard) -> None:
        scoring = f"{header['model'][:12]}-{header['n_views']}views"
        self.path = folder / f"{scoring}.{shard.index}-of-{shard.count}.log"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # not buffered: what is left of a record on a full disk is not written again on closing
            self._file: IO[bytes] = self.path.open("a+b", buffering=0)
        try:
            lock_file(self._file)
        except OSError as error:
            self._file.close()
            raise SettingsError(
                f"another process scores shard {shard} into {folder.parent}: wait until it has "
                "ended, or choose another folder."
            ) from error
        self._file.seek(0)
        text = self._file.read()
        complete = text.rfind(b"\n") + 1
        if complete < len(text):
            self._file.truncate(complete)
        lines = list(_lines(text[:complete]))
        if not lines:
            self._file.truncate(0)
            self.append({"kind": "header", "version": SCORES_VERSION, **header,
                         "shard": [shard.index, shard.count]})  # fmt: skip
        self._inputs = next((v for v in reversed(lines) if v["kind"] == "inputs"), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, values: Mapping[str, Any]) -> None:
        """Write a record; it is in the file when this returns, whatever ends the process then."""
        # plain ASCII: the name of a file may hold bytes that are no text
        text = json.dumps(values, separators=(",", ":")).encode()
        line = memoryview(b"%08x %s\n" % (zlib.crc32(text), text))
        with writing(self.path):
            while len(line):
                line = line[self._file.write(line) :]

    def set_inputs(self, inputs: Mapping[str, Any]) -> None:
        """Write the user's inputs, unless the newest record has the same."""
        record = {"kind": "inputs", **json.loads(json.dumps(inputs))}
        if record != self._inputs:
            self.append(record)
            self._inputs = record


def record_of(
    event: MicrographScored | MicrographFailed, picks: Picks, coords_yx_px: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the record of an event."""
    rows = event.group.rows
    record: dict[str, Any] = {
        "kind": "failed" if isinstance(event, MicrographFailed) else "scored",
        "names": picks.table["micrograph"].iloc[rows].astype(str).unique().tolist(),
        "image": image_identity(event.group.micrograph),
        "picks": picks_digest(coords_yx_px[rows]),
    }
    if isinstance(event, MicrographFailed):
        return {**record, "reason": event.reason}
    figures = event.figures
    return {
        **record,
        "shape_px": event.shape_px,
        "n_outside": event.n_outside,
        "p": _text(event.probabilities, "<f4"),
        "figures": None if figures is None else {
            "n": figures.n, "grey": _text(figures.grey), "features": _text(figures.features),
            "share": figures.share,
        },
    }  # fmt: skip


def read_scores(folder: Path) -> list[StoredScores]:
    """Return the scores in a folder, one entry a model; empty where there are none.

    Raises
    ------
    SettingsError
        A file is not a journal of scores, or of a newer version.
    OutputError
        A file cannot be read.
    """
    scores_of: dict[tuple[str, int], StoredScores] = {}
    for path in sorted(folder.glob(FILES)):
        try:
            text = path.read_bytes()
        except OSError as error:
            raise OutputError(f"{path} cannot be read: {error.strerror}.") from error
        lines = list(_lines(text))
        if not lines:
            continue  # a run that was killed before its first record
        header = lines[0]
        if header.get("kind") != "header" or header["version"] > SCORES_VERSION:
            raise SettingsError(
                f"{path} holds no scores that this version can read: move it away, and score "
                "again."
            )
        scores = scores_of.setdefault(
            (header["model"], header["n_views"]), StoredScores(header)
        )
        shard = Shard(*header["shard"])
        scores.shards.append(shard)
        for values in lines:
            if values["kind"] == "inputs":
                scores.inputs = {k: v for k, v in values.items() if k != "kind"}
            elif values["kind"] in ("scored", "failed"):
                scores.records.append(Record(values, shard))
    return [*scores_of.values()]


def _lines(text: bytes) -> Iterator[dict[str, Any]]:
    """Yield the records of complete lines with a correct checksum."""
    for line in text.split(b"\n")[:-1]:
        checksum, _, record = line.partition(b" ")
        if checksum == b"%08x" % zlib.crc32(record):
            yield json.loads(record)


def _key(image: Mapping[str, Any] | None, picks: str) -> str:
    identity = None if image is None else {k: v for k, v in image.items() if k != "name"}
    return json.dumps([identity, picks], sort_keys=True)


def _text(values: NDArray[Any], dtype: str = "<f8") -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()


def _floats(text: str, dtype: str = "<f8") -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)
