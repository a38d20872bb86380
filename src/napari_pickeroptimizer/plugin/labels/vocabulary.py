"""The classes of a session: names, colours, symbols, keys, and counts of labels. No Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import (
    CARBON,
    CLASS_NAMES,
    CONTAMINANT,
    MAX_CLASS,
    PARTICLE,
    UNLABELLED,
    class_name,
    counted,
    plural,
)
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.picks import Picks

HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
UNLABELLED_ALPHA = 0.6  # fainter than decided picks
CLEAR_KEY = "U"
# What users call a layer of their points as well.
OTHER_WORDS = {"good": PARTICLE, "junk": CONTAMINANT, "bad": CONTAMINANT}
NUMBERED = re.compile(r"\s*\[\d+\]$")  # napari's "junk [1]"


def rgb_of(color: str) -> tuple[float, float, float]:
    """Return red, green and blue, 0..1, of a colour like ``#1a2b3c``."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


@dataclass(frozen=True)
class ClassStyle:
    """Name, style and key of a class.

    Parameters
    ----------
    class_id : int
        1 to 6, as ``rlnParticleSelectionType``; 0 for unlabelled.
    name : str
        The user's name for it.
    color : str
        ``#rrggbb``.
    symbol : str
        One of napari's point symbols: colour is never the only cue.
    key : str
        The key that gives this label.
    """

    class_id: int
    name: str
    color: str
    symbol: str
    key: str

    @property
    def rgba(self) -> tuple[float, float, float, float]:
        """Colour as napari takes it."""
        return (*rgb_of(self.color), 1.0 if self.class_id else UNLABELLED_ALPHA)

    @property
    def label_tip(self) -> str:
        """Tooltip of a button that gives this label."""
        if self.class_id == UNLABELLED:
            return f"Remove the labels of the selected picks (key {self.key})."
        return f"Label the selected picks {self.name} (key {self.key})."


# Blue, orange, purple, ... as in Okabe and Ito's palette, told apart by all common kinds of
# colour vision; brighter than theirs, to be seen as a thin ring on a grey micrograph. The
# keys are none that napari uses on a Points layer.
STYLES = {
    style.class_id: style
    for style in (
        ClassStyle(UNLABELLED, "unlabelled", "#E6E6E6", "disc", CLEAR_KEY),
        ClassStyle(PARTICLE, CLASS_NAMES[PARTICLE], "#1E9BFF", "disc", "K"),
        ClassStyle(CONTAMINANT, CLASS_NAMES[CONTAMINANT], "#FF9500", "square", "J"),
        ClassStyle(CARBON, CLASS_NAMES[CARBON], "#F06BD0", "diamond", "C"),
        ClassStyle(4, CLASS_NAMES[4], "#00B584", "triangle_up", "D"),
        ClassStyle(5, CLASS_NAMES[5], "#F0E442", "triangle_down", "E"),
        ClassStyle(6, CLASS_NAMES[6], "#E05A2B", "star", "F"),
    )
}


# How much darker, or lighter, the classes of further layers are: white is mixed in above 0, black
# below. The hue stays that of the class.
SHADES = (0.0, -0.45, 0.5)
# Picks without a class, by layer: light, dark and yellow, told apart by their lightness as well,
# and none of them a colour of the usual classes.
TINTS_RGBA = (STYLES[UNLABELLED].rgba, (0.04, 0.04, 0.04, 0.8), (0.98, 0.93, 0.36, 0.8))


@dataclass(frozen=True)
class Vocabulary:
    """The classes that are in use.

    Parameters
    ----------
    classes : tuple of ClassStyle
        Ascending ids; 1, particle, is always among them.
    """

    classes: tuple[ClassStyle, ...] = field(
        default=(STYLES[PARTICLE], STYLES[CONTAMINANT], STYLES[CARBON])
    )

    def __iter__(self) -> Any:
        return iter(self.classes)

    @cached_property
    def _by_id(self) -> dict[int, ClassStyle]:
        return {style.class_id: style for style in self.classes}

    def __contains__(self, class_id: object) -> bool:
        return class_id in self._by_id

    def style(self, class_id: int) -> ClassStyle:
        """Return how a class is drawn; one that is not in use as it would be."""
        return self._by_id.get(class_id) or STYLES[class_id]

    def name(self, class_id: int) -> str:
        """Return a class's name, ``"unlabelled"`` for 0."""
        return self.style(class_id).name

    def names(self) -> dict[int, str]:
        """Return the names by id."""
        return {style.class_id: style.name for style in self.classes}

    def parse(self, text: object) -> int:
        """Return the class id of a name or number; empty is unlabelled.

        Raises
        ------
        LabelError
            It is neither the name nor the id of a class.
        """
        if text is None or (isinstance(text, float) and np.isnan(text)):
            return UNLABELLED
        word = str(text).strip().lower()
        if word in ("", "nan", str(UNLABELLED), STYLES[UNLABELLED].name):
            return UNLABELLED
        for class_id in range(1, MAX_CLASS + 1):
            if word in (self.name(class_id).lower(), class_name(class_id), str(class_id)):
                return class_id
        known = [self.name(i) for i in range(MAX_CLASS + 1)]
        raise LabelError(
            f"{text!r} is no class: expected one of {', '.join(known)} or a number 0 to "
            f"{MAX_CLASS}."
        )

    def class_of_layer(self, name: str) -> int:
        """Return the class that a layer of points is named after; 0 if it is named otherwise.

        Examples
        --------
        >>> vocabulary = Vocabulary()
        >>> vocabulary.class_of_layer("Junk [1]"), vocabulary.class_of_layer("Points")
        (2, 0)
        """
        word = NUMBERED.sub("", name).strip().lower()
        words = (word, word.removesuffix("s"))  # "particles"
        for style in self.classes:
            if style.name.lower() in words or class_name(style.class_id) in words:
                return style.class_id
        return OTHER_WORDS.get(word, UNLABELLED)

    def added(self, name: str | None = None, color: str | None = None) -> Vocabulary:
        """Return the vocabulary with one more class, of the first free id.

        Raises
        ------
        SettingsError
            All six ids of ``rlnParticleSelectionType`` are taken, or the name is.
        """
        free = [i for i in range(1, MAX_CLASS + 1) if i not in self]
        if not free:
            raise SettingsError(
                f"there are {MAX_CLASS} classes already, as many as RELION's "
                "rlnParticleSelectionType has."
            )
        more = self._with(free[0])
        more = more if name is None else more.renamed(free[0], name)
        return more if color is None else more.recoloured(free[0], color)

    def renamed(self, class_id: int, name: str) -> Vocabulary:
        """Return the vocabulary with another name of a class.

        Raises
        ------
        SettingsError
            There is no such class, the name is empty or another one's, or it is that of the
            particles: they are what is kept, whoever reads the files.
        """
        name = " ".join(name.split())
        if class_id == PARTICLE and name != CLASS_NAMES[PARTICLE]:
            raise SettingsError("class 1 is called particle: it is what is kept.")
        if not name or name.lower() == STYLES[UNLABELLED].name or name.isdigit():
            raise SettingsError(f"{name!r} cannot be the name of a class: give it a word.")
        for style in STYLES.values():
            if style.class_id != class_id and name.lower() in (
                self.name(style.class_id).lower(),
                style.name,
            ):
                raise SettingsError(f"there is a class {name!r} already.")
        return self._changed(class_id, name=name)

    def recoloured(self, class_id: int, color: str) -> Vocabulary:
        """Return the vocabulary with another colour, ``#rrggbb``, of a class.

        Raises
        ------
        SettingsError
            There is no such class, or that is no colour.
        """
        if not HEX_COLOR.fullmatch(color):
            raise SettingsError(f"{color!r} is no colour: expected #rrggbb.")
        return self._changed(class_id, color=color)

    def removed(self, class_id: int) -> Vocabulary:
        """Return the vocabulary without a class.

        Raises
        ------
        SettingsError
            It is the particles' or the contaminants', which are always there.
        """
        if class_id in (PARTICLE, CONTAMINANT):
            raise SettingsError(
                f"class {class_id}, {self.name(class_id)}, cannot be removed: there must be "
                "something to keep and something to reject."
            )
        return Vocabulary(tuple(s for s in self.classes if s.class_id != class_id))

    def with_names(self, names: Mapping[int, str]) -> Vocabulary:
        """Return the vocabulary with these classes in use, under these names."""
        vocabulary = self
        for class_id, name in names.items():
            if class_id not in vocabulary:
                vocabulary = vocabulary._with(class_id)
            if name != vocabulary.name(class_id):
                vocabulary = vocabulary.renamed(class_id, name)
        return vocabulary

    @cached_property
    def palette_rgba(self) -> NDArray[np.float64]:
        """(7, 4) colours by class id, 0 = unlabelled."""
        return np.array([self.style(i).rgba for i in range(MAX_CLASS + 1)])

    def shaded_rgba(self, tint: int) -> NDArray[np.float64]:
        """Return the (7, 4) colours by class id in a layer, so that two layers are told apart."""
        palette, shade = self.palette_rgba.copy(), SHADES[tint % len(SHADES)]
        rgb = palette[:, :3]
        palette[:, :3] = rgb + shade * (1 - rgb) if shade > 0 else rgb * (1 + shade)
        palette[UNLABELLED] = TINTS_RGBA[tint % len(TINTS_RGBA)]
        return palette

    @cached_property
    def symbols(self) -> NDArray[Any]:
        """(7,) napari symbols by class id."""
        return np.array([self.style(i).symbol for i in range(MAX_CLASS + 1)], dtype=object)

    @property
    def key_help(self) -> str:
        """The keys in words: ``K particle · J contaminant · C carbon · U clear``."""
        keys = [f"{style.key} {style.name}" for style in self.classes]
        return " · ".join([*keys, f"{CLEAR_KEY} clear"])

    def _with(self, class_id: int) -> Vocabulary:
        classes = (*self.classes, STYLES[class_id])
        return Vocabulary(tuple(sorted(classes, key=lambda style: style.class_id)))

    def _changed(self, class_id: int, **changes: Any) -> Vocabulary:
        if class_id not in self:
            raise SettingsError(f"there is no class {class_id}: add it first.")
        return Vocabulary(
            tuple(replace(s, **changes) if s.class_id == class_id else s for s in self.classes)
        )


DEFAULT_VOCABULARY = Vocabulary()


def count_labels(picks: Picks) -> dict[int, int]:
    """Return the number of labels of each class in use, by ascending id."""
    counts = np.bincount(picks.labels, minlength=UNLABELLED + 1)
    return {i: int(n) for i, n in enumerate(counts) if n and i != UNLABELLED}


def label_text(picks: Picks, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return the labels' counts: ``12 particles, 9 contaminants``."""
    counts = count_labels(picks)
    return ", ".join(counted(n, vocabulary.name(i)) for i, n in counts.items()) or "no labels"


def labelled_text(n: int, vocabulary: Vocabulary, class_id: int) -> str:
    """Return ``3 picks labelled carbon``."""
    if class_id == UNLABELLED:
        return f"{plural(n, 'pick')} without a label now"
    return f"{plural(n, 'pick')} labelled {vocabulary.name(class_id)}"
