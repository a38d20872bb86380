"""napari writers: picks as STAR, lossless where the layer came from a file."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import write_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.layers import read_back, view_of

LayerData = tuple[Any, dict[str, Any], str]


def write_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Points layer to a STAR file and return the paths written.

    A layer opened from a file is written as that file again, text untouched, without the
    rows that are gone and with ``rlnParticleSelectionType``. Any other Points layer becomes
    a new STAR.

    Raises
    ------
    PickFormatError
        The layer has points on no micrograph.
    """
    return [str(p) for p in write_picks(layer_picks(data, attributes), path)]


def write_layers(path: str, layers: list[LayerData]) -> list[str]:
    """Write the picks of several layers; say that the others are not written.

    With one picks layer among them it is written as by `write_points`. With several, each
    goes to a file of its own: ``<stem>_<layer name>.star``, for one pick may be in two.
    """
    points = [(data, attributes) for data, attributes, kind in layers if kind == "points"]
    others = [a.get("name", kind) for _, a, kind in layers if kind != "points"]
    if others:
        warnings.warn(
            f"a STAR file holds picks only: {', '.join(map(str, others))} not written.",
            UserWarning,
            stacklevel=2,
        )
    if len(points) == 1:
        return write_points(path, *points[0])
    stem = path.removesuffix(".star")
    written: list[str] = []
    for data, attributes in points:
        name = "_".join(str(attributes.get("name", "picks")).split())
        written += write_points(f"{stem}_{name}.star", data, attributes)
    return written


def layer_picks(data: Any, attributes: dict[str, Any]) -> Picks:
    """Return the picks of a Points layer's data: ours, or made of any (slice, y, x) points."""
    points = np.asarray(data, dtype=np.float64)
    features = pd.DataFrame(attributes.get("features"))
    view = view_of(attributes.get("metadata", {}))
    if view is not None:
        return read_back(view, points, features).picks
    return _foreign_picks(points, features, str(attributes.get("name", "layer")))


def _foreign_picks(points: Any, features: pd.DataFrame, name: str) -> Picks:
    """Make picks of points that another program's layer holds, if it says the micrograph."""
    column = next((c for c in ("micrograph", "rlnMicrographName") if c in features), None)
    if column is None:
        raise PickFormatError(
            f"layer {name!r} does not tell the micrographs of its points. Choose it as picks "
            "in the fine-tune panel first, with the micrographs open."
        )
    names = features[column].astype(str).tolist()
    return Picks.from_arrays(names, x=points[:, -1], y=points[:, -2])
