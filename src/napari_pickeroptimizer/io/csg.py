"""cryoSPARC's result groups (``.csg``): YAML that names tables, changed line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.text import read_lines

# "  location:", "    metafile: '>picks.cs'" and "    num_items: 12"
_KEY = re.compile(r"\s*[^\s:#][^:]*:\s*")
_END = r"(?P<end>\s*(?:\s#.*)?)"
# A name begins and ends with no blank, or a line of many blanks would take minutes.
_METAFILE = re.compile(
    r"(?P<start>\s+metafile:\s*)(?P<mark>[\"']?)>?(?P<name>\S(?:.*?\S)?)(?P=mark)" + _END
)
_COUNT = re.compile(r"(?P<start>\s+num_items:\s*)\d+" + _END)
# The same two in any other spelling of YAML, as in "location: {metafile: '>a.cs'}"
_EITHER = re.compile(r"^[^#]*?\b[\"']?(metafile|num_items)[\"']?\s*:")
# The layout that a new group follows: that of cryoSPARC 4
_VERSION = "v4.0.0"

_LONGEST_PATH = 4096


@dataclass(frozen=True)
class Result:
    """One result of a group: a table, and the lines (from 0) that name and count its rows."""

    member: str
    name_line: int
    count_line: int | None


@dataclass(frozen=True)
class Group:
    """A ``.csg`` file.

    Parameters
    ----------
    path : Path
        The file.
    lines : tuple of str
        Its text.
    encoding : str
        Of the text.
    results : tuple of Result
        In order.
    """

    path: Path
    lines: tuple[str, ...]
    encoding: str
    results: tuple[Result, ...]

    @classmethod
    def read(cls, path: Path) -> Group:
        """Read a group; its tables are not opened.

        Raises
        ------
        PicksNotFoundError, PickFormatError
            As `read_lines` does; or it names no table, or two of one name; or a line tells a
            table or a count in another way than cryoSPARC writes them.
        """
        lines, encoding = read_lines(path)
        for i, line in enumerate(lines, start=1):
            # what is not understood would keep its old name or count
            known = _METAFILE.fullmatch(line) or _COUNT.fullmatch(line)
            if (strange := _EITHER.match(line)) and not known:
                example = "'>name.cs'" if strange[1] == "metafile" else "12"
                raise PickFormatError(
                    f"{path}, line {i}: expected {strange[1]}: {example} on a line of its own, as "
                    f"cryoSPARC writes it, got {line.strip()[:80]!r}. Export the group again."
                )
        results = tuple(_results(lines))
        members = {result.member for result in results}
        if not members:
            raise PickFormatError(
                f"{path} is no result group of cryoSPARC: no line of it is a metafile: '>name.cs'. "
                "Pass a .csg file as cryoSPARC wrote it."
            )
        longest = max(members, key=len)
        if len(longest) > _LONGEST_PATH:
            raise PickFormatError(
                f"{path} names a file of {len(longest)} characters ({longest[:40]!r}...), which no "
                "path has. Is the file damaged? Copy it again."
            )
        if len({Path(member).name for member in members}) < len(members):
            raise PickFormatError(
                f"{path} names files of one name in two folders: rename one of them."
            )
        return cls(path, tuple(lines), encoding, results)

    @property
    def members(self) -> list[str]:
        """The tables, each once, relative to the folder of the group."""
        return list(dict.fromkeys(result.member for result in self.results))

    def render(self, names: Mapping[str, str], counts: Mapping[str, int]) -> str:
        """Return the text with other names of the tables and other counts of their rows."""
        lines = list(self.lines)
        for result in self.results:
            if names[result.member] != result.member:
                match = _METAFILE.fullmatch(lines[result.name_line])
                assert match is not None  # read
                name = f"'>{names[result.member]}'"
                lines[result.name_line] = f"{match['start']}{name}{match['end']}"
            if result.count_line is not None:
                count = rf"\g<start>{counts[result.member]}\g<end>"
                lines[result.count_line] = _COUNT.sub(count, lines[result.count_line])
        return "\n".join(lines)

    @staticmethod
    def new(name: str, table: str, slots: Sequence[str], n: int, created: datetime) -> str:
        """Return the text of a group of picks: one table that has all `slots`."""
        results = "".join(
            f"  {slot}:\n    metafile: '>{table}'\n    num_items: {n}\n    type: particle.{slot}\n"
            for slot in slots
        )
        group = (
            f"  description: Picks\n  name: {_plain(name)}\n  title: Picks\n  type: particle\n"
        )
        when = created.strftime("%Y-%m-%d %H:%M:%S.%f")
        return f"created: {when}\ngroup:\n{group}results:\n{results}version: {_VERSION}\n"


def _plain(name: str) -> str:
    """Return a name as cryoSPARC takes it: a letter, then letters, digits and underscores."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII)
    return plain if re.match("[A-Za-z]", plain) else f"picks_{plain}"


def _results(lines: Sequence[str]) -> list[Result]:
    results: list[Result] = []
    member, name_line, count_line = "", -1, None

    def close() -> None:
        if member:
            results.append(Result(member, name_line, count_line))

    for i, line in enumerate(lines):
        if match := _METAFILE.fullmatch(line):
            if member:  # two in one result: the first is complete
                close()
                count_line = None
            member, name_line = match["name"], i
        elif _COUNT.fullmatch(line):
            count_line = i
        elif _KEY.fullmatch(line):
            close()
            member, name_line, count_line = "", -1, None
    close()
    return results
