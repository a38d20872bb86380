"""`PanelModel`: what the panels ask of a session's current layers. No Qt."""

from __future__ import annotations

from typing import Any

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.stack import StackView, stack_of
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.learning_labels import only_learned_from
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import Session


class PanelModel:
    """The picks and the micrographs that a session works on; None where there are none.

    Parameters
    ----------
    session : Session
        Whose layers.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def layer(self) -> Any | None:
        """The picks layer; Any, as napari's layers are not typed here."""
        return self.session.picks_layer

    @property
    def state(self) -> LayerState | None:
        """Its state."""
        return self.session.picks_state

    @property
    def picks(self) -> Picks | None:
        """Its picks."""
        return None if self.state is None else self.state.picks

    @property
    def scores(self) -> Scores | None:
        """Their scores, also while they come in; None before there are any."""
        return None if self.state is None else self.state.scores

    def own_labels_note(self) -> str:
        """Return that labels in the user's own layers decide on no pick, where there are any."""
        session = self.session
        return only_learned_from(session.viewer, self.layer, session.vocabulary)

    @property
    def stack(self) -> StackView | None:
        """The micrographs."""
        layer = self.session.stack_layer
        return None if layer is None else stack_of(layer.metadata)
