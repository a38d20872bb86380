"""Picks of a live session in lists and in several files."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_session import Session, Step, decided, n_rows, nothing

JOB = "AutoPick/job001"


def autopick(session: Session, *listed: int, cut: int = 0) -> None:
    """Write RELION's list of coordinate files, of a job in the project."""
    head = "\ndata_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    rows = [f"Micrographs/m{i}.mrc {JOB}/Micrographs/m{i}_autopick.star\n" for i in listed]
    text = "".join([head, *rows]).encode()
    session.write(session.root / JOB / "autopick.star", text[: len(text) - cut])


def coordinates(session: Session, i: int, less: int = 0) -> None:
    text = session.star(i)
    file = session.root / JOB / "Micrographs" / f"m{i}_autopick.star"
    session.write(file, text[: len(text) - less])


@pytest.fixture(params=["autopick.star", "."], ids=["file", "folder"])
def job(request: pytest.FixtureRequest, session: Session) -> Session:
    """A session whose picks are those of a job's list, given as a file or by its folder."""
    (session.root / JOB / "Micrographs").mkdir(parents=True)
    session.given_picks = session.root / JOB / request.param
    return session


def test_a_list_that_grows_is_followed(job: Session) -> None:
    outs: list[Path] = []
    job.watch(
        lambda: (job.image(0), job.image(1), coordinates(job, 0), autopick(job, 0)),
        nothing,  # only now the list is known to be whole, and its file looked at
        nothing,
        lambda: autopick(job, 0, 1, cut=9),  # ends within a row
        nothing,
        lambda: autopick(job, 0, 1),  # its file is not there yet
        nothing,
        lambda: (coordinates(job, 1, less=7), outs.append(decided(job, "meanwhile"))),
        nothing,
        lambda: coordinates(job, 1),
        nothing,
        nothing,
    )
    outs.append(decided(job, "after"))
    assert job.scored == [(2, "m0.mrc"), (10, "m1.mrc")]
    assert [n_rows(out)["scored"] for out in outs] == [24, 48]
    assert [n_rows(out)["unscored"] for out in outs] == [0, 0]


def test_picks_of_one_micrograph_in_two_files_are_scored_together(session: Session) -> None:
    rows = session.star(0).decode().splitlines(keepends=True)
    n_head = next(i for i, row in enumerate(rows) if row.startswith("Micrographs/"))
    head, rows = rows[:n_head], rows[n_head:]

    def part(name: str, some: list[str]) -> Step:
        return lambda: session.write(session.picks / name, "".join([*head, *some]).encode())

    session.image(0)
    session.watch(
        part("b.star", rows[:10]), nothing, part("a.star", rows[10:]), nothing, nothing
    )
    assert session.scored == [(1, "m0.mrc"), (3, "m0.mrc")]
    counts = n_rows(decided(session, "decided"))
    assert (counts["scored"], counts["unscored"]) == (24, 0)
