"""Matching picks to the slices of a micrograph stack, in whichever order they are opened."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any  # viewers and layers, which are not imported here
from weakref import ref

from napari_pickeroptimizer.errors import (
    MicrographNotFoundError,
    PickerOptimizerError,
)
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import painting, transforms
from napari_pickeroptimizer.plugin.editing import picks_of
from napari_pickeroptimizer.plugin.images.stack import StackView, checked_stack, stack_of
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    layer_state,
    picks_layers,
    picks_state,
    unwrap,
)

# Key in a picks layer's metadata: where its missing micrographs were searched for, by name.
LOOKED_FOR_KEY = "pickeroptimizer looked for"
NOT_OPEN = "not among the opened micrographs."


@dataclass(frozen=True)
class Match:
    """The match of picks and a micrograph stack.

    Parameters
    ----------
    stack : StackView
        The stack.
    slice_of : dict
        Slice of each micrograph name that the picks use. Those whose micrograph is not in the
        stack are on additional slices at the end, one a micrograph, so that none is hidden or
        shown on a wrong image.
    slice_names : tuple of str
        Micrograph name of each slice, as the picks spell it.
    n_found : int
        Micrographs of the picks that are in the stack.
    missing : dict
        Reason by name for those that are not.
    """

    stack: StackView
    slice_of: dict[str, int]
    slice_names: tuple[str, ...]
    n_found: int
    missing: dict[str, str]

    @property
    def text(self) -> str:
        """One line for the user; empty when every micrograph was found."""
        if not self.missing:
            return ""
        shown = ", ".join(list(self.missing)[:3]) + (", ..." if len(self.missing) > 3 else "")
        return (
            f"{len(self.missing)} of {self.n_found + len(self.missing)} micrographs of these "
            f"picks are not in the opened ones: {shown}."
        )


def match(state: LayerState, stack: StackView) -> Match:
    """Match picks to the slices of a stack, by name as `Micrographs.resolve_each` does.

    A name that fits several micrographs counts as missing: it is not guessed.
    """
    slice_at = {(m.path, m.section): i for i, m in enumerate(stack.micrographs)}
    found, errors = stack.micrographs.resolve_each(state.slice_of)
    slice_of = {name: slice_at[m.path, m.section] for name, m in found.items()}
    missing = {
        name: NOT_OPEN if isinstance(error, MicrographNotFoundError) else str(error)
        for name, error in errors.items()
    }
    slice_names = stack.micrographs.names
    for name, i in slice_of.items():  # new picks are named as the picks' own file does
        slice_names[i] = name
    n_found = len(slice_of)
    for name in missing:
        slice_of[name] = len(slice_names)
        slice_names.append(name)
    return Match(stack, slice_of, tuple(slice_names), n_found, missing)


def named_by_slice(picks: Picks, stack: StackView | None) -> Picks:
    """Return picks whose names of a micrograph of the stack are one and the same."""
    if stack is None:
        return picks
    items = stack.micrographs.items
    slice_of = match(LayerState.of_picks(picks), stack).slice_of
    one_name = {
        name: f"{items[i].section}@{items[i].path}" if i < len(items) else name
        for name, i in slice_of.items()
    }
    names = picks.table["micrograph"].map(one_name)
    return replace(picks, table=picks.table.assign(micrograph=names))


def place(layer: Any, matched: Match, stack_layer: Any) -> None:
    """Give a picks layer the slices and the scale of a stack layer."""
    picks_state(layer).place(matched.slice_of, matched.slice_names, stack_layer.unique_id)
    transforms.set_transform(
        layer, transforms.picks_transform(stack_layer, matched.stack.binning)
    )


def keep_in_place(viewer: Any, layer: Any) -> bool:
    """Put a picks layer where its micrographs are; return whether it was elsewhere.

    The picks are where their file says, and the layer is a view of them: one that was moved or
    scaled would show them on other places of the micrograph.
    """
    state = picks_state(layer)
    wanted = None if state.is_painted else place_of(viewer, state)
    if wanted is None:
        return False
    with painting.marked(state):
        return transforms.set_transform(layer, wanted)


def hold(viewer: Any, layer: Any) -> None:
    """Put a picks layer back from now on whenever it is moved or scaled by itself."""
    viewer_ref = ref(viewer)  # the layer must not keep it alive

    def put_back(event: Any) -> None:
        shown = viewer_ref()
        if shown is not None and keep_in_place(shown, event.source):
            shown.status = (
                f"{event.source.name} is back: picks stay where their micrographs are."
            )

    _on_transform(layer, put_back)


def take_along(viewer: Any, stack_layer: Any) -> None:
    """Let the picks of a stack go with it from now on when it is moved, scaled, binned anew."""
    viewer_ref = ref(viewer)

    def follow(event: Any) -> None:
        shown = viewer_ref()
        for layer in [] if shown is None else picks_layers(shown):
            if picks_state(layer).stack == event.source.unique_id:
                keep_in_place(shown, layer)

    _on_transform(stack_layer, follow)


def _on_transform(layer: Any, slot: Callable[[Any], None]) -> None:
    for name in transforms.TRANSFORM:
        getattr(layer.events, name).connect(slot)


def place_of(viewer: Any, state: LayerState) -> dict[str, Any] | None:
    """Return the transform that puts picks on their micrographs; None while these are closed."""
    stack_layer = layer_by_id(viewer, state.stack)
    if stack_layer is None:
        return None
    return transforms.picks_transform(stack_layer, checked_stack(stack_layer).binning)


def place_on_best(viewer: Any, layer: Any) -> None:
    """Give a picks layer the slices and scale of the stack that fits it best."""
    picks_of(layer)  # takes over what was edited
    state = picks_state(layer)
    if find_stack(viewer, state) is not None:
        return
    try:
        best = best_stack(viewer, state)
    except PickerOptimizerError as error:
        warnings.warn(str(error), UserWarning, stacklevel=2)
        return
    if best is not None:
        stack_layer, matched = best
        if matched.text:
            warnings.warn(matched.text, UserWarning, stacklevel=2)
        place(layer, matched, stack_layer)
    elif micrograph_layers(viewer):
        warnings.warn(
            f"none of the micrographs of {layer.name!r} is among the opened ones "
            f"({', '.join(state.slice_names[:3])}, ...).",
            UserWarning,
            stacklevel=2,
        )


def stack_of_picks(viewer: Any, state: LayerState) -> StackView | None:
    """Return the stack that picks lie on, else the open one that holds most of them."""
    layer = stack_layer_of(viewer, state)
    return None if layer is None else stack_of(layer.metadata)


def stack_layer_of(viewer: Any, state: LayerState) -> Any | None:
    """Return the layer of the stack that picks lie on, else of the one that holds most of them."""
    layer = layer_by_id(viewer, state.stack)
    if layer is None and (best := best_stack(viewer, state)) is not None:
        return best[0]
    return layer


def best_stack(viewer: Any, state: LayerState) -> tuple[Any, Match] | None:
    """Return the micrograph layer that holds most of the picks' micrographs, and the match.

    None where no micrograph layer holds any of them.
    """
    fits = [
        (layer, match(state, stack))
        for layer in viewer.layers
        if (stack := stack_of(layer.metadata)) is not None
    ]
    if not len(state.picks):
        return fits[-1] if fits else None
    layer, best = max(fits, key=lambda fit: fit[1].n_found, default=(None, None))
    return (layer, best) if best is not None and best.n_found else None


def missing_micrographs(viewer: Any, layer: Any) -> dict[str, str]:
    """Return the micrographs of a layer's picks that cannot be shown: reason by name.

    They are in no micrograph layer that is open, fit several of its micrographs, or their
    files cannot be read. All of them where no micrographs are open.
    """
    state = layer_state(layer)
    if state is None:
        return {}
    looked_for = layer.metadata.get(LOOKED_FOR_KEY, {})
    stack = find_stack(viewer, state)
    if stack is None:
        reason = "no micrographs of these picks are open."
        return {name: looked_for.get(name, reason) for name in state.slice_of}
    missing: dict[str, str] = {}
    names = stack.micrographs.names
    is_complete = max(state.slice_of.values(), default=0) < len(names)
    unmatched = {} if is_complete else match(state, stack).missing
    for name, i in state.slice_of.items():
        if i >= len(names):
            missing[name] = looked_for.get(name) or unmatched.get(name, NOT_OPEN)
        elif names[i] in stack.unreadable:
            missing[name] = stack.unreadable[names[i]]
    return missing


def find_stack(viewer: Any, state: LayerState) -> StackView | None:
    """Return the stack of picks, None if its layer was removed."""
    layer = layer_by_id(viewer, state.stack)
    return None if layer is None else stack_of(layer.metadata)


def layer_by_id(viewer: Any, unique_id: Hashable) -> Any | None:
    """Return the layer of a ``unique_id``, None if it was removed. Names may change."""
    return next((x for x in viewer.layers if x.unique_id == unique_id), None)


def micrograph_layers(viewer: Any) -> list[Any]:
    """Return the image layers that are micrograph stacks."""
    return [layer for layer in unwrap(viewer).layers if stack_of(layer.metadata) is not None]
