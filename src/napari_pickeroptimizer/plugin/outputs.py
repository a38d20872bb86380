"""What scores do to layers: the picks' colours, and the layers of kept and rejected picks.

The layer of all picks is coloured by what is decided, and else left alone. What is kept and
what is rejected are two more layers, made from it again whenever scores, threshold or labels
change. Everything is scriptable: `set_threshold` leaves all of it up to date. A panel, in
which a threshold is dragged, asks for the least at every step (`move_threshold`), and for the
rest once the hand is still (`settle`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import matching
from napari_pickeroptimizer.plugin.colouring import (
    has_display_columns,
    paint_all,
    paint_rows,
    remove_display_columns,
    shown_picks,
    visible_rows,
    without_display_columns,
)
from napari_pickeroptimizer.plugin.layer_state import view_of
from napari_pickeroptimizer.plugin.output_layers import show_output_layers
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.plugin.session import Session, session_of, unwrap
from napari_pickeroptimizer.prune.place_rules import PlaceRules, frames_of
from napari_pickeroptimizer.prune.score import MicrographScored, PicksScored
from napari_pickeroptimizer.prune.threshold import check_probability
from napari_pickeroptimizer.reading import MicrographFailed, group_by_micrograph

Shown = Literal["all", "kept", "rejected"]
# napari takes a second for the points of a layer this large: those that nobody sees wait.
LARGE = 100_000


@dataclass(frozen=True)
class Pruned:
    """What scores and threshold made of a layer.

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


@dataclass(eq=False)
class _Following:
    """What is kept of a session: layers that are not up to date, and who will see to it."""

    needs_refresh: WeakSet[Any] = field(default_factory=WeakSet)
    outdated: WeakSet[Any] = field(default_factory=WeakSet)
    later: Callable[[Any], None] | None = None


_following: WeakKeyDictionary[Session, _Following] = WeakKeyDictionary()


def scores_of(viewer: Any, layer: Any) -> Scores:
    """Return the scores of a layer's picks.

    Raises
    ------
    SettingsError
        They are not scored yet.
    """
    scores: Scores | None = session_of(viewer).scores.get(unwrap(layer))
    if scores is None:
        raise SettingsError(
            f"the picks of {layer.name!r} are not scored yet: score them first."
        )
    return scores


def begin(viewer: Any, layer: Any, scores: Scores) -> Scores | None:
    """Show scores as they come, from now on; return those that the layer had before."""
    session, layer = session_of(viewer), unwrap(layer)
    follow(session)
    before: Scores | None = session.scores.get(layer)
    if before is not None:
        scores.threshold, scores.rules = before.threshold, before.rules
    session.scores[layer] = scores
    paint_all(layer, scores)
    session.scores_changed.emit(layer)
    return before


def receive(viewer: Any, layer: Any, event: Any) -> None:
    """Take an event of scoring over, into the scores and the colours of the picks."""
    session, layer = session_of(viewer), unwrap(layer)
    scores = scores_of(viewer, layer)
    if isinstance(event, MicrographScored | MicrographFailed):
        rows = scores.take(event)
        paint_rows(layer, scores, rows, probabilities=True)
        session.scores_changed.emit(layer)


def finish(viewer: Any, layer: Any, scored: PicksScored, summarised: ScoreSummary) -> None:
    """Take over what is known once all picks are scored, and show what is kept."""
    session, layer = session_of(viewer), unwrap(layer)
    scores = scores_of(viewer, layer)
    scores.finish(scored, summarised)
    if not scores.rules.are_off:
        _apply_rules(viewer, layer, scores, scores.rules)
    _refresh_soon(session, layer)
    session.scores_changed.emit(layer)


def restore(viewer: Any, layer: Any, before: Scores | None) -> None:
    """Go back to the scores that a layer had, as after a cancelled scoring."""
    session, layer = session_of(viewer), unwrap(layer)
    if before is None or before.model is not session.model:
        forget(viewer, layer)
        return
    picks = shown_picks(layer)
    before.set_labels(np.arange(len(before)), picks)  # labels given meanwhile
    session.scores[layer] = before
    paint_all(layer, before)
    _refresh_soon(session, layer)
    session.scores_changed.emit(layer)


def forget(viewer: Any, layer: Any) -> None:
    """Drop a layer's scores and the colours they gave; its outputs stay as they are."""
    session, layer = session_of(viewer), unwrap(layer)
    session.scores.pop(layer, None)
    remove_display_columns(layer)
    session.scores_changed.emit(layer)


def set_threshold(viewer: Any, layer: Any, threshold: float) -> Pruned:
    """Keep the picks of this P(particle) and more, and show it.

    The layer's labels win over the scores, those given since the scoring too.

    Raises
    ------
    SettingsError
        The layer's picks are not scored, or the threshold is no probability.
    """
    scores, session = scores_of(viewer, layer), session_of(viewer)
    check_probability("the threshold", threshold)
    scores.threshold = float(threshold)
    pruned = refresh(viewer, layer)
    session.threshold_changed.emit(unwrap(layer))
    return pruned


def move_threshold(viewer: Any, layer: Any, threshold: float) -> None:
    """Follow a threshold that is dragged: colours of what is seen at once, the rest later."""
    session, layer = session_of(viewer), unwrap(layer)
    scores = scores_of(viewer, layer)
    scores.threshold = float(threshold)
    paint_rows(layer, scores, visible_rows(viewer, layer, scores))
    _refresh_soon(session, layer)
    session.threshold_changed.emit(layer)


def set_place_rules(viewer: Any, layer: Any, rules: PlaceRules) -> Pruned:
    """Let distances cost picks their place, whatever their score, and show it.

    Raises
    ------
    SettingsError
        The layer's picks are not scored, or a distance in Å needs a pixel size.
    """
    session, layer = session_of(viewer), unwrap(layer)
    _apply_rules(viewer, layer, scores_of(viewer, layer), rules)
    pruned = refresh(viewer, layer)
    session.threshold_changed.emit(layer)
    return pruned


def refresh(viewer: Any, layer: Any) -> Pruned:
    """Bring the colours of all picks, and the outputs, up to date with the threshold."""
    viewer, layer = unwrap(viewer), unwrap(layer)
    scores = scores_of(viewer, layer)
    following = follow(session_of(viewer))
    following.needs_refresh.discard(layer)
    following.outdated.discard(layer)
    paint_rows(layer, scores, None)
    picks = scores.decided(without_display_columns(layer))
    layers = show_output_layers(viewer, layer, picks, outputs_of(viewer, layer))
    return Pruned(picks, layers, scores.failures, sum(scores.outside.values()))


def refresh_visible(viewer: Any, layer: Any) -> bool:
    """Do as `settle`, but leave large outputs that nobody sees for later.

    Returns
    -------
    bool
        Whether some were left: call `settle` when there is time for it.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    scores = scores_of(viewer, layer)
    seen = any(x.visible for x in outputs_of(viewer, layer).values())
    if seen or len(scores) <= LARGE:
        refresh(viewer, layer)
        return False
    following = follow(session_of(viewer))
    following.needs_refresh.discard(layer)
    following.outdated.add(layer)
    paint_rows(layer, scores, None)
    return True


def show_outputs(viewer: Any, layer: Any) -> dict[str, Any]:
    """Make or update the layers of what is kept and rejected; return them by role."""
    return refresh(viewer, layer).layers


def outputs_of(viewer: Any, layer: Any) -> dict[str, Any]:
    """Return the output layers of a picks layer by role, whatever they are called now."""
    found = {}
    for other in matching.picks_layers(unwrap(viewer)):
        view = view_of(other.metadata)
        if view is not None and view.source == unwrap(layer).unique_id:
            found[str(view.role)] = other
    return found


def choose_shown(viewer: Any, layer: Any, shown: Shown) -> None:
    """Show all picks, or only the kept or the rejected ones; what is shown gets the keys."""
    viewer, layer = unwrap(viewer), unwrap(layer)
    if shown != "all" and (shown not in outputs_of(viewer, layer) or outdated(viewer, layer)):
        refresh(viewer, layer)
    layers = {"all": layer, **outputs_of(viewer, layer)}
    for role, other in layers.items():
        if role != "unscored":
            other.visible = role == shown
    viewer.layers.selection.active = layers[shown]


def shown_of(viewer: Any, layer: Any) -> Shown:
    """Return which of its three layers is seen, ``all`` where it is several."""
    if not layer.visible:
        outputs = outputs_of(viewer, layer)
        seen: list[Shown] = [
            role for role in ("kept", "rejected") if role in outputs and outputs[role].visible
        ]
        if len(seen) == 1:
            return seen[0]
    return "all"


def refresh_later(session: Session, later: Callable[[Any], None] | None) -> None:
    """Have a panel call `settle` when the hand rests; None to do it at once again."""
    follow(session).later = later


def stop_refreshing_later(session: Session, later: Callable[[Any], None]) -> None:
    """Undo `refresh_later`, unless another panel has taken it over."""
    following = follow(session)
    if following.later is later:
        following.later = None


def needs_refresh(viewer: Any, layer: Any) -> bool:
    """Whether colours or outputs are behind the threshold or the labels."""
    return unwrap(layer) in follow(session_of(viewer)).needs_refresh


def outdated(viewer: Any, layer: Any) -> bool:
    """Whether outputs that nobody sees were left for later."""
    return unwrap(layer) in follow(session_of(viewer)).outdated


def follow(session: Session) -> _Following:
    """Let scores follow labels and models of a session; a second call changes nothing."""
    if session not in _following:
        _following[session] = _Following()
        session.labels_changed.connect(partial(_on_labels, session))
        session.model_changed.connect(partial(_on_model, session))
        session.viewer.dims.events.current_step.connect(partial(_on_step, session.viewer_ref))
    return _following[session]


def _on_labels(session: Session, layer: Any, rows: NDArray[np.intp]) -> None:
    scores: Scores | None = session.scores.get(layer)
    if scores is None:
        return
    concerned = scores.set_labels(rows, shown_picks(layer))
    paint_rows(layer, scores, concerned, probabilities=True)
    if scores.complete:
        _refresh_soon(session, layer)


def _on_model(session: Session) -> None:
    """Scores of another model than the session's say nothing any more."""
    for layer in matching.picks_layers(session.viewer):
        if layer in session.scores or has_display_columns(layer):
            forget(session.viewer, layer)


def _on_step(viewer_ref: Any, event: Any = None) -> None:
    """Colour the micrograph that comes into view, where the threshold is still on its way."""
    viewer = viewer_ref()
    if viewer is None:
        return
    session = session_of(viewer)
    for layer in list(follow(session).needs_refresh):
        scores = session.scores.get(layer)
        if scores is not None and layer in viewer.layers:
            paint_rows(layer, scores, visible_rows(viewer, layer, scores))


def _refresh_soon(session: Session, layer: Any) -> None:
    following = follow(session)
    following.needs_refresh.add(layer)
    if following.later is None:
        refresh(session.viewer, layer)
    else:
        following.later(layer)


def _apply_rules(viewer: Any, layer: Any, scores: Scores, rules: PlaceRules) -> None:
    frames = []
    picks = shown_picks(layer)
    if not rules.are_off:
        micrographs = _micrographs(viewer, layer, scores)
        frames = frames_of(group_by_micrograph(micrographs, picks), scores.card.boxes, rules)
    scores.set_rules(rules, frames, picks)


def _micrographs(viewer: Any, layer: Any, scores: Scores) -> Micrographs:
    view = view_of(layer.metadata)
    stack = None if view is None else matching.find_stack(unwrap(viewer), view)
    # a distance between picks, in pixels or diameters, needs no image
    return Micrographs.named(scores.names) if stack is None else stack.micrographs
