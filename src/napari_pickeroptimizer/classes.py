"""Classes: their ids are those of RELION 5's ``rlnParticleSelectionType`` (1 to 6).

RELION 5 shows the ids in six colours and can extract one of them (``--selection_type``). Any
value outside 1..6 is a fatal error in RELION, so no other value is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_pickeroptimizer.errors import SettingsError

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


def class_name(class_id: int, names: Mapping[int, str] | None = None) -> str:
    """Return the name of a class id, ``"unlabelled"`` for 0.

    Parameters
    ----------
    class_id : int
        0 to 6.
    names : mapping of int to str, optional
        The user's names; other classes have their default names.

    Examples
    --------
    >>> class_name(3)
    'carbon'
    >>> class_name(4, {4: "edge"})
    'edge'
    """
    if names and class_id in names:
        return names[class_id]
    return "unlabelled" if class_id == UNLABELLED else CLASS_NAMES[class_id]


def plural(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> plural(1, "pick"), plural(1200, "pick")
    ('1 pick', '1,200 picks')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def counted(n: int, name: str) -> str:
    """Return a number of picks of a class; names other than these two take no plural.

    Examples
    --------
    >>> counted(1, "particle"), counted(1200, "particle"), counted(3, "carbon")
    ('1 particle', '1,200 particles', '3 carbon')
    """
    has_plural = name in (CLASS_NAMES[PARTICLE], CLASS_NAMES[CONTAMINANT])
    return plural(n, name) if has_plural else f"{n:,} {name}"


def checked_class_names(names: Mapping[int, str]) -> dict[int, str]:
    """Return the user's names by class id, ascending, after checking that they are distinct.

    Raises
    ------
    SettingsError
        An id is not 1 to 6, a name is empty or longer than a line, or two classes would have
        the same name (default names included).

    Examples
    --------
    >>> checked_class_names({4: " edge "})
    {4: 'edge'}
    """
    checked: dict[int, str] = {}
    for class_id, name in sorted(names.items()):
        if class_id not in CLASS_NAMES:
            raise SettingsError(
                f"class {class_id} cannot be named {name!r}: classes are 1 to {MAX_CLASS}."
            )
        checked[class_id] = str(name).strip()
        if not checked[class_id] or not checked[class_id].isprintable():
            raise SettingsError(f"class {class_id} needs a name of one line, got {name!r}.")
    taken = {class_name(UNLABELLED): UNLABELLED}
    for class_id, name in {**CLASS_NAMES, **checked}.items():
        other = taken.setdefault(name.lower(), class_id)
        if other != class_id:
            raise SettingsError(
                f"classes {other} and {class_id} would both be called {name!r}: give one of "
                "them another name."
            )
    return checked
