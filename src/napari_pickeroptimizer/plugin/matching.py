"""Which slice of the micrograph stack a pick lies on, whichever of the two came first."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

from napari_pickeroptimizer.plugin.layers import PicksView, view_of
from napari_pickeroptimizer.plugin.stack import StackView, stack_of


@dataclass(frozen=True)
class Match:
    """How picks and a micrograph stack fit.

    Parameters
    ----------
    view : PicksView
        The picks on the stack's slices. Those whose micrograph is not in the stack come on
        slices behind it, one a micrograph, so that none is hidden or shown on a wrong image.
    n_found : int
        Micrographs of the picks that are in the stack.
    missing : dict
        Reason by name for those that are not.
    """

    view: PicksView
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


def match(view: PicksView, stack: StackView, stack_id: Hashable) -> Match:
    """Put picks on the slices of a stack, by micrograph name as `Micrographs.resolve` does.

    Raises
    ------
    AmbiguousMicrographError
        A name fits several micrographs of the stack: guessing would be worse.
    """
    found, missing = stack.micrographs.resolve_all(view.slice_of)
    place = {(m.path, m.section): i for i, m in enumerate(stack.micrographs)}
    slice_of = {name: place[m.path, m.section] for name, m in found.items()}
    slice_names = stack.micrographs.names
    for name, i in slice_of.items():  # new picks are named as the picks' own file does
        slice_names[i] = name
    for name in missing:
        slice_of[name] = len(slice_names)
        slice_names.append(name)
    matched = replace(view, slice_of=slice_of, slice_names=tuple(slice_names), stack=stack_id)
    return Match(matched, len(found), missing)


def best_stack(viewer: Any, view: PicksView) -> tuple[Any, Match] | None:
    """Return the micrograph layer that holds most of the picks' micrographs, and the match.

    None where no micrograph layer holds any of them.
    """
    fits = []
    for layer in viewer.layers:
        stack = stack_of(layer.metadata)
        if stack is not None:
            fits.append((layer, match(view, stack, layer.unique_id)))
    if not len(view.picks):
        return fits[-1] if fits else None
    layer, best = max(fits, key=lambda fit: fit[1].n_found, default=(None, None))
    return (layer, best) if best is not None and best.n_found else None


def find_stack(viewer: Any, view: PicksView) -> StackView | None:
    """Return the stack that a view was matched to, None when its layer is gone."""
    layer = layer_by_id(viewer, view.stack)
    return None if layer is None else stack_of(layer.metadata)


def layer_by_id(viewer: Any, unique_id: Hashable) -> Any | None:
    """Return the layer of that ``unique_id``, None when it is gone. Names may change."""
    return next((x for x in viewer.layers if x.unique_id == unique_id), None)


def picks_layers(viewer: Any) -> list[Any]:
    """Return the Points layers that show picks of ours."""
    return [layer for layer in viewer.layers if view_of(layer.metadata) is not None]
