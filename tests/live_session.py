"""A microscope's session: folders that fill between the polls of a watch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from napari_pickeroptimizer.cli import main
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.watch import (
    WatchSettings,
    watch_scores,
)

Step = Callable[[], object]


@dataclass
class Session:
    """Folders that fill, and the watch over them; a poll every ten seconds."""

    root: Path
    project: object
    model: Path
    scored: list[tuple[int, str]] = field(default_factory=list)
    """Number of the poll, and the micrograph."""

    def __post_init__(self) -> None:
        for folder in (self.images, self.picks):
            folder.mkdir(parents=True)
        self.given_picks = self.picks

    @property
    def images(self) -> Path:
        return self.root / "Micrographs"

    @property
    def picks(self) -> Path:
        return self.root / "picks"

    @property
    def output(self) -> Path:
        return self.root / "out"

    def image(self, i: int, part: float = 1.0) -> None:
        data = (self.project.micrographs / f"m{i}.mrc").read_bytes()
        self.write(self.images / f"m{i}.mrc", data[: int(part * len(data))])

    def star(self, i: int) -> bytes:
        lines = self.project.picks.read_text().splitlines()
        mine = [n for n in lines if not n.startswith("Micrographs/") or f"/m{i}.mrc" in n]
        return ("\n".join(mine) + "\n").encode()

    def pick_file(self, i: int, less: int = 0) -> None:
        text = self.star(i)
        self.write(self.picks / f"m{i}.star", text[: len(text) - less])

    def write(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        # two writes within a tick of the clock, of the same length, would look alike
        self.ticks = getattr(self, "ticks", 0) + 1
        os.utime(path, ns=(self.ticks * 10**9, self.ticks * 10**9))

    def watch(self, *steps: Step, times: float = 10.0, **settings: float) -> list[object]:
        """Watch while the steps are taken, one before each poll."""
        poll = -1

        def polls() -> Iterator[float]:
            nonlocal poll
            for step in steps:
                step()
                poll += 1
                yield poll * times

        events = []
        for event in watch_scores(
            lambda: Micrographs.find(self.images), [str(self.given_picks)],
            Classifier.load(self.model), self.output, PruneSettings(device="cpu"),
            WatchSettings(**settings), times=polls(), inputs={"picks": [str(self.given_picks)]},
        ):  # fmt: skip
            events.append(event)
            if isinstance(event, MicrographScored):
                self.scored.append((poll, event.group.name.removeprefix("Micrographs/")))
        return events


def nothing() -> None:
    pass


def decided(session: Session, name: str) -> Path:
    out = session.root / name
    with pytest.raises(SystemExit) as end:
        main(["decide", "--scores", str(session.output), "-o", str(out), "--no-report"])
    assert not end.value.code
    return out


def n_rows(out: Path) -> dict[str, int]:
    """Picks of each part of a run, from its tree of files."""
    return {
        part: sum(
            line.startswith("Micrographs/") and not line.endswith(".star")
            for file in sorted((out / part).rglob("*.star"))
            for line in file.read_text().splitlines()
        )
        for part in ("scored", "kept", "rejected", "unscored")
    }
