"""Names of classes: the defaults, and the user's own."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.classes import checked_class_names, class_name
from napari_pickeroptimizer.errors import SettingsError


def test_a_name_of_the_users_own_goes_before_the_default() -> None:
    assert class_name(4, {4: "edge"}) == "edge"
    assert class_name(2, {4: "edge"}) == "contaminant"
    assert class_name(0, {4: "edge"}) == "unlabelled"


def test_names_are_trimmed_and_put_in_order() -> None:
    assert list(checked_class_names({5: "ice ", 4: " edge"}).items()) == [
        (4, "edge"),
        (5, "ice"),
    ]
    assert checked_class_names({2: "ice", 3: "contaminant"}) == {2: "ice", 3: "contaminant"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({7: "edge"}, "classes are 1 to 6"),
        ({0: "edge"}, "classes are 1 to 6"),
        ({4: "  "}, "needs a name"),
        ({4: "two\nlines"}, "one line"),
        ({4: "Carbon"}, "classes 3 and 4 would both be called"),
        ({4: "edge", 5: "edge"}, "classes 4 and 5 would both"),
        ({4: "unlabelled"}, "would both be called"),
    ],
)
def test_names_that_could_be_mistaken_are_refused(names, words) -> None:
    with pytest.raises(SettingsError, match=words):
        checked_class_names(names)
