"""Where an export goes, in which format, and what to do with it then. No Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_pickeroptimizer.io.project import absolute, common_folder
from napari_pickeroptimizer.io.registry import format_of
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.staging import RUN_RECORD

What = Literal["everything", "kept"]


def is_tree(picks: Picks) -> bool:
    """Whether picks came as several files, and are written as such."""
    return picks.file_list is not None or len(picks.sources) > 1


def input_suffix(picks: Picks) -> str:
    """Return how the input's file name ends; nothing for a tree of files."""
    if is_tree(picks):
        return ""
    return picks.sources[0].path.suffix.lower() if picks.sources else ".star"


def formats(picks: Picks) -> dict[str, str]:
    """Return the formats that picks can be written in: words by suffix, the input's first."""
    suffix = input_suffix(picks)
    if not suffix:
        return {"": f"{len(picks.sources)} files, as the input", ".star": "one STAR file"}
    known = format_of(f"picks{suffix}")
    name = suffix if known is None else known.name
    choices = {suffix: f"{name}, as the input" if picks.sources else name}
    return choices if suffix == ".star" else {**choices, ".star": "STAR"}


def home_of(picks: Picks) -> Path:
    """Return the folder that the picks' files lie in; the working directory without any."""
    if picks.file_list is not None:
        path = absolute(picks.file_list.path)
        return path if path.is_dir() else path.parent
    if picks.sources:
        return common_folder([source.path for source in picks.sources])
    return Path.cwd()


def default_output(picks: Picks, what: What = "everything", suffix: str | None = None) -> Path:
    """Return a place beside the picks that is not taken: ``picks_pruned``, ``picks_kept.star``.

    Parameters
    ----------
    picks : Picks
        What was read.
    what : {"everything", "kept"}
        For what.
    suffix : str, optional
        Of the kept picks' file; by default the input's.
    """
    home = home_of(picks)
    tree = is_tree(picks)
    stem = picks.sources[0].path.stem if picks.sources and not tree else "picks"
    if tree and picks.file_list is not None and home == absolute(picks.file_list.path):
        stem, home = home.name, home.parent  # beside the folder, not among its files
    ending = (
        "" if what == "everything" else (input_suffix(picks) if suffix is None else suffix)
    )
    name = f"{stem}_{'pruned' if what == 'everything' else 'kept'}"
    candidates = (
        home / f"{name}{n}{ending}" for n in ("", *(f"_{i}" for i in range(2, 1000)))
    )
    return next((path for path in candidates if not path.exists()), home / f"{name}{ending}")


def in_the_way(output: str | Path, what: What = "everything") -> str:
    """Return what is at a place already, in a sentence; nothing if nothing is."""
    path = Path(output).expanduser()
    if what == "kept":
        if path.is_dir() and any(path.iterdir()):
            return f"{path} is a folder with files in it."
        return f"{path} exists." if path.is_file() else ""
    if path.is_file():
        return f"{path} is a file, not a folder."
    if not path.is_dir() or not any(path.iterdir()):
        return ""
    if (path / RUN_RECORD).is_file():
        return f"{path} holds an earlier run."
    return f"{path} has files in it; those of the same names would be replaced."


def next_steps(picks: Picks, output: Path) -> tuple[str, ...]:
    """Return what to do with exported picks in RELION and in cryoSPARC, a sentence each."""
    kept_at = output
    if output.suffix == "" or output.is_dir():
        kept_at = output / f"kept{input_suffix(picks)}"
        if not (output / RUN_RECORD).is_file() and is_tree(picks):
            kept_at = output
    if picks.file_list is not None and picks.file_list.path.suffix == ".star":
        star = kept_at / picks.file_list.path.name if kept_at.suffix == "" else kept_at
        relion = f"RELION: Particle extraction ▸ Input coordinates: {star}"
    elif _has_images(picks):
        relion = f"RELION: 2D classification ▸ Input images STAR file: {kept_at}"
    elif input_suffix(picks) not in ("", ".star"):
        relion = "RELION: save the kept picks as one STAR file for it."
    else:
        relion = (
            "RELION: Particle extraction ▸ Re-extract refined particles ▸ Refined particles "
            f"STAR file: {kept_at}"
        )
    cryosparc = (
        f"cryoSPARC: Import Particle Stack ▸ Particle meta path: {kept_at}, with the "
        "micrographs' job as input"
    )
    return (relion, cryosparc)


def _has_images(picks: Picks) -> bool:
    block = getattr(picks.sources[0], "block", None) if picks.sources else None
    return block is not None and "rlnImageName" in block.columns
