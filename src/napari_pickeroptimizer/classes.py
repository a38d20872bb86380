"""The vocabulary of classes: ids as in RELION 5's ``rlnParticleSelectionType`` (1 to 6).

RELION 5 shows these ids in six colours and extracts by them (``--selection_type``); any
value outside 1..6 is a fatal error there, so nothing else is ever written.
"""

from __future__ import annotations

UNLABELLED = 0
PARTICLE = 1
CONTAMINANT = 2
CARBON = 3
MAX_CLASS = 6

CLASS_NAMES: dict[int, str] = {
    PARTICLE: "particle",
    CONTAMINANT: "contaminant",
    CARBON: "carbon",
    4: "class 4",
    5: "class 5",
    6: "class 6",
}


def class_name(class_id: int) -> str:
    """Return the default name of a class id, ``"unlabelled"`` for 0.

    Examples
    --------
    >>> class_name(3)
    'carbon'
    """
    return "unlabelled" if class_id == UNLABELLED else CLASS_NAMES[class_id]
