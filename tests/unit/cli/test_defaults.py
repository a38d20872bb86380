"""Options have the defaults of the settings that they set."""

from __future__ import annotations

import dataclasses
import inspect

from napari_pickeroptimizer.cli.pretrain import pretrain
from napari_pickeroptimizer.pretrain.settings import PretrainSettings

# Options of `pretrain` that are called otherwise than their setting.
OTHERWISE = {
    "steps": "n_steps",
    "noise": "noise_sigma",
    "blur": "blur_px",
    "known_false_boxes": "n_known_false",
}


def test_pretrain_repeats_the_defaults_of_its_settings() -> None:
    settings = PretrainSettings()
    defaults = dataclasses.asdict(settings) | dataclasses.asdict(settings.augmentation)
    given = {
        OTHERWISE.get(name, name): option.default
        for name, option in inspect.signature(pretrain).parameters.items()
    }
    compared = {name for name, value in given.items() if value is not None} & set(defaults)
    assert len(compared) > 18
    assert {n: given[n] for n in compared} == {n: defaults[n] for n in compared}
