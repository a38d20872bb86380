"""The folder of scores in an output folder."""

from __future__ import annotations

from pathlib import Path

from napari_pickeroptimizer.errors import SettingsError

FOLDER = "scores"
FILES = "*views.*-of-*.log"


def check_has_scores(folder: Path) -> None:
    """Refuse an output folder without any file of scores; what is in them is not looked at."""
    if next((folder / FOLDER).glob(FILES), None) is None:
        raise no_scores(folder)


def no_scores(folder: Path, of_model: str = "") -> SettingsError:
    """Return the error of a folder without scores."""
    return SettingsError(
        f"{folder} holds no scores{of_model}: score the picks first (`pickeroptimizer score`)."
    )
