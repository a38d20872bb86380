"""The ``pickeroptimizer`` program: its commands, and its exit codes.

0 done; 1 done, but some micrographs could not be read; 2 bad input, or something that could not
be read or written. Every such error is one sentence; ``--debug``, anywhere among the arguments,
shows where in the program it arose.
"""

from __future__ import annotations

import csv
import signal
import sys
import traceback
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from napari_pickeroptimizer import __version__
from napari_pickeroptimizer.cli import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    convert,
    decide,
    demo,
    evaluate,
    finetune,
    handled_by,
    inspect,
    pretrain,
    pretrain_set,
    prune,
    relion,
    relion_job,
    score,
    simulate,
    suggest,
)
from napari_pickeroptimizer.cli.options import flattened
from napari_pickeroptimizer.cli.show import err, print_whatever_there_is, warn
from napari_pickeroptimizer.errors import PickerOptimizerError, StandInWarning

DEBUG = "--debug"
# What a damaged file or a failing disk raises in the libraries that read it.
DAMAGED = (UnicodeError, csv.Error, zlib.error)

app = typer.Typer(
    name="pickeroptimizer",
    help="Remove the false picks of any cryo-EM particle picker, learning from a few labels.",
    epilog="Exit codes: 0 done, 1 done with unreadable micrographs, 2 bad input.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("finetune")(finetune.finetune)
app.command("prune")(flattened(prune.prune))
app.command("score")(flattened(score.score))
app.command("decide")(flattened(decide.decide))
app.command("relion", context_settings=relion.ANY_OPTION)(flattened(relion.relion))
app.command("suggest")(suggest.suggest)
app.command("evaluate")(evaluate.evaluate)
app.command("inspect")(inspect.inspect)
app.command("convert")(convert.convert)
app.command("simulate")(simulate.simulate)
app.command("pretrain-set")(pretrain_set.pretrain_set)
app.command("pretrain")(pretrain.pretrain)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show where in the program an error arose.")
    ] = False,
) -> None:
    pass  # `main` has taken --debug out of the arguments already, wherever it stood


def _end(signal_number: int, frame: object) -> None:
    """Exit by an exception, so that all context managers clean up."""
    sys.exit(128 + signal_number)


@contextmanager
def stand_ins_told() -> Iterator[None]:
    """Print, while a block runs, which micrographs stand in for others; not as Python does."""
    with warnings.catch_warnings():
        as_before = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], *where: Any, **more: Any
        ) -> None:
            if issubclass(category, StandInWarning):
                warn(str(message))
            else:
                as_before(message, category, *where, **more)

        warnings.showwarning = show
        warnings.simplefilter("always", StandInWarning)
        yield


def in_words(error: BaseException) -> str:
    """Return what is told of an error: what, where, and what to do."""
    if isinstance(error, PickerOptimizerError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else "reading or writing failed: "
        why = error.strerror or str(error) or type(error).__name__
        return f"{where}{why}. Check that it is there, and that its disk is in order and not full."
    if isinstance(error, MemoryError):
        return "there is not enough memory: use fewer picks or a smaller --batch-size."
    return (
        f"an input is damaged or of another kind ({error}): {DEBUG} shows which one was being "
        "read."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_debugging = DEBUG in given
    given = [a for a in given if a != DEBUG]
    print_whatever_there_is()
    with (
        handled_by(_end, signal.SIGTERM),
        stand_ins_told(),
        relion_job.ending_told(given),
    ):
        try:
            app(args=given)
        except (PickerOptimizerError, OSError, MemoryError, *DAMAGED) as error:
            if is_debugging:
                traceback.print_exception(error)
            err.print("Error: ", style="bold red", end="")
            err.print(in_words(error), markup=False)
            sys.exit(EXIT_BAD_INPUT)
        except KeyboardInterrupt:  # before or after Typer, which has its own answer
            sys.exit(EXIT_INTERRUPTED)
