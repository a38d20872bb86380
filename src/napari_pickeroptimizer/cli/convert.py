"""``pickeroptimizer convert``: pick files of one format as those of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_pickeroptimizer.cli.options import MICROGRAPHS, JsonOption
from napari_pickeroptimizer.cli.show import out, print_json, warn
from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.conversion.convert import Conversion
    from napari_pickeroptimizer.picks import Picks


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="Pick file, folder, quoted glob, or list of coordinate files.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="File to write, whose ending tells the format; or a folder, for one file a "
            "micrograph.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="Format to write into a folder: STAR, BOX and so on, as inspect lists them; by "
            "default that of IN.",
            show_default=False,
        ),
    ] = None,
    flip_y: Annotated[
        bool,
        typer.Option("--flip-y", help="Reverse the rows; needs --micrographs or --height."),
    ] = False,
    scale: Annotated[
        float, typer.Option(help="Factor of the coordinates, after the flip.")
    ] = 1.0,
    corner: Annotated[
        bool | None,
        typer.Option(
            "--corner/--centre",
            help="What the coordinates in IN are of their boxes; by default what the format says.",
            show_default=False,
        ),
    ] = None,
    box_size: Annotated[
        float | None,
        typer.Option(
            help="Side of the boxes in pixels of OUT; by default that of IN, scaled.",
            show_default=False,
        ),
    ] = None,
    micrographs: Annotated[list[str] | None, MICROGRAPHS] = None,
    height: Annotated[
        int | None,
        typer.Option(
            help="Number of rows of all micrographs of IN, in place of --micrographs.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be lost, and write nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write picks in another format, or frame; tells first what that format cannot hold."""
    from napari_pickeroptimizer.conversion.convert import is_file_of, planned, target_format
    from napari_pickeroptimizer.conversion.losses import source_format
    from napari_pickeroptimizer.conversion.moves import Anchor, Moves, shift_between
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.io.pick_format import Given

    if box_size is not None and not 0 < box_size < float("inf"):
        raise SettingsError(f"--box-size must be positive, got {box_size:g}.")
    if height is not None and height < 1:
        raise SettingsError(f"--height must be positive, got {height}.")
    if height is not None and micrographs:
        raise SettingsError("give one of --height and --micrographs, not both.")
    output = output.expanduser()
    picks = read_picks(source)
    pick_format = target_format(output, to, picks)
    told_px = _box_px(picks)
    in_px = told_px if box_size is None else box_size / scale if scale > 0 else None
    shift_px = 0.0
    if corner is not None:
        read_format = source_format(picks)
        read_as: Anchor = "centre" if read_format is None else read_format.room.anchor
        said: Anchor = "corner" if corner else "centre"
        shift_px = shift_between(said, read_as, in_px if corner else told_px or in_px)
    moves = Moves(shift_px, flip_y, scale)
    is_for_relion = pick_format.write_folder is not None and not is_file_of(
        output, pick_format
    )
    picks, shapes = _on_micrographs(picks, micrographs, rename=is_for_relion)
    given = Given(
        box_px=None if in_px is None else in_px * scale,
        shapes_yx_px={
            name: (round(ny * scale), round(nx * scale)) for name, (ny, nx) in shapes.items()
        },
    )
    n_rows = {name: ny for name, (ny, _) in shapes.items()}
    if height is not None:
        n_rows = dict.fromkeys(picks.rows_by_micrograph(), height)
    plan = planned(picks, output, pick_format, moves, given=given, n_rows=n_rows)
    for phrase in plan.lost:
        warn(f"{pick_format.name} has no room for {phrase}.")
    for caution in _cautions(plan, is_for_relion):
        warn(caution)
    if scale != 1 and (plan.is_copy or pick_format.room.other_columns):
        warn("only coordinates are scaled: pixel sizes and shifts in other columns stay.")
    written = [] if dry_run else plan.write(overwrite=overwrite)
    record: dict[str, Any] = {
        "picks": len(picks),
        "format": pick_format.name,
        "lost": list(plan.lost),
        "written": [str(path) for path in written],
    }
    if as_json:
        print_json(record)
        return
    where = f"{written[0]}" if len(written) == 1 else f"{len(written):,} files in {output}"
    out.print(
        f"{len(picks):,} picks: nothing was written (--dry-run)."
        if dry_run
        else f"{len(picks):,} picks written as {pick_format.name} to {where}"
    )


def _cautions(plan: Conversion, is_for_relion: bool) -> Iterator[str]:
    """Yield what the program that the files are for may stumble on."""
    from napari_pickeroptimizer.conversion.moves import picks_outside
    from napari_pickeroptimizer.names import is_image_name
    from napari_pickeroptimizer.schema import MICROGRAPH

    picks, shapes = plan.picks, plan.given.shapes_yx_px
    names = picks.table[MICROGRAPH.name]
    if is_for_relion and not plan.is_copy and not all(map(is_image_name, set(names))):
        yield (
            "RELION finds coordinates by the names of the micrographs, which these picks do not "
            "tell: give its micrographs STAR as --micrographs."
        )
    gone = picks_outside(picks, shapes)
    if len(gone):
        y, x = picks.coords_yx_px()[gone[0]]
        yield (
            f"{len(gone):,} of {len(picks):,} picks are not on their micrographs, the first at "
            f"x = {x:g}, y = {y:g} on {names.iloc[gone[0]]!r}: are they of binned or other images? "
            "RELION stops at a box outside."
        )
    if plan.is_copy and picks.unreadable_by:
        yield f"{picks.unreadable_by} on what is written."


def _box_px(picks: Picks) -> float | None:
    sizes = {source.box_px for source in picks.sources}
    return sizes.pop() if len(sizes) == 1 else None


def _on_micrographs(
    picks: Picks, places: list[str] | None, *, rename: bool
) -> tuple[Picks, dict[str, tuple[int, int]]]:
    """Return picks on the micrographs given, and the (ny, nx) of each by its name in the picks.

    Names that are none of images, such as those of pick files, become those of the micrographs;
    with `rename` all do, for programs that look them up there.
    """
    from napari_pickeroptimizer.cli.files import find_micrographs
    from napari_pickeroptimizer.names import is_image_name
    from napari_pickeroptimizer.schema import MICROGRAPH

    if not places:
        return picks, {}
    found = find_micrographs(places, None, False)
    resolved, errors = found.resolve_all(picks.rows_by_micrograph())
    for reason in list(errors.values())[:1]:
        raise SettingsError(f"all micrographs of the picks are needed: {reason}")
    new = {
        name: m.name if rename or not is_image_name(name) else name
        for name, m in resolved.items()
    }
    shapes = {new[name]: micrograph.shape_px() for name, micrograph in resolved.items()}
    return picks.with_columns(
        **{MICROGRAPH.name: picks.table[MICROGRAPH.name].map(new)}
    ), shapes
