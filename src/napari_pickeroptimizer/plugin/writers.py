"""Picks and labels of layers as files, lossless or as a new STAR; napari's writers. No Qt.

"Save all layers" passes all open layers, so micrographs and drawings are reported as not
written instead of causing an error.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import (
    LabelError,
    PickerOptimizerError,
    PickFormatError,
    SettingsError,
)
from napari_pickeroptimizer.io import write_new_star, write_picks
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.io.registry import SUFFIXES
from napari_pickeroptimizer.io.write import added_beside
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import foreign, transforms
from napari_pickeroptimizer.plugin.editing import parsed_labels, picks_of, read_back
from napari_pickeroptimizer.plugin.labels.features import left_out, with_features
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.layer_state import METADATA_KEY, LayerState
from napari_pickeroptimizer.plugin.session import (
    asking_viewer,
    micrograph_layers,
    session_of,
)
from napari_pickeroptimizer.schema import (
    BY_LABEL,
    BY_NOTHING,
    DECIDED_BY,
    PARTIAL_LABEL,
    SELECTION_TYPE,
    SUGGESTION,
)

LayerData = tuple[Any, dict[str, Any], str]


def save_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Points layer for napari, as `write_points`.

    Raises
    ------
    PickerOptimizerError
        In words: a ValueError napari would take for "no valid writer", and tell no reason.
    """
    with _in_words():
        return write_points(path, data, attributes)


def save_layers(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write the picks of several layers for napari, as `write_layers`.

    Raises
    ------
    PickerOptimizerError
        As `save_points`.
    """
    with _in_words():
        return write_layers(path, layers)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except PickerOptimizerError as error:
        raise PickerOptimizerError(str(error)) from error


def write_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Points layer and return the paths written.

    A layer opened from a file is written as that file again (``.star``, ``.box`` or ``.csv``,
    whichever it was), text untouched, without the rows that are gone and with
    ``rlnParticleSelectionType``; or as a new STAR. Picks of a tree of files, and any other
    Points layer, become one new STAR. Files appear whole or not at all.

    Raises
    ------
    PickFormatError
        The layer has points on no micrograph, or the file is one that was read.
    """
    return [str(p) for p in _write_telling(layer_picks(data, attributes), Path(path))]


def write_layers(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write the picks of several layers; warn about other layers, with the reason.

    With one layer of picks among them it is written as by `write_points`. With several, each
    goes to a file of its own: ``<stem>_<layer name>.star``, for one pick may be in two.

    Raises
    ------
    PickFormatError
        None of the layers has picks that can be written; nothing is.
    """
    parts: list[tuple[str, Picks]] = []
    left_out: dict[str, str] = {}
    for data, attributes, kind in layers:
        name = str(attributes.get("name", kind))
        if kind != "points":
            left_out[name] = "no picks"
            continue
        try:
            parts.append((name, layer_picks(data, attributes)))
        except PickerOptimizerError as error:
            left_out[name] = str(error)
    if not parts:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise PickFormatError(f"there are no picks to write ({reasons}).")
    if left_out:
        names_left_out = ", ".join(
            name if reason == "no picks" else f"{name} ({reason})"
            for name, reason in left_out.items()
        )
        warnings.warn(
            f"a pick file holds picks only: {names_left_out} not written.",
            UserWarning,
            stacklevel=2,
        )
    target = Path(path)
    if len(parts) == 1:
        places = [target]
    else:
        suffix = target.suffix if target.suffix.lower() in SUFFIXES else ".star"
        stem = target.name.removesuffix(suffix)
        names = _unique_names([_file_name(name) for name, _ in parts])
        places = [target.with_name(f"{stem}_{name}{suffix}") for name in names]
    written: list[str] = []
    for place, (_, picks) in zip(places, parts, strict=True):
        written += [str(p) for p in _write_telling(picks, place)]
    return written


def write_part(
    picks: Picks,
    output: Path,
    columns: Mapping[str, NDArray[Any]] | None = None,
    *,
    replace_added: bool = False,
) -> list[Path]:
    """Write picks in the format of their input, or as one new STAR if `output` ends in .star."""
    if picks.is_tree and output.suffix.lower() == ".star":
        return [write_new_star(picks, output, columns=columns)]
    return write_picks(picks, output, columns=columns, replace_added=replace_added)


def added_file(picks: Picks, output: Path) -> Path | None:
    """Return the file that picks of no file get beside the others; None if they need none.

    Raises
    ------
    PickFormatError
        It exists, but not the file of the others: so it is not of an earlier save.
    """
    is_new = picks.table["source"].to_numpy() < 0
    in_one_file = picks.is_tree and output.suffix.lower() == ".star"
    if in_one_file or not is_new.any() or is_new.all():
        return None
    added = added_beside(output, is_folder=picks.is_tree)
    if added.exists() and not output.exists():
        raise PickFormatError(
            f"{added} exists, where the picks that you added would go: choose another name."
        )
    return added


def tell_added(picks: Picks, output: Path, added: Path | None) -> None:
    """Warn that the picks that the user added are in a file of their own."""
    if added is not None:
        n = int((picks.table["source"].to_numpy() < 0).sum())
        warnings.warn(
            f"{n} of {len(picks)} picks are your own, without a row in the file that was read: "
            f"they are in {added.name}, the others in {output.name}. Use both.",
            UserWarning,
            stacklevel=2,
        )


def _write_telling(picks: Picks, output: Path) -> list[Path]:
    added = added_file(picks, output)
    written = write_part(picks, output, replace_added=True)  # of an earlier save
    tell_added(picks, output, added)
    return written


def write_labels(picks: Picks, path: str | Path) -> list[Path]:
    """Write all picks with the user's labels, such that reading gives the same labels again.

    Decisions of an earlier pruning, which the file of the picks may hold, do not count as
    labels. Picks that are in no file go to a file of their own beside it. Existing files are
    replaced.

    Returns
    -------
    list of Path
        ``labels.star``, and ``labels_added.star`` where there are picks of no file.
    """
    path = Path(path)
    labels = picks.labels
    complete = len(labels) > 0 and bool(labels.all())
    columns: dict[str, NDArray[Any]] = {SELECTION_TYPE if complete else PARTIAL_LABEL: labels}
    if "predicted" in picks.table or "decided_by" in picks.table:
        columns[DECIDED_BY.star] = np.where(labels != UNLABELLED, BY_LABEL, BY_NOTHING)
    if picks.was_suggested.any():
        rank = picks.table["suggestion"].to_numpy(dtype=np.float64)
        columns[SUGGESTION.star] = np.nan_to_num(rank)
    if not picks.is_tree:
        return write_picks(picks, path, columns=columns, replace_added=True)
    is_new = picks.table["source"].to_numpy() < 0
    written = []
    for rows, place in ((~is_new, path), (is_new, added_beside(path))):
        if rows.any():
            part = {name: values[rows] for name, values in columns.items()}
            written.append(write_new_star(picks.select(rows), place, columns=part))
    return written


def save_labels(layer: Any, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write a layer's picks with their labels, and nothing else of the session.

    Raises
    ------
    LabelError
        No pick is labelled.
    SettingsError
        The file exists.
    """
    path, picks = absolute(Path(path).expanduser()), picks_of(layer)
    if not picks.labels.any():
        raise LabelError("no pick is labelled yet: there is nothing to save.")
    for place in (path, added_beside(path)):
        if place.exists() and not overwrite:
            raise SettingsError(
                f"{place} exists: choose another name, or allow to replace it."
            )
    return write_labels(picks, path)


def layer_picks(data: Any, attributes: dict[str, Any]) -> Picks:
    """Return the picks of the data of any Points layer.

    Those of the plugin's own layers are (slice, y, x) in micrograph pixels. The points of other
    layers are where they are shown on the open micrographs.
    """
    points = np.asarray(data, dtype=np.float64)
    features = pd.DataFrame(attributes.get("features"))
    state = attributes.get("metadata", {}).get(METADATA_KEY)
    if isinstance(state, LayerState):
        return read_back(state, points, features)
    from napari.layers import Points  # heavy: only where there are layers already

    placed = {name: attributes[name] for name in transforms.TRANSFORM if name in attributes}
    layer = Points(
        points, ndim=points.shape[1], features=features, name=attributes.get("name"), **placed
    )
    if lost := left_out(features):
        warnings.warn(f"{layer.name}: {lost}", UserWarning, stacklevel=2)
    viewer = asking_viewer()
    stacks = [] if viewer is None else micrograph_layers(viewer)
    if not stacks:
        return _named_picks(layer)
    if len(stacks) > 1:
        raise PickFormatError(
            f"{len(stacks)} layers of micrographs are open: choose layer {layer.name!r} as picks "
            "in the panel, with the one that its points are on, and save it then."
        )
    return foreign.state_of(viewer, layer, stacks[0], session_of(viewer).vocabulary).picks


def _named_picks(layer: Any) -> Picks:
    """Return the points of a layer as picks of the micrographs that its features name.

    Raises
    ------
    PickFormatError
        There are no names, or the layer is scaled or moved: pixels of which size?
    """
    features, name = layer.features, layer.name
    column = next((c for c in foreign.NAME_COLUMNS if c in features), None)
    if column is None:
        raise PickFormatError(
            f"layer {name!r} does not tell the micrographs of its points. Choose it as picks "
            "in the panel first, with the micrographs open."
        )
    if not transforms.is_unscaled(layer):
        raise PickFormatError(
            f"layer {name!r} is scaled or moved, and its micrographs are not open: the pixels of "
            "its points are not known. Open the micrographs first."
        )
    points, names = np.asarray(layer.data), features[column].astype(object)
    unknown = names.isna().to_numpy() | ~np.isfinite(points).all(axis=1)
    if unknown.any():
        raise PickFormatError(
            f"point {np.flatnonzero(unknown)[0]} of layer {name!r} has no micrograph or no place: "
            f"fill in the feature {column!r}, or remove the point."
        )
    labels = parsed_labels(features, len(points), DEFAULT_VOCABULARY)
    picks = Picks.from_arrays(
        names.astype(str).tolist(), x=points[:, -1], y=points[:, -2], label=labels
    )
    return with_features(picks, features)


def _file_name(layer_name: str) -> str:
    """Return a layer's name as part of a file name: no spaces, and no folders."""
    return "_".join(layer_name.replace("/", " ").replace("\\", " ").split()) or "picks"


def _unique_names(names: Sequence[str]) -> list[str]:
    """Return unique names: two layers may have the same name."""
    unique_names: list[str] = []
    for name in names:
        numbered = (f"{name}_{n}" for n in itertools.count(2))
        candidates = itertools.chain([name], numbered)
        unique_names.append(next(c for c in candidates if c not in unique_names))
    return unique_names
