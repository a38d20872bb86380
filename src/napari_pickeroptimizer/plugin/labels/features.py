"""Further features of a user's own points, as columns of what is written. No Qt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import COLUMNS, FEATURE_PREFIX, SELECTION_TYPE

# What the plugin itself shows as features: what the user calls so is not a further one.
SHOWN = {"pick_id", "micrograph", "label", "predicted", "probability", "picker_score"}
PLACES = {"rlnMicrographName"}  # tells the micrograph, as `micrograph` does
# A STAR has no place for other names; the written columns of ours have theirs.
_SOUND = re.compile(r"""[^\s#"';_\ufeff]\S*""")
_WRITTEN = {label for c in COLUMNS for label in c.star_labels} | {SELECTION_TYPE}


def star_name(feature: str) -> str:
    """Return the STAR label of a feature: blanks become ``_``."""
    return "_".join(feature.split())


def kept_names(features: Iterable[Any]) -> dict[str, str]:
    """Return the features that are kept beside those that the plugin has: STAR label by name."""
    names: dict[str, str] = {}
    for name in map(str, features):
        label = star_name(name)
        taken = label in SHOWN | PLACES | _WRITTEN or label in names.values()
        if not taken and _SOUND.fullmatch(label):
            names[name] = label
    return names


def left_out(features: Iterable[Any]) -> str:
    """Return a sentence on features of a user's own points that cannot be kept, if any."""
    names = [*map(str, features)]
    known = {"pick_id", "micrograph", "label", *PLACES, *kept_names(names)}
    lost = [repr(name) for name in names if name not in known]
    if not lost:
        return ""
    return (
        f"Not kept: the features {', '.join(lost)}, whose names a STAR cannot have, or are those "
        "of columns of this plugin. Rename them."
    )


def with_features(picks: Picks, features: pd.DataFrame) -> Picks:
    """Return picks with the further features of their points, one row a pick."""
    names = kept_names(features) if len(features) == len(picks) else {}
    columns = {
        FEATURE_PREFIX + label: _column(features[name]) for name, label in names.items()
    }
    return picks.with_columns(**columns) if columns else picks


def edited(picks: Picks, features: pd.DataFrame, ids: NDArray[np.int64]) -> Picks:
    """Return picks with the further features that a layer's table holds now.

    Parameters
    ----------
    picks : Picks
        Those that the layer shows. Picks of a file have the columns of the file.
    features : pandas.DataFrame
        The layer's features.
    ids : (m,) int
        The pick of each row, negative for none.
    """
    if picks.sources or len(features) != len(ids):
        return picks
    has_pick, shown, columns = ids >= 0, picks.features(), {}
    for name, label in kept_names(features).items():
        after = _column(features[name])
        before = shown.get(label)
        if before is None:
            is_text = after.dtype == object
            before = np.full(
                len(picks), "" if is_text else np.nan, object if is_text else float
            )
        values = before.astype(np.result_type(before, after))
        values[ids[has_pick]] = after[has_pick]
        if label not in shown or not _same(values, before):
            columns[FEATURE_PREFIX + label] = values
    return picks.with_columns(**columns) if columns else picks


def are_shown(picks: Picks, features: pd.DataFrame) -> bool:
    """Return whether the further features of picks are those of a layer's table, a row each."""
    return edited(picks, features, np.arange(len(picks))) is picks


def _column(values: pd.Series[Any]) -> NDArray[Any]:
    """Return a feature as numbers where it is of numbers, else as text; empty for missing."""
    if pd.api.types.is_bool_dtype(values):
        return values.astype(bool).to_numpy(np.int64)
    if pd.api.types.is_integer_dtype(values) and not values.hasnans:
        return values.to_numpy(np.int64)
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(np.float64, na_value=np.nan)
    text = values.astype(object)
    return np.array(text.where(text.notna(), "").map(str), dtype=object)


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return pd.Series(one).equals(pd.Series(other))
