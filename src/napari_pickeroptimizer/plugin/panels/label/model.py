"""Model of the label panel: labels, the current micrograph, suggestions. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from napari_pickeroptimizer.classes import (
    MAX_CLASS,
    UNLABELLED,
    plural,
)
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.fewshot.events import BoxesRead, MicrographSkipped, Suggested
from napari_pickeroptimizer.plugin import actions, keys, suggestions
from napari_pickeroptimizer.plugin.images.display import MAX_DISPLAY_PX
from napari_pickeroptimizer.plugin.images.stack import StackView
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    STYLES,
    ClassStyle,
    Vocabulary,
)
from napari_pickeroptimizer.plugin.matching import find_stack, missing_micrographs
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
from napari_pickeroptimizer.plugin.readiness import (
    GOOD_TO_BEGIN,
    enough_to_learn,
    missing_to_finetune,
)
from napari_pickeroptimizer.plugin.targets import NONE_SELECTED, acting_layer
from napari_pickeroptimizer.plugin.transforms import rows_on_slice, slice_shown

OTHER_KEYS = (
    ("N / B", "next suggested pick / back"),
    ("PgDn / PgUp", "next micrograph / previous"),
    ("Ctrl+Z / Ctrl+Shift+Z", "undo / redo"),
    ("S / Z", "select picks / move the image"),
    ("1, Del", "contaminant; removes own points"),
)


class MicrographShown(NamedTuple):
    """The current micrograph, as the picks spell it, and ``3 of 10: 512 picks, 12 labelled``."""

    name: str
    text: str


@dataclass(frozen=True)
class MicrographDisplay:
    """Display settings of the micrographs, and which of them can be changed.

    Parameters
    ----------
    low_pass_ang : float or None
        Resolution of the low-pass; None while it is off.
    can_low_pass : bool
        Whether the pixel size is known, without which there is none in Å.
    binned : bool
        Whether the micrographs are larger than what is displayed at first.
    every_pixel : bool
        Whether they are displayed unbinned.
    """

    low_pass_ang: float | None = None
    can_low_pass: bool = False
    binned: bool = False
    every_pixel: bool = False

    @classmethod
    def of(cls, stack: StackView | None) -> MicrographDisplay:
        """Return how a stack is displayed."""
        if stack is None:
            return cls()
        binned = max(stack.canvas_px) > MAX_DISPLAY_PX
        known = stack.pixel_size_ang is not None
        return cls(
            stack.low_pass_ang or None if known else None,
            known,
            binned,
            binned and stack.max_display_px > MAX_DISPLAY_PX,
        )


class LabelModel(PanelModel):
    """The picks layer that a session works on, as the label panel shows it.

    Parameters
    ----------
    session : Session
        Whose picks.
    """

    # -------------------------------------------------------------------------- labels

    def counts(self) -> dict[int, int]:
        """Return how many picks carry each class id, 0 for no label."""
        if self.picks is None:
            return {}
        counts = np.bincount(self.picks.labels, minlength=MAX_CLASS + 1)
        return {class_id: int(n) for class_id, n in enumerate(counts)}

    def unlabelled_style(self) -> ClassStyle:
        """Return how picks without a label are drawn in this layer."""
        style = STYLES[UNLABELLED]
        if self.state is None:
            return style
        red, green, blue = (round(255 * c) for c in self.state.palette_rgba[UNLABELLED, :3])
        return replace(style, color=f"#{red:02X}{green:02X}{blue:02X}")

    def needs_hint(self) -> bool:
        """Whether nothing is labelled yet, so that a hint is shown."""
        return self.layer is not None and not sum(list(self.counts().values())[1:])

    def next_step(self) -> str:
        """Return what can be done with the labels; empty while nothing can be learned."""
        vocabulary = self.session.vocabulary
        if self.picks is None or missing_to_finetune(self.picks, self.stack, vocabulary):
            return ""
        if not enough_to_learn(self.picks):
            return f"Few labels as yet: {GOOD_TO_BEGIN} are better to learn from."
        return "Enough labels to begin: let a network learn from them."

    def can_undo(self) -> tuple[bool, bool]:
        """Return whether there is something to undo, and to redo."""
        return (False, False) if self.state is None else self.state.can_undo

    def key_help(self) -> list[tuple[str, str]]:
        """Return the keys and their actions."""
        classes = [(style.key, style.name) for style in self.session.vocabulary]
        return [*classes, ("U", "remove the label"), *OTHER_KEYS]

    def label_selected(self, class_id: int) -> None:
        """Label the selected picks that are seen, in the layer that the keys act on.

        Raises
        ------
        LabelError
            None are.
        """
        if self.layer is None:
            raise LabelError(NONE_SELECTED)
        viewer = self.session.viewer
        keys.label(viewer, acting_layer(viewer, self.layer), class_id, pointing=False)

    def travel(self, key: str) -> None:
        """Undo or redo, as the key does."""
        viewer = self.session.viewer
        keys.press(viewer, acting_layer(viewer, self.layer), key)

    def recovery_text(self) -> str:
        """Return what labels of an earlier session can be restored; empty for none."""
        recovery = None if self.layer is None else actions.recoverable(self.layer)
        if recovery is None:
            return ""
        verb = "was" if recovery.n_labels == 1 == len(recovery) else "were"
        return f"{recovery.sentence} {verb} found for these picks."

    def recover(self) -> str:
        """Restore the labels of the earlier session; return how many, as text."""
        recovery = actions.recoverable(self.layer)
        n = actions.recover(self.session.viewer, self.layer)
        n_added = 0 if recovery is None else len(recovery.added)
        added = f" and {plural(n_added, 'pick')} that you had added" if n_added else ""
        return f"{plural(n, 'label')}{added} restored."

    # --------------------------------------------------------------------- micrographs

    def micrograph(self) -> MicrographShown:
        """Return the micrograph on the screen."""
        viewer, state = self.session.viewer, self.state
        index = slice_shown(viewer)
        if state is None or not 0 <= index < len(state.slice_names):
            return MicrographShown("", "no micrograph here")
        rows = rows_on_slice(self.layer, index)
        stack = find_stack(viewer, state)
        shapes = () if stack is None else stack.shapes_px
        text = f"{index + 1:,} of {len(state.slice_names):,}: {plural(len(rows), 'pick')}"
        if len(rows):
            text += f", {np.count_nonzero(state.picks.labels[rows] != UNLABELLED):,} labelled"
        if index >= len(shapes) or shapes[index] is None:
            text += ", image missing"
        return MicrographShown(state.slice_names[index], text)

    def missing(self) -> dict[str, str]:
        """Return why micrographs of the picks are missing, by name."""
        if self.layer is None:
            return {}
        return missing_micrographs(self.session.viewer, self.layer)

    # --------------------------------------------------------------------- suggestions

    @property
    def can_suggest(self) -> bool:
        """Whether there are picks and micrographs to compare them on."""
        return self.layer is not None and self.session.stack_layer is not None

    def suggest_tip(self) -> str:
        """Return what is suggested, or what is needed for it."""
        if not self.can_suggest:
            return "Open the micrographs first: picks are compared by their images."
        chosen = (
            "uncertain ones, and some unlike all others"
            if self.session.model is not None
            else "picks unlike each other and unlike the labelled ones"
        )
        return f"Choose the picks whose labels help the model most: {chosen}."

    def check_text(self) -> str:
        """Return how many labels the model contradicts; empty for none."""
        n = 0 if self.layer is None else len(suggestions.doubtful_rows(self.layer))
        return f"Check {plural(n, 'label')} the model doubts" if n else ""

    def take_suggested(self, layer: Any, event: object) -> str:
        """Handle an event of suggesting; return the message to show.

        Parameters
        ----------
        layer : napari.layers.Points
            The layer of the job: the user may work on another one by now.
        event : SuggestEvent
            The event.
        """
        match event:
            case BoxesRead():
                return f"Reading micrograph {event.n_read} of {event.n_total} ..."
            case MicrographSkipped():
                return f"Left out {event.micrograph}: {event.reason}"
            case Suggested() if layer not in self.session.viewer.layers:
                return "The picks layer was deleted meanwhile."
            case Suggested() if not len(event.rows):
                return "There is nothing to suggest: every pick has a label."
            case Suggested():
                suggestions.show_suggestions(self.session.viewer, layer, event)
                n = len(event.rows)
                fewer = " (there are no more)" if n < event.n_wanted else ""
                return (
                    f"{plural(n, 'pick')}{fewer}, chosen from {event.n_compared:,}. "
                    "Label them by key."
                )
        return ""


def add_class_tip(vocabulary: Vocabulary) -> str:
    """Return what another class would be, or why there cannot be one."""
    n_free = MAX_CLASS - len(vocabulary.classes)
    if not n_free:
        return f"{MAX_CLASS} classes are the maximum in RELION."
    return f"Another class of false picks, or of particles to keep apart ({n_free} more)."


def without_class(
    vocabulary: Vocabulary, class_id: int, counts: Mapping[int, int]
) -> Vocabulary:
    """Return the classes without one of them.

    Raises
    ------
    LabelError
        Picks carry its label.
    """
    if n := counts.get(class_id, 0):
        name, them = vocabulary.name(class_id), "it" if n == 1 else "them"
        raise LabelError(f"{plural(n, 'pick')} labelled {name}: label {them} otherwise first.")
    return vocabulary.removed(class_id)
