"""What a user does on a viewer, for scripts: open, label, undo, recover, save. No Qt.

Every function takes the viewer (`napari.Viewer`, or a `ViewerModel` without a window) or a layer
of it; the panels only call them. Fine-tuning and scoring are in `jobs`, thresholds in
`scoring.outputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.journal import Recovery
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.layer_state import LayerState, picks_state
from napari_pickeroptimizer.plugin.opening import (
    matched_points_data,
    prepared_stack,
)
from napari_pickeroptimizer.plugin.session import picks_of, session_of, unwrap
from napari_pickeroptimizer.prune.label_matching import match_labels_by_name


def open_micrographs(
    viewer: Any,
    where: Micrographs | str | Path | Sequence[str | Path],
    *,
    pixel_size_ang: float | None = None,
    name: str = "micrographs",
) -> Any:
    """Add micrographs as one lazy stack, and put picks that are there already on its slices.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to.
    where : Micrographs, str, Path or sequence of them
        As in `Micrographs.find`.
    pixel_size_ang : float, optional
        Pixel size in Å, where the files do not tell it.
    name : str
        Name of the layer.

    Returns
    -------
    napari.layers.Image
    """
    session_of(viewer)
    if not isinstance(where, Micrographs):
        where = Micrographs.find(where, pixel_size_ang=pixel_size_ang)
    data, attributes, _ = prepared_stack(viewer, where, name)
    return unwrap(viewer).add_image(data, **attributes)


def open_picks(
    viewer: Any,
    where: Picks | str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    diameter_px: float | None = None,
) -> Any:
    """Add picks as one Points layer, on the slices of the micrographs that are open.

    ``viewer.open(path, plugin="napari-pickeroptimizer")`` also looks for micrographs that are
    not.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to.
    where : Picks, str, Path or sequence of them
        As in `read_picks`.
    name : str, optional
        Name of the layer, by default the file's.
    diameter_px : float, optional
        Diameter of the rings in micrograph pixels.

    Returns
    -------
    napari.layers.Points
    """
    session_of(viewer)
    if not isinstance(where, Picks):
        name = name or (Path(where).stem if isinstance(where, str | Path) else None)
        where = read_picks(where)
    state = LayerState.of_picks(where, diameter_px=diameter_px)
    data, attributes, _ = matched_points_data(viewer, state, name or "picks")
    return unwrap(viewer).add_points(data, **attributes)


def take_labels(
    layer: Any, where: Picks | str | Path | Sequence[str | Path], radius_px: float = 1.0
) -> int:
    """Label a layer's picks as the same picks are labelled in another file.

    Returns
    -------
    int
        How many labels found their pick.
    """
    labels = where if isinstance(where, Picks) else read_picks(where)
    matched = match_labels_by_name(picks_of(layer), labels, radius_px)
    picks_state(layer).set_picks(matched.picks)
    return matched.n_matched


def label_picks(layer: Any, rows: Any, class_id: Any) -> None:
    """Label picks by their row, as the keys do; 0 takes a label back."""
    picks_state(layer).set_labels(rows, class_id)


def undo(layer: Any) -> bool:
    """Take the last change of labels back; False when there is none."""
    return picks_state(layer).undo()


def redo(layer: Any) -> bool:
    """Make the change that was last undone again; False when there is none."""
    return picks_state(layer).redo()


def recoverable(layer: Any) -> Recovery | None:
    """Return the labels of an earlier session that a layer's picks lack, if there are any."""
    return picks_state(layer).recovery


def recover(viewer: Any, layer: Any) -> int:
    """Give a layer's picks the labels of the earlier session; return how many."""
    recovery, session = recoverable(layer), session_of(viewer)
    if recovery is not None and recovery.names:
        session.set_vocabulary(session.vocabulary.with_names(recovery.names))
    return picks_state(layer).recover()


def discard_recovery(layer: Any) -> None:
    """Do not offer the labels of the earlier session again."""
    picks_state(layer).discard_recovery()


def set_vocabulary(viewer: Any, vocabulary: Vocabulary) -> None:
    """Call, draw and offer the classes differently from now on, in all layers of ours."""
    session_of(viewer).set_vocabulary(vocabulary)


def set_diameter(layer: Any, diameter_px: float) -> None:
    """Draw the rings of a picks layer with another diameter."""
    picks_state(layer).set_diameter(diameter_px)


def save_picks(layer: Any, output: str | Path) -> list[Path]:
    """Write a layer's picks losslessly: their own file(s) again, without the missing rows."""
    return write_picks(picks_of(layer), output)
