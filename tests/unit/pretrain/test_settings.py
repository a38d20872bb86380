"""Settings are checked once, and say what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.fewshot.settings import Augmentation
from napari_pickeroptimizer.pretrain.settings import PretrainSettings


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("backbone", "resnet19"),
        ("n_steps", 0),
        ("batch_size", 1),
        ("save_every", 0),
        ("report_every", 0),
        ("learning_rate", 0),
        ("weight_decay", -1),
        ("noise_sigma", float("nan")),
        ("blur_px", -0.1),
        ("label_smoothing", 1),
        ("validation_share", 1),
        ("branch_weights", (0, 0)),
        ("balance", "entry"),
        ("seed", -1),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, bad: Any) -> None:
    with pytest.raises(SettingsError, match=name):
        PretrainSettings(**{name: bad})


def test_views_must_fit_into_the_windows() -> None:
    assert PretrainSettings().checked_side(82) == 82
    far = PretrainSettings(augmentation=Augmentation(shift=0.2))
    with pytest.raises(SettingsError, match=r"shifted by 0\.2 .* these boxes have 82 px"):
        far.checked_side(82)


def test_the_record_names_a_base_file_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "start.pth").touch()
    assert PretrainSettings(base=tmp_path / "start.pth").record()["base"] == "start.pth"
    assert PretrainSettings(base="imagenet").record()["base"] == "imagenet"
