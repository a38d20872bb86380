"""The ``pickeroptimizer`` program: its commands, and its exit codes.

0 done; 1 done, but some micrographs could not be read; 2 bad input.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from napari_pickeroptimizer import __version__
from napari_pickeroptimizer.cli import (
    decide,
    demo,
    evaluate,
    finetune,
    handled_by,
    pretrain,
    pretrain_set,
    prune,
    score,
    simulate,
    suggest,
)
from napari_pickeroptimizer.cli.options import flattened
from napari_pickeroptimizer.cli.show import err
from napari_pickeroptimizer.errors import PickerOptimizerError

EXIT_BAD_INPUT = 2

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
app.command("suggest")(suggest.suggest)
app.command("evaluate")(evaluate.evaluate)
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
) -> None:
    pass


def _end(signal_number: int, frame: object) -> None:
    """Exit by an exception, so that all context managers clean up."""
    sys.exit(128 + signal_number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code."""
    with handled_by(_end, signal.SIGTERM):
        try:
            app(args=None if arguments is None else list(arguments))
        except PickerOptimizerError as error:
            err.print("Error: ", style="bold red", end="")
            err.print(str(error), markup=False)
            sys.exit(EXIT_BAD_INPUT)
