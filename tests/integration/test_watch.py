"""A live session: files come in any order, half written, and broken; each is scored once whole.

Time is what the polls say: between two of them a test does what a microscope would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_session import Session, Step, decided, n_rows, nothing

from napari_pickeroptimizer.cli import main
from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.prune.watch import (
    FileGivenUp,
    Watched,
)

# an audit hook stays for ever, and looks at nothing without a list
_OPENED: list[list[str]] = []


def _note_opened(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _OPENED:
        _OPENED[-1].append(
            os.fsdecode(arguments[0])
            if isinstance(arguments[0], str | bytes | os.PathLike)
            else ""
        )


@pytest.fixture(scope="module")
def _audit() -> None:
    sys.addaudithook(_note_opened)


@pytest.fixture
def opened(_audit: None) -> Iterator[list[str]]:
    """The files that are opened, by whatever means, while a test runs."""
    _OPENED.append([])
    yield _OPENED[-1]
    _OPENED.clear()


def test_micrographs_before_picks_and_picks_before_micrographs(session: Session) -> None:
    session.watch(
        lambda: session.image(0), lambda: session.pick_file(0), nothing,
        lambda: session.pick_file(1), lambda: session.image(1), nothing, nothing,
    )  # fmt: skip
    assert session.scored == [(2, "m0.mrc"), (5, "m1.mrc")]


def test_what_grows_or_is_cut_off_is_scored_when_it_is_whole(session: Session) -> None:
    session.watch(
        lambda: (session.image(0, 0.3), session.pick_file(0)),
        lambda: session.image(0, 0.6),
        nothing,  # an MRC that does not grow, and is shorter than its header says
        nothing,
        lambda: session.image(0),
        nothing,
        lambda: (session.image(1), session.pick_file(1, less=7)),  # ends within a row
        nothing,
        nothing,
        lambda: session.pick_file(1),
        nothing,
    )
    assert session.scored == [(5, "m0.mrc"), (10, "m1.mrc")]


def test_picks_to_which_rows_are_added_are_scored_again(session: Session) -> None:
    few = session.star(0).decode().splitlines(keepends=True)
    first = session.picks / "m0.star"
    session.image(0)
    session.watch(
        lambda: session.write(first, "".join(few[:20]).encode()),
        nothing,
        lambda: session.write(first, "".join(few).encode()),
        nothing,
    )
    assert session.scored == [(1, "m0.mrc"), (3, "m0.mrc")]
    counts = n_rows(decided(session, "all"))
    assert counts["scored"] == 24
    assert counts["unscored"] == 0


def test_a_file_that_stays_broken_is_told_once_and_scored_if_it_is_mended(
    session: Session,
) -> None:
    events = session.watch(
        lambda: (session.image(0, 0.5), session.pick_file(0), session.image(1)),
        lambda: session.write(session.picks / "m1.star", b"data_\nloop_\n_rlnNothing #1\n3\n"),
        *[nothing] * 6,
        lambda: (session.image(0), session.pick_file(1)),
        nothing,
        give_up_s=40,
    )
    given_up = [e for e in events if isinstance(e, FileGivenUp)]
    assert [e.path.name for e in given_up] == ["m0.mrc", "m1.star"]
    assert "truncated" in given_up[0].reason
    assert "rlnCoordinateX" in given_up[1].reason
    assert session.scored == [(9, "m0.mrc"), (9, "m1.mrc")]


def test_a_last_line_without_an_end_is_taken_when_patience_ends(session: Session) -> None:
    session.image(0)
    events = session.watch(
        lambda: session.write(session.picks / "m0.star", session.star(0).rstrip()),
        *[nothing] * 5,
        give_up_s=40,
    )
    assert session.scored == [(4, "m0.mrc")]
    assert not [e for e in events if isinstance(e, FileGivenUp)]


def test_a_decision_is_made_meanwhile_on_what_is_scored(session: Session) -> None:
    outs: list[Path] = []

    def decide_while_one_is_half_written() -> None:
        session.pick_file(1, less=7)
        outs.append(decided(session, "meanwhile"))

    session.watch(
        lambda: [(session.image(i), session.pick_file(0)) for i in range(2)],
        nothing,
        decide_while_one_is_half_written,
        lambda: session.pick_file(1),
        nothing,
    )
    outs.append(decided(session, "after"))
    assert [n_rows(out)["scored"] for out in outs] == [24, 48]
    assert [n_rows(out)["unscored"] for out in outs] == [0, 0]


def test_interrupted_it_goes_on_and_ends_as_a_run_over_all(
    session: Session, spot_project, model: Path, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def killed() -> None:
        raise Killed

    def both(i: int) -> Step:
        return lambda: (session.image(i), session.pick_file(i))

    with pytest.raises(Killed):
        session.watch(both(0), nothing, both(1), killed)
    assert session.scored == [(1, "m0.mrc")]
    events = session.watch(both(2), nothing, nothing)
    assert sorted(session.scored) == [(1, "m0.mrc"), (1, "m1.mrc"), (1, "m2.mrc")]
    assert [e.n_micrographs for e in events if isinstance(e, Watched)] == [3]
    with pytest.raises(SystemExit):
        main(["score", "-m", str(session.images), "-p", str(session.picks), "--model",
              str(model), "-o", str(tmp_path / "whole"), "--device", "cpu"])  # fmt: skip
    with pytest.raises(SystemExit):
        main(["decide", "-o", str(tmp_path / "whole"), "--no-report"])
    live = decided(session, "decided")
    files = sorted(p.relative_to(live) for p in live.rglob("*.star"))
    assert len(files) == 9
    for file in files:
        assert (live / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_it_ends_when_nothing_has_come_for_a_while(session: Session) -> None:
    polls: list[int] = []
    session.watch(
        nothing,
        lambda: session.image(0),
        *[lambda: polls.append(1)] * 20,
        idle_s=50,
    )
    assert len(polls) == 5


def test_each_look_opens_only_what_is_new(session: Session, opened: list[str]) -> None:
    looks: list[set[str]] = []

    def look() -> None:  # what was opened since the step before
        paths = [Path(name) for name in opened if name.startswith(str(session.root))]
        looks.append({p.name for p in paths if p.suffix in (".mrc", ".star", ".log")})
        opened.clear()

    def both(i: int) -> Step:
        return lambda: (session.image(i), session.pick_file(i), look())

    session.watch(both(0), look, look, look, both(1), look, look, look)
    assert session.scored == [(1, "m0.mrc"), (5, "m1.mrc")]
    files = [{name for name in look if not name.endswith(".log")} for look in looks]
    assert files[2] == {"m0.mrc", "m0.star"}
    assert looks[3] == set()
    assert looks[6] == {"m1.mrc", "m1.star"}
    assert looks[7] == set()


def test_picks_in_several_formats_are_refused_though_they_come_one_by_one(
    session: Session,
) -> None:
    session.image(0)
    with pytest.raises(PickFormatError, match="several formats"):
        session.watch(
            lambda: session.pick_file(0),
            nothing,
            lambda: session.write(session.picks / "m0.box", b"10 20 8 8\n"),
            nothing,
        )


def test_the_command_ends_when_idle_and_refuses_jobs_for_each_micrograph(
    session: Session, tmp_path: Path, run
) -> None:
    session.image(0)
    session.pick_file(0)
    inputs = ["-m", session.images, "-p", session.picks, "--model", session.model]
    given = ["score", *inputs, "-o", session.output, "--device", "cpu", "--watch-every", 0.05]
    code, out, err = run(*given, "--watch-until-idle", 0.02)
    assert code == 0, err
    assert "Scored 24 picks on 1 micrographs." in out
    (tmp_path / "q.yaml").write_text("jobs: 1\ncores: 1\nmemory: 1GB\n")
    code, _, err = run(*given, "--watch", "--scheduler", f"slurm:{tmp_path / 'q.yaml'}")
    assert code == 2
    assert "start a Dask scheduler" in " ".join(err.split())


@pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_it_and_what_is_scored_stays(
    number: signal.Signals, code: int, session: Session
) -> None:
    session.image(0)
    session.pick_file(0)
    program = "import sys; from napari_pickeroptimizer.cli import main; main(sys.argv[1:])"
    arguments = ["score", "--watch", "-m", session.images, "-p", session.picks, "--model",
                 session.model, "-o", session.output, "--watch-every", "0.05"]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("Scored 24 picks"):
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == code, (said, rest)
    assert "Traceback" not in rest
    assert n_rows(decided(session, "decided"))["scored"] == 24
