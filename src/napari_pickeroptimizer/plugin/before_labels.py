"""Scores before the first label: the bundled network, for a gallery in order at once. No Qt.

Its model never becomes the session's, which is the user's own: that one's scores replace these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any  # Any: viewers and layers, which are not imported here

from napari_pickeroptimizer.plugin import jobs
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.session import adopt_layer

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
    from napari_pickeroptimizer.prune.events import ScoreEvent

BY_ORDER = "Scored by the bundled network, before any label: use the order, not the numbers."


def are_before_labels(scores: Scores | None) -> bool:
    """Whether these are scores of a network that has seen none of the user's labels."""
    return scores is not None and scores.card.is_before_labels


def bundled_model(layer: Any) -> Classifier:
    """Return the bundled network as a model for the diameter of a layer's rings."""
    from napari_pickeroptimizer.model.before_labels import model_before_labels  # torch

    return model_before_labels(diameter_px=picks_state(layer).diameter_px)


def score_without_labels(
    viewer: Any,
    layer: Any,
    *,
    stack_layer: Any = None,
    device: str = "auto",
    on_event: Callable[[ScoreEvent | ScoreSummary], None] | None = None,
) -> Scores:
    """Score a layer's picks by the bundled network and wait; the session's model stays.

    The order of the scores is meaningful, their values are not calibrated, and there is no
    forecast. The particle diameter is that of the layer's rings, see `set_diameter`.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where the picks are.
    stack_layer, device, on_event
        As in `score_layer`.
    """
    adopt_layer(viewer, layer, stack_layer)
    return jobs.score_layer(
        viewer,
        layer,
        model=bundled_model(layer),
        stack_layer=stack_layer,
        device=device,
        on_event=on_event,
    )
