"""cryoSPARC's picks: a table (``.cs``), or a result group (``.csg``) of several."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.cs_table import CsTable, array_bytes
from napari_pickeroptimizer.io.csg import Group
from napari_pickeroptimizer.io.outputs import check_output_file, write_content
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.schema import MICROGRAPH, PICKER_SCORE, X, Y
from napari_pickeroptimizer.sources import PickSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_pickeroptimizer.picks import Picks

_X, _Y = "location/center_x_frac", "location/center_y_frac"
_SHAPE, _PATH = "location/micrograph_shape", "location/micrograph_path"  # (rows, columns)
_SCORE = "pick_stats/ncc_score"
# cryoSPARC puts the exposure's 21-digit uid in front of every file name it writes.
CRYOSPARC_UID = re.compile(r"^(\d{21})_")


@dataclass(frozen=True, eq=False)
class CsSource(PickSource):
    """One ``.cs`` file: `render` copies the kept rows, with all their columns."""

    table: CsTable
    holds_columns = False
    takes_places = places_are_fractions = True

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Columns that hold neither places nor the score."""
        return _others(self.table)

    @property
    def advice(self) -> str:
        """That cryoSPARC imports groups only, and which group the file is of."""
        groups = sorted(g.name for g in self.path.parent.glob("*.csg") if _names(g, self.path))
        which = (
            f": {groups[0]}, which lies beside it"
            if groups
            else " (Export in the tab Outputs)"
        )
        return (
            f"{self.path.name} is one table, and so are the results; cryoSPARC's Import Result "
            f"Group takes a .csg. To go back there, prune the job's .csg{which}."
        )

    def neighbours(self, rows: NDArray[np.int64]) -> frozenset[str]:
        """Return the files that an exported table names by their place beside it."""
        return _beside(self.table, rows)

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> bytes:
        """Return the file with only `rows`; a score replaces the picker's, and places move."""
        return self.table.render(rows, _replaced(self.table, rows, rows, columns))


@dataclass(frozen=True, eq=False)
class GroupSource(PickSource):
    """A ``.csg`` file and its tables, joined by uid: each keeps the rows of the same picks."""

    group: Group
    tables: Mapping[str, CsTable]
    uids: NDArray[np.uint64]
    holds_columns = False
    takes_places = places_are_fractions = True

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Columns of all tables that hold neither places nor the score."""
        return tuple(dict.fromkeys(n for t in self.tables.values() for n in _others(t)))

    @property
    def files(self) -> tuple[Path, ...]:
        """The group and its tables."""
        return (self.path, *(table.path for table in self.tables.values()))

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the text of the group alone, for tables of the same names."""
        return str(self.contents(rows, columns, self.path.name)[self.path.name])

    def contents(
        self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], name: str
    ) -> dict[str, str | bytes]:
        """Return the tables and the group; of another name, their names begin with it.

        All tables hold the same picks, and so do all counts: rows of a table that are of no
        pick (which has a place) go, too.
        """
        start = "" if name == self.path.name else f"{Path(name).stem}_"
        names = {member: f"{start}{Path(member).name}" for member in self.tables}
        made: dict[str, str | bytes] = {}
        counts: dict[str, int] = {}
        for member, table in self.tables.items():
            picked = table.positions_of(self.uids[rows])
            kept = np.sort(picked)  # the table's own order
            replaced = _replaced(table, picked, kept, columns)
            made[names[member]] = table.render(kept, replaced)
            counts[member] = len(kept)
        made[name] = self.group.render(names, counts)
        return made

    def neighbours(self, rows: NDArray[np.int64]) -> frozenset[str]:
        """Return the files that an exported group names by their place beside it."""
        uids, tables = self.uids[rows], self.tables.values()
        return frozenset().union(*(_beside(t, t.positions_of(uids)) for t in tables))


def _replaced(
    table: CsTable,
    picked: NDArray[Any],
    kept: NDArray[Any],
    columns: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[np.float64]]:
    """Return new scores and places, by the columns of a table that has them.

    Parameters
    ----------
    table : CsTable
        The table.
    picked, kept : (n,) int
        Its rows in the order of the picks, and in the order in which they are written.
    columns : mapping
        (n,) values by label, in the order of the picks; x and y in pixels.
    """
    new: dict[str, NDArray[np.float64]] = {}
    for label, name, side in (
        (PICKER_SCORE.star, _SCORE, None), (Y.star, _Y, 0), (X.star, _X, 1),
    ):  # fmt: skip
        if label not in columns or name not in table.fields:
            continue
        sides = 1 if side is None else table.numbers(_SHAPE, n_each=2)[picked, side]
        values = np.empty(len(table))
        values[picked] = columns[label] / sides
        new[name] = values[kept]
    return new


def _beside(table: CsTable, rows: NDArray[Any]) -> frozenset[str]:
    """Return the paths of a table that begin with >: in an exported one, these lie beside it.

    Others are relative to the folder of the project (asarnow/pyem, issue 102).
    """
    names = [name for name in table.fields if table.table.dtype[name].kind in "SU"]
    texts = {os.fsdecode(t) for name in names for t in set(table.table[name][rows].tolist())}
    return frozenset(text[1:] for text in texts if text.startswith(">"))


def _names(group: Path, table: Path) -> bool:
    """Whether a group names a table in its folder."""
    try:
        return table.name in Group.read(group).members
    except (PickFormatError, PicksNotFoundError):
        return False


def _others(table: CsTable) -> tuple[str, ...]:
    return tuple(n for n in table.fields if n not in (_X, _Y, _SHAPE, _PATH, _SCORE))


def read_cs(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read the picks of a ``.cs`` file that has their places (``location/...``).

    A place is a fraction of the micrograph's shape: column = x fraction * number of columns,
    row = y fraction * number of rows, of the file that the row names, unflipped.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file is no table of picks, or a value makes no sense; the row is named.
    """
    table = CsTable.read(path)
    if _X not in table.fields:
        raise PickFormatError(
            f"{path} holds no places of picks (no column {_X}); cryoSPARC keeps these in another "
            "file of the job. Pass the job's .csg file, which names both, or the file whose name "
            "has passthrough in it."
        )
    return _picks_of(CsSource(path, "", table), table, [table])


def read_group(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read the picks of a ``.csg`` result group: its tables, joined by uid.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`, or one of its tables is missing.
    PickFormatError
        As for `read_cs`; or a table lacks picks that another has.
    """
    group = Group.read(path)
    tables = {member: _member(path, member) for member in group.members}
    places = next((t for t in tables.values() if _X in t.fields), None)
    if places is None:
        raise PickFormatError(
            f"{path}: none of its files ({', '.join(tables)}) holds places of picks (a column "
            f"{_X}). Pass the group of picks, or of particles with their location."
        )
    source = GroupSource(path, group.encoding, group, tables, places.uids)
    return _picks_of(source, places, tables.values())


def _member(path: Path, member: str) -> CsTable:
    try:
        return CsTable.read(path.parent / member)
    except PicksNotFoundError:
        raise PicksNotFoundError(
            f"{path} names {member}, and {path.parent / member} does not exist: copy the tables "
            "of the job together with its group."
        ) from None


def _picks_of(source: PickSource, places: CsTable, tables: Iterable[CsTable]) -> FilePicks:
    def where(row: int) -> str:
        return f"{places.path}, row {row + 1}"

    shapes = places.numbers(_SHAPE, n_each=2)
    bad = np.flatnonzero((shapes < 1).any(axis=1))
    if len(bad):
        raise PickFormatError(
            f"{where(int(bad[0]))}: {_SHAPE} is not known: {shapes[bad[0]]}."
        )
    n_rows, n_columns = shapes[:, 0], shapes[:, 1]
    with np.errstate(all="ignore"):  # what is not finite is refused by its row
        x, y = places.numbers(_X) * n_columns, places.numbers(_Y) * n_rows
    names = [name.removeprefix(">") for name in places.strings(_PATH).tolist()]
    values: dict[str, tuple[str, NDArray[Any]]] = {
        X.name: (_X, x),
        Y.name: (_Y, y),
        MICROGRAPH.name: (_PATH, np.array(names, dtype=object)),
    }
    for table in tables:
        filaments = [field for field in table.fields if field.startswith("filament/")]
        if filaments:
            raise PickFormatError(
                f"{table.path}: these picks lie along filaments ({filaments[0]}), of which one "
                "cannot go without the others. This package prunes picks of single particles."
            )
        rows = np.arange(len(table)) if table is places else table.positions_of(places.uids)
        if _SCORE in table.fields and PICKER_SCORE.name not in values:
            values[PICKER_SCORE.name] = (_SCORE, table.numbers(_SCORE)[rows])
    return FilePicks.parsed(source, values, where, source.path.stem)


def write_cs(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to one new ``.cs`` table, as for `PickFormat`."""
    return [write_content(output, array_bytes(_new_table(picks, output, given)))]


def write_group(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to a new ``.csg`` and its table, as for `PickFormat`."""
    place = output.with_suffix(".cs")
    check_output_file(picks, place)
    table = _new_table(picks, output, given)
    slots = sorted({name.partition("/")[0] for name in table.dtype.names or ()} - {"uid"})
    text = Group.new(output.stem, place.name, slots, len(table), datetime.now(UTC))
    return [write_content(place, array_bytes(table)), write_content(output, text)]


def _new_table(picks: Picks, output: Path, given: Given) -> NDArray[Any]:
    names = list(picks.rows_by_micrograph())
    uids = dict(zip(names, _micrograph_uids(names, output), strict=True))
    without = [name for name in names if name not in given.shapes_yx_px]
    if without:
        raise PickFormatError(
            f"cannot write {output}: cryoSPARC gives places as fractions of the micrograph, so the "
            f"shape of {without[0]} is needed. Pass the micrographs."
        )
    spelt = picks.table[MICROGRAPH.name].tolist()
    shapes = np.array([given.shapes_yx_px[name] for name in spelt]).reshape(-1, 2)
    fractions = picks.coords_yx_px() / shapes
    columns: dict[str, NDArray[Any]] = {
        "uid": _pick_uids(picks),
        "location/micrograph_uid": np.array([uids[name] for name in spelt], dtype="<u8"),
        "location/exp_group_id": np.zeros(len(picks), dtype="<u4"),
        _PATH: np.array([name.encode() for name in spelt], dtype=np.bytes_),
        _SHAPE: shapes.astype("<u4"),
        _X: fractions[:, 1].astype("<f4"),
        _Y: fractions[:, 0].astype("<f4"),
    }
    if PICKER_SCORE.name in picks.table:
        columns[_SCORE] = picks.values(PICKER_SCORE).astype("<f4")
    dtype = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
    table = np.zeros(len(picks), dtype=dtype)
    for name, values in columns.items():
        table[name] = values
    return table


def _micrograph_uids(names: Sequence[str], output: Path) -> list[int]:
    """Return the uid of each micrograph, by which cryoSPARC finds it."""
    uids = []
    for name in names:
        match = CRYOSPARC_UID.match(name.rpartition("/")[2])
        if match is None or int(match[1]) >= 1 << 64:
            raise PickFormatError(
                f"cannot write {output}: cryoSPARC finds micrographs by their uid, and {name!r} "
                "does not begin with one (21 digits), as its own files do. Write a .star, and "
                "import it with Import Particles."
            )
        uids.append(int(match[1]))
    return uids


def _pick_uids(picks: Picks) -> NDArray[np.uint64]:
    """Return (n,) numbers that differ from those of any other picks, the same at each writing."""
    places = zip(*(picks.table[c.name].tolist() for c in (MICROGRAPH, X, Y)), strict=True)
    digests = [
        hashlib.blake2b(repr((i, *place)).encode(), digest_size=8).digest()
        for i, place in enumerate(places)
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8")


_ROOM = Room(columns=(MICROGRAPH, PICKER_SCORE), needs=("shapes_yx_px",))
_CANNOT_HOLD = "classes and probabilities: a STAR is written for those"
FORMAT = PickFormat(
    name="CS",
    title="cryoSPARC picks or particles with their location",
    suffixes=(".cs",),
    holds_picks=lambda head: True,
    read=read_cs,
    cannot_hold=_CANNOT_HOLD,
    write=write_cs,
    room=_ROOM,
)
GROUP = PickFormat(
    name="CSG",
    title="cryoSPARC result group: the tables that it names, joined",
    suffixes=(".csg",),
    holds_picks=lambda head: True,
    read=read_group,
    cannot_hold=_CANNOT_HOLD,
    write=write_group,
    room=_ROOM,
)
