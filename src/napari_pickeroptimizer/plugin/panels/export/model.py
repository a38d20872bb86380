"""Model of the export panel: counts, missing inputs, formats and paths. No Qt."""

from __future__ import annotations

from pathlib import Path

from napari_pickeroptimizer.classes import class_name, counted
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.io.project import absolute, common_folder
from napari_pickeroptimizer.io.registry import format_of
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.before_labels import BY_ORDER, are_before_labels
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.panels.export.export import (
    Exported,
    ExportSettings,
    in_the_way,
    input_suffix,
)
from napari_pickeroptimizer.plugin.panels.export.recipe import What, recipe_of
from napari_pickeroptimizer.plugin.panels.export.reproduce import Recipe
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.plugin.writers import save_labels
from napari_pickeroptimizer.shares import percent
from napari_pickeroptimizer.staging import RUN_RECORD

CountRow = tuple[str, str, str]
ALLOWED_TO_REPLACE = "Nothing is replaced unless you allow it."


class ExportModel(PanelModel):
    """The picks that a session works on, as the export panel shows them.

    Parameters
    ----------
    session : Session
        Whose picks.

    Attributes
    ----------
    exported : Exported or None
        The last export.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.exported: Exported | None = None

    def missing(self) -> str:
        """Return what an export still needs; empty when it can start."""
        if self.layer is None:
            return "Open picks first."
        if self.scores is None:
            return "Score the picks first (Decide). Labels alone can be saved below."
        if not self.scores.complete:
            return "The picks are being scored: wait until all of them are."
        if self.session.stack_layer is None:
            return "Open the micrographs of these picks first."
        return ""

    def note(self) -> str:
        """Return what the scores are worth, where it is not much; else empty."""
        if not are_before_labels(self.scores):
            return self.own_labels_note()
        return f"{BY_ORDER} There is no model of your own yet, so none is written."

    @property
    def has_own_model(self) -> bool:
        """Whether there is a model that could be written."""
        return not are_before_labels(self.scores)

    def count_rows(self) -> list[CountRow]:
        """Return the counts of kept, rejected and unscored picks; empty before all are scored."""
        state, scores = self.state, self.scores
        if state is None or scores is None or not scores.complete:
            return []
        return count_rows(state)

    # -------------------------------------------------------------------------- places

    def formats(self) -> dict[str, str]:
        """Return the formats that kept picks can be written in: words by suffix."""
        return {} if self.picks is None else formats(self.picks)

    def is_one_file(self, what: What, suffix: str) -> bool:
        """Whether an export is one file, not a folder."""
        tree = self.picks is not None and self.picks.is_tree and not suffix
        return what == "kept" and not tree

    def place(self, what: What, suffix: str, chosen: Path | None) -> Path | None:
        """Return where to export to: the chosen place, else one beside the picks.

        Parameters
        ----------
        what : {"everything", "kept"}
            What is exported.
        suffix : str
            Of the kept picks' file.
        chosen : Path or None
            What the user chose, perhaps with another suffix.
        """
        if chosen is not None:
            return chosen.with_suffix(suffix) if self.is_one_file(what, suffix) else chosen
        return None if self.picks is None else default_output(self.picks, what, suffix)

    def taken(self, output: Path | None, what: What) -> tuple[str, bool]:
        """Return what exists at a path, and whether it was exported just now."""
        obstacle = "" if output is None else in_the_way(output, what)
        just_now = self.exported is not None and self.exported.output == output
        return obstacle, bool(obstacle) and just_now

    # ------------------------------------------------------------------------- actions

    def recipe(self, output: Path | None, settings: ExportSettings) -> Recipe | None:
        """Return the recipe for the same export without napari; None before there is one."""
        if self.layer is None or output is None:
            return None
        return recipe_of(self.session.viewer, self.layer, output, settings)

    def labels_file(self) -> Path:
        """Return a path for the labels alone.

        Raises
        ------
        LabelError
            There are none.
        """
        if self.picks is None or not self.picks.labels.any():
            raise LabelError("No pick is labelled yet: there is nothing to save.")
        return home_of(self.picks) / "labels.star"

    def save_labels(self, path: Path, *, overwrite: bool = False) -> str:
        """Write the picks with their labels to a STAR file; return what was written.

        Raises
        ------
        LabelError, SettingsError, OSError
            As `save_labels`.
        """
        path = path if path.suffix else path.with_suffix(".star")
        written = save_labels(self.layer, path, overwrite=overwrite)
        return f"Labels saved: {' and '.join(p.name for p in written)}"


def cancelled_text(output: Path | None) -> str:
    """Return what a cancelled export has written."""
    if output is not None and (output / RUN_RECORD).is_file():
        return "Cancelled: the picks are written, the report is not."
    return "Cancelled: nothing was written."


def count_rows(state: LayerState) -> list[CountRow]:
    """Return the counts of kept, rejected and unscored picks: name, number, details."""
    counts, scores = state.decision.counts(state.threshold), state.scores
    assert scores is not None  # there is a decision
    n = max(counts.n_picks, 1)
    by_class = ", ".join(
        counted(k, class_name(c, scores.card.names))
        for c, k in counts.rejected_by_class.items()
    )
    kept = f"{percent(counts.kept / n)} of {counts.n_picks:,} picks"
    if counts.kept_by_label:
        kept += f", {counts.kept_by_label:,} by label"
    places = f"{counts.rejected_by_place:,} by place" if counts.rejected_by_place else ""
    rows = [
        ("Kept", f"{counts.kept:,}", kept),
        ("Rejected", f"{counts.rejected:,}", ", ".join(p for p in (by_class, places) if p)),
    ]
    if counts.unscored:
        details = "outside, or on micrographs that cannot be read"
        rows.append(("Unscored", f"{counts.unscored:,}", details))
    return rows


def formats(picks: Picks) -> dict[str, str]:
    """Return the formats that picks can be written in: words by suffix, the input's first."""
    suffix = input_suffix(picks)
    if not suffix:
        return {"": f"{len(picks.sources)} files, as the input", ".star": "one STAR file"}
    pick_format = format_of(f"picks{suffix}")
    name = suffix if pick_format is None else pick_format.name
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
    tree = picks.is_tree
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
