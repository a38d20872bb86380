"""What a user does on a viewer, for scripts: open, label, undo, recover, save. No Qt.

Every function takes the viewer (`napari.Viewer`, or a `ViewerModel` without a window) or a layer
of it; the panels only call them. Fine-tuning and scoring are in `scoring.jobs`, thresholds in
`scoring.outputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import labelling, matching
from napari_pickeroptimizer.plugin.labels.journal import Recovery
from napari_pickeroptimizer.plugin.labels.transfer import transfer_labels
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.layer_state import METADATA_KEY, make_view, view_of
from napari_pickeroptimizer.plugin.opening import (
    matched_points_data,
    prepared_stack,
)
from napari_pickeroptimizer.plugin.session import picks_of, session_of, unwrap


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
    view = make_view(where, diameter_px=diameter_px)
    data, attributes, _ = matched_points_data(viewer, view, name or "picks")
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
    before = picks_of(layer)
    after, n_given = transfer_labels(before, labels, radius_px)
    rows = np.flatnonzero(before.labels != after.labels)
    labelling.set_labels(unwrap(layer), rows, after.labels[rows])
    return n_given


def label_picks(layer: Any, rows: Any, class_id: Any) -> None:
    """Label picks by their row, as the keys do; 0 takes a label back."""
    labelling.set_labels(unwrap(layer), rows, class_id)


def undo(layer: Any) -> bool:
    """Take the last change of labels back; False when there is none."""
    return labelling.undo(unwrap(layer))


def redo(layer: Any) -> bool:
    """Make the change that was last undone again; False when there is none."""
    return labelling.redo(unwrap(layer))


def recoverable(layer: Any) -> Recovery | None:
    """Return the labels of an earlier session that a layer's picks lack, if there are any."""
    return labelling.recovery_of(unwrap(layer))


def recover(viewer: Any, layer: Any) -> int:
    """Give a layer's picks the labels of the earlier session; return how many."""
    found = recoverable(layer)
    if found is not None and found.names:
        vocabulary = session_of(viewer).vocabulary
        set_vocabulary(viewer, vocabulary.with_names(found.names))
    return labelling.recover(unwrap(layer))


def discard_recovery(layer: Any) -> None:
    """Do not offer the labels of the earlier session again."""
    labelling.discard_recovery(unwrap(layer))


def set_vocabulary(viewer: Any, vocabulary: Vocabulary) -> None:
    """Call, draw and offer the classes differently from now on, in all layers of ours."""
    session, viewer = session_of(viewer), unwrap(viewer)
    if vocabulary == session.vocabulary:
        return
    renamed = vocabulary.names() != session.vocabulary.names()
    session.vocabulary = vocabulary
    for layer in matching.picks_layers(viewer):
        view = view_of(layer.metadata)
        assert view is not None  # picks_layers finds only these
        labelling.show(layer, replace(view, vocabulary=vocabulary))
        if renamed:
            labelling.keep_names(layer)
    session.vocabulary_changed.emit()


def set_diameter(layer: Any, diameter_px: float) -> None:
    """Draw the rings of a picks layer with another diameter."""
    view = view_of(layer.metadata)
    if view is not None and diameter_px > 0 and diameter_px != view.diameter_px:
        layer.metadata = {
            **layer.metadata,
            METADATA_KEY: replace(view, diameter_px=diameter_px),
        }
        layer.size = layer.current_size = diameter_px


def save_picks(layer: Any, output: str | Path) -> list[Path]:
    """Write a layer's picks losslessly: their own file(s) again, without the missing rows."""
    return write_picks(picks_of(layer), output)
