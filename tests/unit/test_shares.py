"""Shares are written in one way, wherever they are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_pickeroptimizer import shares
from napari_pickeroptimizer.cli import show
from napari_pickeroptimizer.report import formatting

SOURCE = Path(shares.__file__).parent
OWN_STYLE = re.compile(r":\.\d%\}|\} ?%[\"')]")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.944, "94 %"), (1.0, "100 %"), (0.9999, "> 99 %"), (0.0, "0 %"), (0.001, "< 1 %")],
)
def test_a_figure_a_space_and_the_sign(share: float, text: str) -> None:
    assert shares.percent(share) == text


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_no_share_is_a_dash(nothing: float | None) -> None:
    assert (
        shares.percent(nothing) == show.percent(nothing) == formatting.percent(nothing) == "–"
    )


def test_the_terminal_and_pages_differ_in_digits_and_kind_of_space_only() -> None:
    assert show.percent(0.9443) == "94.4 %"
    assert formatting.percent(0.9443, 1) == "94.4\N{NO-BREAK SPACE}%"


def test_nothing_writes_a_share_in_another_way() -> None:
    files = [path for path in SOURCE.rglob("*.py") if path.name != "shares.py"]
    assert len(files) > 100
    own = [
        f"{path.relative_to(SOURCE)}:{n}"
        for path in files
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if OWN_STYLE.search(line) and "width:" not in line  # of a page's element
    ]
    assert not own, "use shares.percent"
