"""Exit codes of the command line and its words on bad input."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

QUICK = ("--diameter-px", "24", "--steps", "10", "--folds", "2", "--device", "cpu")

Run = Callable[..., tuple[int, str, str]]


def refusals(spots, tmp: Path, model: Path) -> dict[str, tuple[list[object], str]]:
    """Every kind of bad input, the command that meets it, and words of the answer."""
    (tmp / "mics.star").write_text(
        "\ndata_\n\nloop_\n_rlnMicrographName #1\nMicrographs/m0.mrc\n"
    )
    head = "\ndata_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    (tmp / "nan.star").write_text(head + "Micrographs/m0.mrc 10 nan\n")
    (tmp / "other.star").write_text(head + "Micrographs/other.mrc 10 20\n")
    (tmp / "empty.star").write_text("")
    (tmp / "pickle.safetensors").write_bytes(pickle.dumps({"state": 1}))
    (tmp / "junk.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    (tmp / "old.safetensors").write_text("an earlier model")
    mics, picks, labels = spots.micrographs, spots.picks, spots.labels
    out = tmp / "refused"
    prune = ["prune", "-m", mics, "--model", model, "-o", out, "-p"]
    finetune = ["finetune", "-m", mics, "-o", tmp / "new.safetensors"]
    return {
        "a micrographs STAR given as picks": ([*prune, tmp / "mics.star"], "mics.star"),
        "NaN coordinates": ([*prune, tmp / "nan.star"], "nan"),
        "picks of unknown micrographs": (
            [*prune, tmp / "other.star"],
            "other.mrc' is not among",
        ),
        "an empty file": ([*prune, tmp / "empty.star"], "empty.star"),
        "picks that are not there": ([*prune, tmp / "none.star"], "nothing is there"),
        "a directory without picks": ([*prune, mics], "no picks in"),
        "a threshold of 2": ([*prune, picks, "-t", 2], "from 0 to 1"),
        "a threshold in words": (
            [*prune, picks, "-t", "high"],
            "a number from 0 to 1, or auto",
        ),
        "a precision in per cent": ([*prune, picks, "--precision", 95], "95 % is 0.95"),
        "a precision beside a threshold": (
            [*prune, picks, "-t", 0.5, "--precision", 0.9],
            "one of threshold, precision and recall",
        ),
        "a distance in miles": ([*prune, picks, "--min-distance", "3miles"], "is no distance"),
        "labels without a label": (
            [*prune, picks, "--labels", picks],
            "holds no labels",
        ),
        **{
            f"{n} threads": (
                [*prune, picks, "--threads", n],
                f"--threads {n}: expected a number of threads from 1 to 1024.",
            )
            for n in ("0", "-2", "all", "1.5", "2000")
        },
        "an unknown device": ([*prune, picks, "--device", "tpu"], "'tpu' is unknown"),
        "no micrographs": (
            ["prune", "-m", tmp / "nowhere", "-p", picks, "--model", model, "-o", out],
            "nothing is there",
        ),
        "a pickle": (
            [
                "prune",
                "-m",
                mics,
                "-p",
                picks,
                "-o",
                out,
                "--model",
                tmp / "pickle.safetensors",
            ],
            "is a pickle",
        ),
        "a checkpoint of another kind": (
            ["prune", "-m", mics, "-p", picks, "-o", out, "--model", tmp / "junk.safetensors"],
            "of another program",
        ),
        "no labels": ([*finetune, *QUICK], "no labels: give --labels"),
        "labels without classes": ([*finetune, *QUICK, "-l", picks], "no pick is labelled"),
        "one class only": ([*finetune, *QUICK, "--positive", picks], "of one class"),
        "no diameter": ([*finetune, "-l", labels], "--diameter-px"),
        "two diameters that contradict": (
            [*finetune, "-l", labels, *QUICK, "--diameter-angstrom", 50],
            "one of --diameter-px and --diameter-angstrom",
        ),
        "first weights that are not there": (
            [*finetune, "-l", labels, *QUICK, "--base", tmp / "gone.safetensors"],
            "Expected none, imagenet, bundled or a model file",
        ),
        "a backbone that the bundled weights are not of": (
            [*finetune, "-l", labels, *QUICK, "--backbone", "resnet50"],
            "leave --backbone out",
        ),
        "an existing model": (
            ["finetune", "-m", mics, "-l", labels, *QUICK, "-o", tmp / "old.safetensors"],
            "--overwrite",
        ),
        "a radius of 0": (
            ["evaluate", "--picks", labels, "--truth", labels, "--radius-px", 0],
            "must be positive",
        ),
    }


KINDS = (
    "0 threads", "-2 threads", "all threads", "1.5 threads", "2000 threads",
    "NaN coordinates", "a checkpoint of another kind", "a directory without picks",
    "a micrographs STAR given as picks", "a pickle", "a radius of 0", "a threshold of 2",
    "a backbone that the bundled weights are not of", "an empty file", "an existing model",
    "a distance in miles", "a precision beside a threshold", "a precision in per cent",
    "a threshold in words", "labels without a label",
    "an unknown device", "first weights that are not there", "labels without classes",
    "no diameter", "no labels", "no micrographs", "one class only",
    "picks of unknown micrographs", "picks that are not there", "two diameters that contradict",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_ends_with_code_2_and_says_what_to_do(
    kind: str, run: Run, spot_project, model: Path, tmp_path: Path
) -> None:
    arguments, words = refusals(spot_project, tmp_path, model)[kind]
    code, said, warned = run(*arguments)
    assert code == 2
    assert words in warned
    assert "Traceback" not in warned
    assert said == ""
    assert not (tmp_path / "refused").exists()
    assert (tmp_path / "old.safetensors").read_text() == "an earlier model"


def test_a_mistyped_option_is_bad_input_too(run: Run) -> None:
    code, _, warned = run("prune", "--pics", "x")
    assert code == 2
    assert "--pics" in warned
