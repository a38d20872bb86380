"""The layers of kept, rejected and unscored picks: made in three steps, so that nothing waits.

`plan` reads the viewer and the decision, in the main thread, in some milliseconds.
`Plan.compute` makes the tables, points and colours, and layers that do not exist yet; any thread
may call it, since it touches nothing that others see. `MadeOutput.show` hands the result to
napari, in the main thread. No Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any  # Any: viewers and layers, which are not imported here

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import matching, painting, transforms
from napari_pickeroptimizer.plugin.labels.labelled_picks import Role
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    layer_state,
    picks_state,
    unwrap,
)
from napari_pickeroptimizer.schema import PROBABILITY_PREFIX

OUTPUT_ROLES: tuple[Role, ...] = ("rejected", "kept", "unscored")
# What an output shows of its picks, and of the decision.
SHOWN_COLUMNS = ("label", "predicted", f"{PROBABILITY_PREFIX}{PARTICLE}")


def outputs_of(viewer: Any, layer: Any) -> dict[str, Any]:
    """Return the output layers of a picks layer by role, even if they were renamed."""
    source = layer_state(layer)
    states = [(other, layer_state(other)) for other in unwrap(viewer).layers]
    return {
        str(state.role): other
        for other, state in states
        if state is not None and source is not None and state.source is source
    }


def output_name(name: str, role: str) -> str:
    """Return the name of an output of the picks layer of a name."""
    return f"{name} {role}"


@dataclass(frozen=True)
class MadeOutput:
    """An output as it is to be shown.

    Parameters
    ----------
    state : LayerState
        Its picks; of an output that exists they replace those.
    drawn : Drawn or None
        What the layer shows of them; None where that is what it shows already.
    new_layer : napari.layers.Points or None
        The layer, if there was none.
    """

    state: LayerState
    drawn: painting.Drawn | None
    new_layer: Any | None

    def show(self, viewer: Any, layer: Any) -> Any:
        """Show the output of a picks layer; return its layer. The active layer stays active."""
        existing = outputs_of(viewer, layer).get(self.state.role)
        if existing is None:
            active = viewer.layers.selection.active
            existing = viewer.add_layer(self.new_layer or _new_layer(viewer, layer, self))
            viewer.layers.selection.active = active
        elif self.drawn is not None:
            picks_state(existing).follow_source(self.state)
            painting.paint(existing, self.drawn)
        return existing


@dataclass(frozen=True)
class Plan:
    """What outputs follow from, as it was when they were planned.

    Parameters
    ----------
    source : LayerState
        The picks that they are made of.
    roles : collection of str
        Which are made.
    decide : callable
        Gives the decided picks, in any thread.
    existing : dict
        Picks and rows by role, of the outputs that exist.
    name, place : str, dict
        Name of the picks layer, and transform of new layers.
    read : tuple
        What else was read of the picks, to tell whether it has changed since.
    """

    source: LayerState
    roles: Collection[str]
    decide: Callable[[], Picks]
    existing: dict[str, tuple[Picks, NDArray[np.intp] | None]]
    name: str
    place: dict[str, Any]
    read: tuple[Any, ...]

    @property
    def is_current(self) -> bool:
        """Whether the outputs would be the same if they were planned now."""
        now = _read(self.source)
        is_same = all(a is b for a, b in zip(now, self.read, strict=True))
        return is_same and not self.source.needs_refresh

    def compute(self) -> tuple[Picks, list[MadeOutput]]:
        """Return the decided picks and the outputs, those without a pick only if they exist."""
        picks = self.decide()
        predicted = picks.table["predicted"].to_numpy()
        masks = {
            "kept": predicted == PARTICLE,
            "rejected": predicted > PARTICLE,
            "unscored": predicted == UNLABELLED,
        }
        made = [
            self._make(role, picks, masks[role])
            for role in OUTPUT_ROLES
            if role in self.roles
            and (role != "unscored" or role in self.existing or masks[role].any())
        ]
        return picks, made

    def _make(self, role: Role, picks: Picks, mask: NDArray[np.bool_]) -> MadeOutput:
        source, rows, part = self.source, np.flatnonzero(mask), picks.select(mask)
        state = LayerState(
            part,
            source.slice_of,
            source.slice_names,
            source.diameter_px,
            role,
            source.stack,
            source,
            rows,
            source.vocabulary,
            tint=source.tint,
        )
        if role in self.existing and _shows(*self.existing[role], part, rows):
            return MadeOutput(state, None, None)  # napari takes long, and nothing would change
        drawn = painting.Drawn.of(state)
        if role in self.existing:
            return MadeOutput(state, drawn, None)
        return MadeOutput(state, drawn, _points_layer(state, self.name, self.place, drawn))


def plan(viewer: Any, layer: Any, roles: Collection[str] = OUTPUT_ROLES) -> Plan:
    """Return what outputs of a scored picks layer follow from now."""
    state = picks_state(layer)
    existing = {
        role: (picks_state(x).picks, picks_state(x).rows)
        for role, x in outputs_of(viewer, layer).items()
    }
    place = _place(viewer, layer)
    return Plan(state, roles, state.decided_later(), existing, layer.name, place, _read(state))


def _read(state: LayerState) -> tuple[Any, ...]:
    """Return what is read of the picks, besides the decision."""
    return (state.scores, state.slice_of, state.slice_names, state.stack, state.vocabulary)


def _shows(
    before: Picks, rows_before: NDArray[np.intp] | None, picks: Picks, rows: NDArray[np.intp]
) -> bool:
    return (
        rows_before is not None
        and np.array_equal(rows_before, rows)
        and all(
            np.array_equal(before.table[c], picks.table[c], equal_nan=True)
            for c in SHOWN_COLUMNS
        )
    )


def _new_layer(viewer: Any, layer: Any, made: MadeOutput) -> Any:
    """Return a layer for an output that was removed after it had been planned."""
    return _points_layer(made.state, layer.name, _place(viewer, layer), made.drawn)


def _points_layer(
    state: LayerState, name: str, place: dict[str, Any], drawn: painting.Drawn | None
) -> Any:
    from napari.layers import Points  # heavy: only where there is a viewer already

    data, attributes, _ = painting.points_data(state, output_name(name, state.role), drawn)
    return Points(data, **attributes | place | {"visible": False})


def _place(viewer: Any, layer: Any) -> dict[str, Any]:
    return matching.place_of(viewer, picks_state(layer)) or transforms.transform_of(layer)
