"""Layers of kept, rejected and unscored picks of a decision. No Qt.

The layer of all picks is only coloured by the decision. Kept and rejected picks are two more
layers, updated whenever scores, threshold, place rules or labels change: at once (`refresh`),
or, where there are many picks, in a thread after the colours (`refresh_colors`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal  # Any: viewers and layers, which are not imported here

import numpy as np

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import matching, output_layers, painting, transforms
from napari_pickeroptimizer.plugin.layer_state import LayerState, picks_state, unwrap
from napari_pickeroptimizer.plugin.output_layers import OUTPUT_ROLES, outputs_of
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.prune.events import MicrographScored, ScoreEvent
from napari_pickeroptimizer.prune.place_rules import Frame, frames_of
from napari_pickeroptimizer.prune.settings import PlaceRules
from napari_pickeroptimizer.reading import group_by_micrograph

Shown = Literal["all", "kept", "rejected"]
# The window would wait for the points of a layer this large: it is made in a thread.
LARGE = 100_000


@dataclass(frozen=True)
class LayerOutputs:
    """The result of scores and threshold for a layer.

    Parameters
    ----------
    picks : Picks
        All picks, with probabilities, ``predicted`` and ``decided_by``.
    layers : dict
        Output layer by role: ``kept``, ``rejected``, and ``unscored`` where there are any.
    failures : dict
        Reason by micrograph that could not be read.
    n_outside : int
        Picks outside their micrograph.
    """

    picks: Picks
    layers: dict[str, Any]
    failures: dict[str, str]
    n_outside: int

    @property
    def counts(self) -> dict[int, int]:
        """Number of picks by predicted class, 0 = unscored."""
        ids, counts = np.unique(self.picks.table["predicted"], return_counts=True)
        return {int(i): int(n) for i, n in zip(ids, counts, strict=True)}


def scored_state(layer: Any) -> LayerState:
    """Return the state of a layer whose picks are scored.

    Raises
    ------
    SettingsError
        They are not scored yet.
    """
    state = picks_state(layer)
    if state.scores is None:
        raise SettingsError(
            f"the picks of {layer.name!r} are not scored yet: score them first."
        )
    return state


def scores_of(viewer: Any, layer: Any) -> Scores:
    """Return the scores of a layer's picks.

    Raises
    ------
    SettingsError
        They are not scored yet.
    """
    return scored_state(layer).checked_scores


def take_scores(viewer: Any, layer: Any, event: ScoreEvent | ScoreSummary) -> None:
    """Apply an event of scoring to the scores and the colours of the picks."""
    if isinstance(event, OtherFrameFits):
        warnings.warn(event.sentence, UserWarning, stacklevel=2)
        return
    state = scored_state(layer)
    is_end = isinstance(event, ScoreSummary)
    # any event of a layer redraws the window; all of its arrays are drawn when its slice is shown
    events = unwrap(layer).events
    with events.blocker_all() if _is_out_of_sight(viewer, layer, event) else nullcontext():
        state.take_scores(event, place_frames(viewer, state, state.rules) if is_end else ())
    if is_end:  # who follows the features is told of all at once
        with painting.marked(state):
            events.features()


def _is_out_of_sight(viewer: Any, layer: Any, event: ScoreEvent | ScoreSummary) -> bool:
    """Whether an event scores a micrograph none of whose picks are on the screen."""
    if not isinstance(event, MicrographScored):
        return False
    dims, axis = viewer.dims, viewer.dims.ndim - layer.ndim
    if layer.ndim < 3 or axis in dims.displayed or dims.thickness[axis]:
        return False
    if str(layer.projection_mode) not in ("none", "all"):
        return False  # points of the slices beside it are drawn, too
    rows = event.group.rows
    slices = np.rint(np.asarray(layer.data)[rows[rows < len(layer.data)], 0])
    return not np.any(slices == transforms.slice_shown(viewer))


def set_threshold(viewer: Any, layer: Any, threshold: float) -> LayerOutputs:
    """Set the threshold on P(particle) and update the layers.

    The layer's labels take precedence over the scores, including newer ones.

    Raises
    ------
    SettingsError
        The layer's picks are not scored, or the threshold is no probability.
    """
    return _redecide(viewer, layer, lambda state: state.set_threshold(threshold))


def set_place_rules(viewer: Any, layer: Any, rules: PlaceRules) -> LayerOutputs:
    """Set the distances that reject picks whatever their score, and update the layers.

    Raises
    ------
    SettingsError
        The layer's picks are not scored, or a distance in Å needs a pixel size.
    """
    return _redecide(
        viewer,
        layer,
        lambda state: state.set_place_rules(rules, place_frames(viewer, state, rules)),
    )


def _redecide(viewer: Any, layer: Any, change: Callable[[LayerState], None]) -> LayerOutputs:
    """Change what decides, and update the layers before the panels are told."""
    state = scored_state(layer)
    with state.threshold_changed.blocked():
        change(state)
    outputs = refresh(viewer, layer)
    state.threshold_changed.emit()
    return outputs


def place_frames(viewer: Any, state: LayerState, rules: PlaceRules) -> list[Frame]:
    """Return the micrographs on which distances between scored picks are measured."""
    scores = state.scores
    if rules.are_off or scores is None:
        return []
    stack = matching.find_stack(unwrap(viewer), state)
    # a distance between picks, in pixels or diameters, needs no image
    micrographs = Micrographs.named(scores.names) if stack is None else stack.micrographs
    groups = group_by_micrograph(micrographs, state.picks)
    return frames_of(groups, scores.card.boxes, rules)


def refresh(viewer: Any, layer: Any) -> LayerOutputs:
    """Update the colours of all picks and the output layers to the decision."""
    viewer, layer = unwrap(viewer), unwrap(layer)
    state = scored_state(layer)
    scores = state.checked_scores
    state.needs_refresh, state.outdated = False, frozenset()
    painting.paint_decided(layer)
    picks, made = output_layers.plan(viewer, layer).compute()
    layers = {str(one.state.role): one.show(viewer, layer) for one in made}
    return LayerOutputs(picks, layers, scores.failures, sum(scores.outside.values()))


def refresh_colors(viewer: Any, layer: Any) -> frozenset[str]:
    """Refresh as `refresh` does, but only the colours where outputs are large.

    Returns
    -------
    frozenset of str
        Roles of outputs that are left: make them in a thread, see `output_layers`.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    state = scored_state(layer)
    if len(state.picks) <= LARGE:
        refresh(viewer, layer)
    else:
        state.needs_refresh, state.outdated = False, frozenset(OUTPUT_ROLES)
        painting.paint_decided(layer)
    return state.outdated


def paint_shown(viewer: Any, layer: Any) -> None:
    """Colour the picks of the current micrograph by the decision."""
    is_flat = viewer.dims.ndim >= 3 and viewer.dims.ndisplay == 2
    shown = transforms.rows_on_slice(layer, transforms.slice_shown(viewer))
    painting.paint_decided(layer, shown if is_flat else None)


def choose_shown(viewer: Any, layer: Any, shown: Shown) -> None:
    """Show all picks, or only the kept or the rejected ones; that layer becomes active."""
    viewer, layer = unwrap(viewer), unwrap(layer)
    if is_behind(viewer, layer, shown):
        refresh(viewer, layer)
    layers = {"all": layer, **outputs_of(viewer, layer)}
    for role, other in layers.items():
        if role != "unscored":
            other.visible = role == shown
    viewer.layers.selection.active = layers[shown]


def is_behind(viewer: Any, layer: Any, shown: Shown) -> bool:
    """Return whether a layer is missing, or older than the decision."""
    if shown == "all":
        return False
    return shown in picks_state(layer).outdated or shown not in outputs_of(viewer, layer)


def shown_of(viewer: Any, layer: Any) -> Shown:
    """Return which of the three layers is visible, ``all`` if several are."""
    outputs = {} if layer.visible else outputs_of(viewer, layer)
    visible: list[Shown] = [
        role for role in ("kept", "rejected") if role in outputs and outputs[role].visible
    ]
    return visible[0] if len(visible) == 1 else "all"
