"""A journal on disk of every label, which survives crashes and deleted layers.

One file for one set of picks, append-only, a line of JSON for each change. Replaying all lines
restores the labels. A file that two viewers wrote to, or whose last line was cut off, can be
read as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import (
    MAX_CLASS,
    UNLABELLED,
    plural,
)
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.label_matching import match_labels_by_name

STATE_VARIABLE = "PICKEROPTIMIZER_STATE"
VERSION = 1
PLACE = ["micrograph", "x", "y"]


@dataclass(frozen=True)
class Recovery:
    """Labels of an earlier session that the picks lack.

    Parameters
    ----------
    rows : (n,) int
        The picks whose label differs now.
    before, labels : (n,) int8
        Their current label, and that of the earlier session.
    added : Picks
        Picks that the user had added, with their labels.
    when : datetime
        Time of the last label (UTC).
    n_lost : int
        Labels for which there is no pick any more.
    names : dict
        The user's own names of classes.
    """

    rows: NDArray[np.intp]
    before: NDArray[np.int8]
    labels: NDArray[np.int8]
    added: Picks
    when: datetime
    n_lost: int = 0
    names: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows) + len(self.added)

    @property
    def n_labels(self) -> int:
        """How many labels there are, without those that were taken back."""
        return int(np.count_nonzero(self.labels) + np.count_nonzero(self.added.labels))

    @property
    def what(self) -> str:
        """``43 labels``, and what else there is: ``and 1 pick that you added``."""
        n_taken_back = int(np.count_nonzero(self.labels == UNLABELLED))
        parts = [plural(self.n_labels, "label")] if self.n_labels else []
        parts += [f"{plural(n_taken_back, 'label')} taken back"] if n_taken_back else []
        n = len(self.added)
        parts += [f"{plural(n, 'pick')} that you added"] if n else []
        return " and ".join(parts)

    @property
    def sentence(self) -> str:
        """For the user: ``43 labels of 22 November, 18:03``."""
        local = self.when.astimezone()
        text = f"{self.what} of {local.day} {local:%B, %H:%M}"
        return f"{text} ({self.n_lost} more match no pick)" if self.n_lost else text

    def only(self, which: NDArray[np.bool_]) -> Recovery:
        """Return some of the labels, and all of the added picks."""
        rows, before, labels = self.rows[which], self.before[which], self.labels[which]
        return replace(self, rows=rows, before=before, labels=labels)


class Journal:
    """Writes the labels of one set of picks.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, picks: Picks, rows: NDArray[np.intp], *, added: bool = False) -> None:
        """Append the labels that `rows` have now; `added` where the user made these picks.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        table = picks.table
        places = table[PLACE].iloc[rows]
        labels = picks.labels[rows]
        lines = []
        for class_id in np.unique(labels):
            chosen = places[labels == class_id]
            line: dict[str, Any] = {"label": int(class_id), "at": _places_json(chosen)}
            lines.append({**line, "added": True} if added else line)
        self._append(lines, picks)

    def write_removed(self, picks: Picks) -> None:
        """Append that the user took away these picks of no file."""
        places = _places_json(picks.table[PLACE])
        self._append([{"label": UNLABELLED, "at": places, "removed": True}], picks)

    def write_names(self, names: Mapping[int, str], picks: Picks) -> None:
        """Append the names of the classes."""
        self._append([{"classes": {str(i): name for i, name in names.items()}}], picks)

    def forget(self, picks: Picks) -> None:
        """Append a record that discards the labels so far; they stay in the file."""
        self._append([{"forget": True}], picks)

    def recovery(self, picks: Picks) -> Recovery | None:
        """Return the labels of the file that `picks` lack; None if there are none."""
        entries = list(_read(self.path))
        if not entries:
            return None
        names: dict[int, str] = {}
        parts: list[pd.DataFrame] = []
        when = datetime.fromtimestamp(0, UTC)
        for entry in entries:
            if entry.get("forget"):
                parts.clear()
            if "classes" in entry:
                names = {int(i): str(name) for i, name in entry["classes"].items()}
            if "at" in entry:
                parts.append(_places(entry))
                when = max(when, datetime.fromisoformat(entry["time"]))
        if not parts:
            return None
        every = pd.concat(parts, ignore_index=True)
        # a pick that the user added stays one, however often it is labelled afterwards
        every["added"] = every.groupby(PLACE)["added"].transform("any")
        last = every.drop_duplicates(PLACE, keep="last")
        last = last[~last["removed"]]  # what was added, and taken away again
        labels, unmatched = _at_same_place(picks, last)
        is_new = unmatched["added"].to_numpy(bool)
        moved = unmatched[~is_new & (unmatched["label"] != UNLABELLED)]
        n_lost = len(moved)
        if len(moved):  # the picker ran again: its coordinates differ in the last digits
            matched = match_labels_by_name(picks.with_labels(labels), _picks(moved))
            labels, n_lost = matched.picks.labels, len(matched.unmatched)
        rows = np.flatnonzero(labels != picks.labels)
        added = _picks(unmatched[is_new])
        if not len(rows) and not len(added):
            return None
        return Recovery(rows, picks.labels[rows], labels[rows], added, when, n_lost, names)

    def _append(self, lines: Iterable[Mapping[str, Any]], picks: Picks) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = "".join(json.dumps({"time": time, **line}) + "\n" for line in lines)
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            header = {"version": VERSION, "picks": source_name(picks), "time": time}
            text = json.dumps(header) + "\n" + text
        # one write: two programs that append do not cut into each other's lines
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def journal_of(picks: Picks, home: str = "") -> Journal:
    """Return the journal of a set of picks: by its files, or by `home` and places without any."""
    digest = hashlib.blake2b(digest_size=8)
    if picks.file_list is not None:
        digest.update(os.fsencode(picks.file_list.path.resolve()))
    elif picks.sources:
        for source in picks.sources:
            digest.update(os.fsencode(source.path.resolve()))
    else:
        digest.update(os.fsencode(home))
        digest.update(picks.coords_yx_px().tobytes())
        names = pd.util.hash_pandas_object(picks.table["micrograph"])
        digest.update(names.to_numpy().tobytes())
    stem = Path(source_name(picks)).stem or "picks"
    return Journal(state_folder() / "labels" / f"{stem}-{digest.hexdigest()}.jsonl")


def source_name(picks: Picks) -> str:
    """Return the path of the file, or of the index, that picks came from; else nothing."""
    if picks.file_list is not None:
        return str(picks.file_list.path.resolve())
    return str(picks.sources[0].path.resolve()) if picks.sources else ""


def state_folder() -> Path:
    """Return the folder of journals: ``$PICKEROPTIMIZER_STATE``."""
    told = os.environ.get(STATE_VARIABLE)
    if told:
        return Path(told)
    from platformdirs import user_state_path

    return user_state_path("napari-pickeroptimizer", appauthor=False)


def _read(path: Path) -> Iterable[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("label", 0) in range(MAX_CLASS + 1):
                yield entry
        except (ValueError, RecursionError):
            continue  # cut off by a kill, or by a full disk


def _places_json(places: pd.DataFrame) -> dict[str, list[list[float]]]:
    return {
        str(name): group[["x", "y"]].to_numpy(np.float64).tolist()
        for name, group in places.groupby("micrograph", sort=False)
    }


def _places(entry: Mapping[str, Any]) -> pd.DataFrame:
    names = [name for name, at in entry["at"].items() for _ in at]
    xy = np.array([p for at in entry["at"].values() for p in at], dtype=np.float64)
    xy = xy.reshape(-1, 2)
    table = pd.DataFrame({"micrograph": pd.Series(names, dtype="str"), "x": xy[:, 0]})
    flags = {name: bool(entry.get(name)) for name in ("added", "removed")}
    return table.assign(y=xy[:, 1], label=entry["label"], **flags)


def _at_same_place(picks: Picks, last: pd.DataFrame) -> tuple[NDArray[np.int8], pd.DataFrame]:
    """Return the labels of the picks, and the rows of `last` that lie on none."""
    relevant = picks.table[PLACE].loc[picks.table["micrograph"].isin(set(last["micrograph"]))]
    merged = relevant.assign(row=relevant.index).merge(
        last.assign(entry=np.arange(len(last))), on=PLACE, how="inner"
    )
    labels = picks.labels.copy()
    labels[merged["row"].to_numpy(np.intp)] = merged["label"].to_numpy(np.int8)
    on_pick = np.isin(np.arange(len(last)), merged["entry"].to_numpy())
    return labels, last.loc[~on_pick]


def _picks(table: pd.DataFrame) -> Picks:
    return Picks.from_arrays(
        table["micrograph"].tolist(), x=table["x"], y=table["y"], label=table["label"]
    )
