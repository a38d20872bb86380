"""Killed, interrupted, started twice, on a full or a broken disk: the old output or the new one.

The moments of signals are random, from a seed. PICKEROPTIMIZER_ROUNDS=10 tries ten times as many.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_runner import Program, files

from napari_pickeroptimizer.cli import main
from napari_pickeroptimizer.staging import locked

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
Files = dict[str, bytes]


def main_ok(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    assert not end.value.code


@dataclass(frozen=True)
class Verb:
    """A command whose output is tried, and what it looks like before and after."""

    arguments: Callable[[Path], list[object]]
    before: Path
    """What lies at the output already."""
    after: Path
    """What an undisturbed run makes of it."""
    seconds: float

    def copy(self, tmp_path: Path, name: str) -> Path:
        return Path(shutil.copytree(self.before, tmp_path / name))

    def start(self, folder: Path, **limits: int) -> Program:
        return Program(
            self.arguments(folder), folder.with_name(folder.name + ".said"), **limits
        )


def result(folder: Path) -> Files:
    """The results in a folder, but for what differs between two runs alike."""
    found = files(folder)
    if "run.json" in found:
        record = json.loads(found["run.json"])
        kept = ("threshold", "counts", "files")
        found["run.json"] = json.dumps({k: record[k] for k in kept}).encode()
    return {name: data for name, data in found.items() if name != "report.html"}


def journal_lines(folder: Path) -> list[bytes]:
    return [
        line
        for path in sorted(folder.rglob("*.log"))
        for line in path.read_bytes().splitlines()
    ]


@pytest.fixture(scope="module")
def verbs(
    spot_project, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Verb]:
    """score, decide, finetune and pretrain; the last three replace an earlier output."""
    root = tmp_path_factory.mktemp("verbs")
    spots, device = spot_project, ("--device", "cpu")
    scored, decided, tuned = root / "scored", root / "decided", root / "tuned"
    picks = ["-m", spots.micrographs, "-p", spots.picks, "--model", model]
    main_ok("score", *picks, "-o", scored, *device)
    shutil.copytree(scored, decided)
    main_ok("decide", "-o", decided, "--threshold", 0.2)
    tuned.mkdir()
    shutil.copy(model, tuned / "m.safetensors")
    for entry in ("one", "two"):
        main_ok(
            "pretrain-set", "-m", spots.micrographs, "-p", spots.labels, "--entry", entry,
            "--diameter-px", 24, "-o", root / "set",
        )  # fmt: skip
    (root / "empty").mkdir()
    labels = ["-m", spots.micrographs, "-l", spots.labels, "--diameter-px", 24, *device]
    steps = [
        "--data",
        root / "set",
        "--steps",
        6,
        "--batch-size",
        6,
        "--save-every",
        2,
        *device,
    ]
    commands: dict[str, tuple[Path, Callable[[Path], list[object]]]] = {
        "score": (root / "empty", lambda out: ["score", *picks, "-o", out, *device]),
        "decide": (decided, lambda out: ["decide", "-o", out, "--threshold", 0.9, "--overwrite"]),
        "finetune": (tuned, lambda out: [
            "finetune", *labels, "--steps", 8, "--folds", 0, "--seed", 7, "--overwrite",
            "-o", out / "m.safetensors",
        ]),
        "pretrain": (root / "empty", lambda out: ["pretrain", *steps, "-o", out / "m.safetensors"]),
    }  # fmt: skip
    made = {}
    for name, (before, arguments) in commands.items():
        after = Path(shutil.copytree(before, root / f"{name} after"))
        program = Program(arguments(after), root / f"{name}.said")
        assert program.end() == 0, program.said()
        made[name] = Verb(arguments, before, after, program.seconds)
    return made


@pytest.mark.parametrize("name", ["score", "decide", "finetune", "pretrain"])
def test_ended_at_any_moment_it_leaves_the_old_or_the_new_and_goes_on(
    name: str, verbs: dict[str, Verb], tmp_path: Path, rounds: int
) -> None:
    verb, rng = verbs[name], random.Random(name)
    old, new = result(verb.before), result(verb.after)
    for i in range(rounds):
        for number in SIGNALS:
            folder = verb.copy(tmp_path, f"{number.name}{i}")
            program = verb.start(folder)
            program.send(number, rng.uniform(0, verb.seconds))
            code = program.end()
            untidy = [f for f in files(folder) if f.startswith(".") or "/." in f]
            assert not untidy or number is signal.SIGKILL
            with locked(folder):  # what the next run does first
                pass
            left = {k: v for k, v in result(folder).items() if k in {**old, **new}}
            assert left in ((new,) if code == 0 else (old, new)), (number, code)
            again = verb.start(folder)
            assert again.end() == 0 or "exists" in again.said(), again.said()
            assert result(folder) == new, (number, code)
            assert journal_lines(folder) == journal_lines(verb.after)
            shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["decide", "finetune"])
def test_of_two_at_once_one_is_there_whole_and_has_said_so(
    name: str, verbs: dict[str, Verb], tmp_path: Path, rounds: int
) -> None:
    verb = verbs[name]
    other = {"decide": ["--threshold", 0.6], "finetune": ["--seed", 8]}[name]
    alone = verb.copy(tmp_path, "alone")
    main_ok(*verb.arguments(alone), *other)
    wanted = [result(verb.after), result(alone)]
    assert wanted[0] != wanted[1]
    for i in range(rounds):
        folder = verb.copy(tmp_path, f"both{i}")
        programs = [
            Program([*verb.arguments(folder), *more], tmp_path / f"{i}{n}.said")
            for n, more in enumerate(([], other))
        ]
        codes = [program.end() for program in programs]
        assert set(codes) <= {0, 2}
        assert codes[wanted.index(result(folder))] == 0
        refused = [p.said() for p, code in zip(programs, codes, strict=True) if code == 2]
        assert all("another run is writing" in said for said in refused)


def test_of_two_at_once_that_may_not_overwrite_only_one_says_that_it_is_there(
    verbs: dict[str, Verb], tmp_path: Path, rounds: int
) -> None:
    verb = verbs["finetune"]
    arguments = [a for a in verb.arguments(tmp_path) if a != "--overwrite"][:-1]
    for i in range(rounds):
        model = tmp_path / f"m{i}.safetensors"
        programs = [Program([*arguments, model], tmp_path / f"{i}{n}.said") for n in (0, 1)]
        assert sorted(program.end() for program in programs) == [0, 2]
        assert model.read_bytes() == (verb.after / "m.safetensors").read_bytes()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if (
        shutil.which("mount") is None
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("no small disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("room", [0, 4_000, 20_000, 60_000])
@pytest.mark.parametrize("name", ["score", "decide"])
def test_on_a_full_disk_the_old_run_stays_whole(
    name: str, room: int, verbs: dict[str, Verb], small_disk: Path
) -> None:
    verb = verbs[name]
    folder = Path(shutil.copytree(verb.before, small_disk / "out"))
    fill(small_disk, room)
    program = Program(verb.arguments(folder), small_disk.parent / "said")
    code = program.end()
    assert code in (0, 2)
    whole = {0: result(verb.after), 2: result(verb.before)}
    assert result(folder) == whole[code]
    assert code == 0 or "disk" in program.said() or "No space left" in program.said()
    (small_disk / "fill").unlink()
    assert Program(verb.arguments(folder), small_disk.parent / "said").end() == 0
    assert result(folder) == result(verb.after)
    assert journal_lines(folder) == journal_lines(verb.after)


def fill(disk: Path, room: int) -> None:
    with (disk / "fill").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - room)


@pytest.mark.parametrize("largest_file", [3_000, 1_000_000])
@pytest.mark.parametrize("name", ["score", "decide", "finetune", "pretrain"])
def test_a_file_that_cannot_grow_leaves_the_old_output_whole(
    name: str, largest_file: int, verbs: dict[str, Verb], tmp_path: Path
) -> None:
    """Stands for a full disk where none can be mounted: the kernel refuses to lengthen a file."""
    verb = verbs[name]
    folder = verb.copy(tmp_path, "out")
    program = verb.start(folder, largest_file=largest_file)
    code = program.end()
    whole = {0: result(verb.after), 2: result(verb.before)}
    assert {k: v for k, v in result(folder).items() if not k.endswith(".resume")} == whole[
        code
    ]
    assert code == 0 or "cannot be written: File too large" in program.said()
    assert verb.start(folder).end() == 0
    assert result(folder) == result(verb.after)


BROKEN = Path(
    "/proc/self/mem"
)  # a regular file whose first byte cannot be read: EIO, as of a disk


@pytest.mark.parametrize("option", ["--picks", "--model", "--labels"])
def test_an_input_that_cannot_be_read_is_one_sentence(
    option: str, spot_project, model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / f"broken{'.safetensors' if option == '--model' else '.star'}"
    broken.symlink_to(BROKEN)
    inputs = {"--picks": spot_project.picks, "--model": model} | {option: broken}
    words = [word for pair in inputs.items() for word in pair]
    program = Program(
        ["prune", "-m", spot_project.micrographs, *words, "-o", tmp_path / "out"],
        tmp_path / "said",
    )
    assert program.end() == 2
    assert "Input/output error" in program.said()
    assert "broken" in program.said()  # which of them it is
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fails_on_one_micrograph_ends_no_run(
    spot_project, model: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(spot_project.micrographs, tmp_path / "Micrographs"))
    (folder / "m1.mrc").unlink()
    (folder / "m1.mrc").symlink_to(BROKEN)
    program = Program(
        ["prune", "-m", folder, "-p", spot_project.picks, "--model", model, "--no-report",
         "-o", tmp_path / "out"],
        tmp_path / "said",
    )  # fmt: skip
    assert program.end() == 1
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert list(record["unreadable"]) == ["Micrographs/m1.mrc"]
    assert record["counts"]["unscored"] == spot_project.n_per_class * 2
