"""Labels on a picks layer: undo, the journal, and the guard that nothing deletes a pick.

Every change of labels, whoever makes it, goes through `set_labels`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.classes import CONTAMINANT, UNLABELLED
from napari_pickeroptimizer.errors import LabelError, PickerOptimizerError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.history import Change, History
from napari_pickeroptimizer.plugin.labels.journal import Journal, Recovery, journal_of
from napari_pickeroptimizer.plugin.layer_state import (
    PicksView,
    read_back,
    view_of,
    with_added,
)
from napari_pickeroptimizer.plugin.matching import layer_by_id
from napari_pickeroptimizer.plugin.painting import paint, repaint

Listener = Callable[[Any, NDArray[np.intp]], None]


@dataclass
class _Binding:
    """What is connected to one layer; `paused` while we write to the layer ourselves."""

    viewer_ref: ref[Any]
    on_labels: Listener
    journal: Journal | None = None
    recovery: Recovery | None = None
    history: History = field(default_factory=History)
    paused: bool = False


_bindings: WeakKeyDictionary[Any, _Binding] = WeakKeyDictionary()


def bind(viewer: Any, layer: Any, on_labels: Listener) -> None:
    """Guard a picks layer, and follow its labels; a second call changes nothing.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that it is in.
    layer : napari.layers.Points
        A layer with a `PicksView`.
    on_labels : callable
        Called with the layer and the rows after each change of labels.
    """
    view = view_of(layer.metadata)
    if layer in _bindings or view is None:
        return
    # labels given on an output are its source's
    journal = journal_of(view.picks) if view.role == "picks" else None
    recovery = None if journal is None else journal.recovery(view.picks)
    # nothing here refers to the layer or the viewer for good: both must be free to go
    _bindings[layer] = _Binding(ref(viewer), on_labels, journal, recovery)
    layer.events.data.connect(_on_data)
    layer.events.features.connect(_on_features)


def is_bound(layer: Any) -> bool:
    """Whether a layer is guarded."""
    return layer in _bindings


def unbind(layer: Any) -> None:
    """Undo `bind`: points can be deleted again."""
    if _bindings.pop(layer, None) is None:
        return
    layer.events.data.disconnect(_on_data)
    layer.events.features.disconnect(_on_features)


def show(layer: Any, view: PicksView) -> None:
    """Make a layer show `view`, without taking that for the user's doing."""
    with _paused(layer):
        paint(layer, view)


def show_rows(layer: Any, picks: Picks, rows: NDArray[np.intp]) -> None:
    """Make a layer show `picks`, which differ in `rows` only: in milliseconds."""
    with _paused(layer):
        repaint(layer, picks, rows)


def current_view(layer: Any) -> PicksView:
    """Return the layer's picks with everything the user did in the layer, and keep it.

    Raises
    ------
    LabelError
        The layer shows no picks of ours, or its feature table holds an unknown label.
    """
    view = view_of(layer.metadata)
    if view is None:
        raise LabelError(
            f"layer {layer.name!r} holds no picks: open a pick file, or choose another layer."
        )
    edited = read_back(view, layer.data, layer.features)
    if edited.picks is not view.picks:
        show(layer, edited)
        _record(layer, view.picks, edited.picks)
    return edited


def set_labels(layer: Any, rows: Collection[int] | ArrayLike, class_id: ArrayLike) -> None:
    """Give picks labels: in the picks, the layer, the history and the journal.

    Labels given on an output of ours (kept, rejected) reach the picks it was made from, so
    that a mistake seen there is a label for the next training.

    Parameters
    ----------
    layer : napari.layers.Points
        A layer with a `PicksView`.
    rows : collection of int
        Points; the same as rows of the picks.
    class_id : int, or (n,) int
        1 to 6, or 0 to take the label back; one for all, or one for each row.
    """
    at = _as_rows(rows)
    view = view_of(layer.metadata)
    if view is None or not len(at):
        return
    labels = view.picks.labels.copy()
    labels[at] = class_id
    show_rows(layer, view.picks.with_labels(labels), at)
    source = source_of(layer)
    if source is not layer and view.rows is not None:
        set_labels(source, view.rows[at], labels[at])
        return
    changed = view_of(layer.metadata)
    assert changed is not None  # shown above
    _record(layer, view.picks, changed.picks)


def undo(layer: Any) -> bool:
    """Take the last change of labels back; False when there is none."""
    return _travel(layer, lambda history: history.undo(), "before")


def redo(layer: Any) -> bool:
    """Make the change that was last undone again; False when there is none."""
    return _travel(layer, lambda history: history.redo(), "after")


def can_undo(layer: Any) -> tuple[bool, bool]:
    """Return whether there is something to undo, and to redo."""
    binding = _bindings.get(source_of(layer))
    if binding is None:
        return False, False
    return bool(binding.history.done), bool(binding.history.undone)


def recovery_of(layer: Any) -> Recovery | None:
    """Return the labels of an earlier session that the layer's picks lack."""
    binding = _bindings.get(layer)
    return None if binding is None else binding.recovery


def recover(layer: Any) -> int:
    """Give the picks the labels of the earlier session; return how many.

    Picks that were labelled since keep their new label.
    """
    binding, view = _bindings.get(layer), view_of(layer.metadata)
    if binding is None or view is None or binding.recovery is None:
        return 0
    recovery, binding.recovery = binding.recovery, None
    before = view.picks
    untouched = before.labels[recovery.rows] == recovery.before
    rows = recovery.rows[untouched]
    labels = before.labels.copy()
    labels[rows] = recovery.labels[untouched]
    show_rows(layer, before.with_labels(labels), rows)
    if len(recovery.added):
        view = view_of(layer.metadata)
        assert view is not None  # shown above
        show(layer, with_added(view, recovery.added))
    after = view_of(layer.metadata)
    assert after is not None
    _record(layer, before, after.picks)
    return len(rows) + len(recovery.added)


def discard_recovery(layer: Any) -> None:
    """Forget the labels of the earlier session; those given since are kept."""
    binding, view = _bindings.get(layer), view_of(layer.metadata)
    if binding is None or view is None:
        return
    if binding.recovery is None or binding.journal is None:
        return
    binding.recovery = None
    labelled = np.flatnonzero(view.picks.labels != UNLABELLED)
    _try_to_write(binding, lambda journal: journal.forget(view.picks))
    _try_to_write(binding, lambda journal: journal.write(view.picks, labelled))


def keep_names(layer: Any) -> None:
    """Write the names of the classes to the journal, beside the labels."""
    binding, view = _bindings.get(layer), view_of(layer.metadata)
    if binding is not None and view is not None and binding.journal is not None:
        names = view.vocabulary.names()
        _try_to_write(binding, lambda journal: journal.write_names(names, view.picks))


def source_of(layer: Any) -> Any:
    """Return the layer whose picks an output was made from; any other layer itself."""
    view, binding = view_of(layer.metadata), _bindings.get(layer)
    if view is None or binding is None or view.source is None:
        return layer
    origin = layer_by_id(binding.viewer_ref(), view.source)
    return layer if origin is None else origin


def viewer_of(layer: Any) -> Any | None:
    """Return the viewer that a bound layer is in, None once it is gone."""
    binding = _bindings.get(layer)
    return None if binding is None else binding.viewer_ref()


@contextmanager
def _paused(layer: Any) -> Iterator[None]:
    binding = _bindings.get(layer)
    before = binding is not None and binding.paused
    if binding is not None:
        binding.paused = True
    try:
        yield
    finally:
        if binding is not None:
            binding.paused = before


def _record(layer: Any, before: Picks, after: Picks, *, remember: bool = True) -> None:
    """Keep a change: in the history, in the journal; and tell the listeners."""
    binding = _bindings.get(layer)
    n = len(before)
    rows = np.flatnonzero(before.labels != after.labels[:n])
    added = np.arange(n, len(after))
    if binding is None or not (len(rows) or len(added)):
        return
    if remember and len(rows):
        binding.history.push(Change(rows, before.labels[rows], after.labels[rows]))
    if len(rows):
        _try_to_write(binding, lambda journal: journal.write(after, rows))
    if len(added):
        _try_to_write(binding, lambda journal: journal.write(after, added, added=True))
    binding.on_labels(layer, np.concatenate([rows, added]))


def _try_to_write(binding: _Binding, write: Callable[[Journal], None]) -> None:
    """Write to the journal; where that fails, say so once and go on without."""
    if binding.journal is None:
        return
    try:
        write(binding.journal)
    except OSError as error:
        warnings.warn(
            f"labels are not saved as you go: {binding.journal.path} cannot be written "
            f"({error}). Save them yourself.",
            UserWarning,
            stacklevel=2,
        )
        binding.journal = None


def _travel(layer: Any, step: Callable[[History], Change | None], which: str) -> bool:
    layer = source_of(layer)
    binding, view = _bindings.get(layer), view_of(layer.metadata)
    change = None if binding is None else step(binding.history)
    if change is None or view is None:
        return False
    labels = view.picks.labels.copy()
    labels[change.rows] = getattr(change, which)
    after = view.picks.with_labels(labels)
    show_rows(layer, after, change.rows)
    _record(layer, view.picks, after, remember=False)
    return True


def _on_data(event: Any) -> None:
    _after_edit(event.source, str(getattr(event.action, "value", event.action)))


def _on_features(event: Any) -> None:
    _after_edit(event.source, "features")


def _after_edit(layer: Any, action: str) -> None:
    """Reconcile picks and layer after napari changed the layer.

    Removed points come back as rejected picks, dragged ones go back to where the picker put
    them, added ones become picks, and labels typed into the feature table are taken over.
    """
    view, binding = view_of(layer.metadata), _bindings.get(layer)
    if view is None or binding is None or binding.paused:
        return
    if action not in ("removed", "added", "changed", "features"):
        return
    try:
        edited, refused = read_back(view, layer.data, layer.features), False
    except PickerOptimizerError as error:
        warnings.warn(str(error), UserWarning, stacklevel=2)
        edited, refused = view, True
    if action == "removed":
        left = layer.features["pick_id"].to_numpy() if len(layer.data) else []
        labels = edited.picks.labels.copy()
        labels[np.setdiff1d(np.arange(len(view.picks)), left)] = CONTAMINANT
        edited = replace(edited, picks=edited.picks.with_labels(labels))
    if action == "features" and edited.picks is view.picks and not refused:
        return
    show(layer, edited)
    source = source_of(layer)
    if source is layer or view.rows is None:
        _record(layer, view.picks, edited.picks)
        return
    changed = np.flatnonzero(edited.picks.labels[: len(view.rows)] != view.picks.labels)
    set_labels(source, view.rows[changed], edited.picks.labels[changed])


def _as_rows(rows: Any) -> NDArray[np.intp]:
    if isinstance(rows, set | frozenset | range):
        rows = list(rows)
    at = np.asarray(rows, dtype=np.intp).ravel()
    if len(at) and (at.min() < 0):
        raise LabelError(f"pick {int(at.min())} does not exist: rows count from 0.")
    return at
