"""Actions on a viewer for scripts: open, label, undo, recover, save. No Qt.

Every function takes the viewer (`napari.Viewer`, or a `ViewerModel` without a window) or a layer
of it; the panels only call them. Fine-tuning and scoring are in `jobs`, thresholds in
`outputs`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import matching
from napari_pickeroptimizer.plugin.images.stack import StackView
from napari_pickeroptimizer.plugin.labels.journal import Recovery
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.layer_state import LayerState, picks_state
from napari_pickeroptimizer.plugin.opening import (
    matched_points_data,
    prepared_stack,
)
from napari_pickeroptimizer.plugin.session import picks_of, session_of, session_with, unwrap
from napari_pickeroptimizer.plugin.writers import added_file, tell_added
from napari_pickeroptimizer.prune.label_matching import match_labels_by_name


def open_micrographs(
    viewer: Any,
    where: Micrographs | str | Path | Sequence[str | Path],
    *,
    pixel_size_ang: float | None = None,
    name: str = "micrographs",
) -> Any:
    """Add micrographs as one lazy stack, and put existing picks on its slices.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to.
    where : Micrographs, str, Path or sequence of them
        As in `Micrographs.find`.
    pixel_size_ang : float, optional
        Pixel size in Å, if the files do not contain it.
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
    """Add picks as one Points layer, on the slices of the open micrographs.

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
    """Copy labels to a layer's picks from the same picks in a file; say how many.

    Micrographs are the same if their names mean the same one of the open micrographs, and
    without these if their names are equal.

    Returns
    -------
    int
        Number of labels that were matched to a pick.

    Warns
    -----
    UserWarning
        Labels match no pick, or two of different classes match one.
    """
    labels = where if isinstance(where, Picks) else read_picks(where)
    picks, stack = picks_of(layer), _stack_under(layer)
    matched = match_labels_by_name(
        matching.named_by_slice(picks, stack),
        matching.named_by_slice(labels, stack),
        radius_px,
    )
    picks_state(layer).set_picks(picks.with_labels(matched.picks.labels))
    for sentence in matched.warnings:
        warnings.warn(sentence, UserWarning, stacklevel=2)
    if not matched.warnings:
        show_info(f"{matched.n_matched} of {matched.n_labels} labels match a pick.")
    return matched.n_matched


def label_picks(layer: Any, rows: Any, class_id: Any) -> None:
    """Label picks by their row, as the keys do; 0 removes a label."""
    picks_state(layer).set_labels(rows, class_id)


def undo(layer: Any) -> bool:
    """Undo the last change of labels; return False if there is none."""
    return picks_state(layer).undo()


def redo(layer: Any) -> bool:
    """Redo the change that was undone last; return False if there is none."""
    return picks_state(layer).redo()


def recoverable(layer: Any) -> Recovery | None:
    """Return the labels of an earlier session that are missing in a layer, if any."""
    return picks_state(layer).recovery


def recover(viewer: Any, layer: Any) -> int:
    """Restore the labels of the earlier session in a layer; return how many.

    Labels that were taken back in that session, and added picks without a label, do not count.
    """
    recovery, session = recoverable(layer), session_of(viewer)
    if recovery is not None and recovery.names:
        session.set_vocabulary(session.vocabulary.with_names(recovery.names))
    restored = picks_state(layer).recover()
    return 0 if restored is None else restored.n_labels


def discard_recovery(layer: Any) -> None:
    """Discard the labels of the earlier session."""
    picks_state(layer).discard_recovery()


def set_vocabulary(viewer: Any, vocabulary: Vocabulary) -> None:
    """Change names, colours and keys of the classes, in all layers of the plugin."""
    session_of(viewer).set_vocabulary(vocabulary)


def set_diameter(layer: Any, diameter_px: float) -> None:
    """Change the diameter of the rings of a picks layer."""
    picks_state(layer).set_diameter(diameter_px)


def save_picks(layer: Any, output: str | Path) -> list[Path]:
    """Write a layer's picks losslessly, in the format of their files, without removed rows.

    Picks that the user added to those of a file go to a file of their own beside it.

    Warns
    -----
    UserWarning
        There are such picks.
    """
    picks, output = picks_of(layer), Path(output).expanduser()
    added = added_file(picks, output)
    written = write_picks(picks, output, replace_added=True)  # of an earlier save
    tell_added(picks, output, added)
    return written


def _stack_under(layer: Any) -> StackView | None:
    """Return the micrographs that a layer's picks lie on; None where they are not open."""
    with suppress(SettingsError):  # a layer in no viewer
        return matching.find_stack(session_with(layer).viewer, picks_state(layer))
    return None
