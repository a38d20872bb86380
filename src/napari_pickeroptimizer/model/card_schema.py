"""The card of a model file: its JSON, and the type and range of every value in it.

A model file may come from anywhere. What the card says is used for sizes, names and figures all
over the program, so that nothing of it is taken before it has been checked here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from reprlib import repr as shown
from typing import Any

from napari_pickeroptimizer.classes import MAX_CLASS
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone_names import BACKBONES
from napari_pickeroptimizer.settings import Range

# 2: calibration and held-out scores, called evidence; 3: called held_out_scores; 4: with the
# micrographs of their labels; 5: known false picks
FORMAT_VERSION = 5
# Many times what ten thousand labels and the largest network take.
MOST_CHARACTERS = 8_000_000
MOST_DIGITS = 20  # those of the largest seed
MOST_CATEGORIES = 10_000

Check = Callable[[Any, str], None]  # of a value and its name in the card; raises ValueError

ANY = Range()
POSITIVE = Range(above=0)
COUNT = Range(least=0)
SHARE = Range(least=0, most=1)
LOGIT = Range(least=-1000, most=1000)
DIAMETER = Range(above=0, most=100_000)  # of any particle, in pixels or Å
PIXEL_SIZE = Range(above=0, most=10_000)
PRETRAINING = "pretraining"
BEFORE_LABELS = "before labels"


def checked_card(text: str) -> dict[str, Any]:
    """Return the values of a card's JSON text after checking each of them.

    Raises
    ------
    CheckpointError
        The text is no card, or one of a newer version; the message names the value.
    """
    try:
        values: dict[str, Any] = _parsed(text)
        _mapping(values, "the card")
        _number(Range(least=1), whole=True)(values.get("format_version"), "format_version")
        if values["format_version"] > FORMAT_VERSION:
            raise CheckpointError(
                f"the model was written by a newer version (card format "
                f"{values['format_version']}, this version reads up to {FORMAT_VERSION}): "
                "update napari-pickeroptimizer."
            )
        _CARD(values, "")
        _check_classes(values)
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the model's card is damaged: {error}") from error
    return values


def _parsed(text: str) -> Any:
    """Return the values of JSON text in which every number is finite and every name unique."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters")
    values = json.loads(
        text,
        parse_int=_whole,
        parse_float=_finite,
        parse_constant=_finite,
        object_pairs_hook=_unique,
    )
    json.dumps(values, ensure_ascii=False).encode()  # refuses halves of characters
    return values


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS + 1:  # a sign
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:MOST_DIGITS]} is no finite number")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} is there twice")
    return values


def _refuse(name: str, expected: str, value: object) -> None:
    raise ValueError(f"{name} must be {expected}, got {shown(value)}")


def _number(allowed: Range, *, whole: bool = False) -> Check:
    kind = "a whole number" if whole else "a number"

    def check(value: Any, name: str) -> None:
        is_kind = isinstance(value, int if whole else int | float)
        if isinstance(value, bool) or not is_kind or value not in allowed:
            _refuse(name, f"{kind}, {allowed}" if str(allowed) else kind, value)

    return check


def _or_none(check: Check) -> Check:
    return lambda value, name: None if value is None else check(value, name)


def _text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        _refuse(name, "text", value)


def _one_line(value: Any, name: str) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        _refuse(name, "text of one line", value)


def _flag(value: Any, name: str) -> None:
    if not isinstance(value, bool):
        _refuse(name, "true or false", value)


def _mapping(value: Any, name: str) -> None:
    if not isinstance(value, dict):
        _refuse(name, "an object", value)


def _backbone(value: Any, name: str) -> None:
    if value not in BACKBONES:
        _refuse(name, f"one of {', '.join(BACKBONES)}", value)


def _plain(value: Any, name: str) -> None:
    if isinstance(value, dict | list):
        _refuse(name, "a number or text", value)


def _each(check: Check, least: int = 0, most: int | None = None) -> Check:
    def check_all(value: Any, name: str) -> None:
        if not isinstance(value, list):
            _refuse(name, "a list", value)
        if len(value) < least or (most is not None and len(value) > most):
            _refuse(name, f"a list of {least} to {most}", value)
        for i, item in enumerate(value, start=1):
            check(item, f"{name}, entry {i},")

    return check_all


def _values(check: Check) -> Check:
    def check_all(value: Any, name: str) -> None:
        _mapping(value, name)
        for key, item in value.items():
            check(item, f"{name}.{key[:60]}")

    return check_all


def _fields(
    needed: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    others: Check | None = None,
) -> Check:
    """Return the check of an object; other names are refused, or their values checked too."""
    known = {**needed, **(optional or {})}

    def check_all(value: Any, name: str) -> None:
        _mapping(value, name)
        prefix = f"{name}." if name else ""
        for key in needed:
            if key not in value:
                raise ValueError(f"{prefix}{key} is missing")
        for key, item in value.items():
            check = known.get(key, others)
            if check is None:
                raise ValueError(f"{prefix}{shown(key)} is unknown")
            check(item, f"{prefix}{key[:60]}")

    return check_all


_BOXES: dict[str, Check] = {
    "diameter_px": _or_none(_number(DIAMETER)),
    "diameter_ang": _or_none(_number(DIAMETER)),
    "box_factor": _number(Range(above=0, most=100)),
    "box_px": _number(Range(least=1, most=512), whole=True),
}
_STATISTICS = _fields(
    {
        "mean": _each(_number(ANY)),
        "spread": _each(_number(POSITIVE)),
        "limit": _number(COUNT),
    }
)
_OF_LABELS = _fields(
    {
        "n_folds": _number(Range(least=2), whole=True),
        "grouped_by_micrograph": _flag,
        "accuracy": _number(SHARE),
        "macro_f1": _number(SHARE),
    },
    {"n_repeats": _number(Range(least=1), whole=True)},
)
_OF_CATEGORIES = _fields(
    {"n_boxes": _number(COUNT, whole=True), "accuracy": _number(SHARE)},
    {
        "particle_accuracy": _or_none(_number(SHARE)),
        "particle_auc": _or_none(_number(SHARE)),
        "by_category": _values(_number(SHARE)),
    },
)
_TRAINING = _fields(
    {},
    {
        "kind": _text,
        "labels": _values(_number(COUNT, whole=True)),
        "n_unlabelled": _number(COUNT, whole=True),
        "n_background": _number(COUNT, whole=True),
        "shares_of_picks": _or_none(_values(_number(SHARE))),
        "settings": _fields(
            {},
            {
                **_BOXES,
                "augmentation": _values(_number(COUNT)),
                "branch_weights": _each(_number(COUNT), 2, 2),
                "class_names": _values(_one_line),
                "n_folds": _number(COUNT, whole=True),
                "known_false_categories": _each(_one_line, 0, MOST_CATEGORIES),
            },
            others=_plain,
        ),
        "reference": _or_none(
            _fields(
                {
                    "n_picks": _number(COUNT, whole=True),
                    "n_micrographs": _number(COUNT, whole=True),
                    "grey": _STATISTICS,
                    "features": _STATISTICS,
                    "share": _number(SHARE),
                    "share_limit": _number(COUNT),
                }
            )
        ),
        "labels_digest": _or_none(_text),
    },
    others=lambda value, name: None,  # notes that the program never reads again
)


def _training(value: Any, name: str) -> None:
    _TRAINING(value, name)
    is_pretrained = value.get("kind") == PRETRAINING
    check = _OF_CATEGORIES if is_pretrained else _OF_LABELS
    _or_none(check)(value.get("validation"), f"{name}.validation")


_HELD_OUT = _or_none(
    _fields(
        {"logits": _each(_number(LOGIT)), "is_particle": _each(_flag)},
        {
            "suggested": _each(_flag),
            "micrograph": _or_none(_each(_number(Range(least=0, most=1e9), whole=True))),
        },
    )
)
_CARD = _fields(
    {
        "format_version": _number(Range(least=1), whole=True),
        "class_ids": _each(_number(Range(least=1), whole=True), 1, MOST_CATEGORIES),
        "class_names": _each(_one_line, 1, MOST_CATEGORIES),
        "backbone": _backbone,
        "boxes": _fields({}, _BOXES),
    },
    {
        "pixel_size_ang": _or_none(_number(PIXEL_SIZE)),
        "training": _training,
        "versions": _values(_text),
        "calibration": _fields(
            {},
            {"slope": _number(Range(above=0, most=1000)), "intercept": _number(LOGIT)},
        ),
        "has_known_false": _flag,
        "held_out_scores": _HELD_OUT,
        "evidence": _HELD_OUT,
    },
)


def _check_classes(values: dict[str, Any]) -> None:
    """Check ids and names against each other: 1 to 6, or numbered categories of a pretraining."""
    ids, names = values["class_ids"], values["class_names"]
    is_pretrained = values.get("training", {}).get("kind") == PRETRAINING
    most = len(ids) if is_pretrained else MAX_CLASS
    if len(set(ids)) < len(ids) or max(ids) > most:
        _refuse("class_ids", f"different numbers from 1 to {most}", ids)
    if len(names) != len(ids) or len(set(names)) < len(names):
        _refuse("class_names", f"{len(ids)} different names", names)
