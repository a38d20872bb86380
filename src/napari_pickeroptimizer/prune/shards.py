"""Parts of a scoring, for the tasks of a job array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.reading import MicrographRows

    pass

_SHARD = re.compile(r"(\d+)/(\d+)")


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
        match = _SHARD.fullmatch(text.strip())
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
