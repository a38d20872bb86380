"""Preferences come from napari where it keeps them, and are the defaults elsewhere."""

from __future__ import annotations

import sys
from dataclasses import asdict, fields
from types import SimpleNamespace

import pytest

from napari_pickeroptimizer.device import DEVICES
from napari_pickeroptimizer.plugin import preferences as module
from napari_pickeroptimizer.plugin.preferences import DEFAULTS, Preferences, preferences


def settings_module(monkeypatch, get) -> None:
    monkeypatch.setitem(
        sys.modules, "napari.settings", SimpleNamespace(get_plugin_settings=get)
    )


def test_an_older_napari_has_none_so_the_defaults_hold(monkeypatch):
    monkeypatch.setitem(sys.modules, "napari.settings", SimpleNamespace())
    assert preferences() == DEFAULTS == Preferences()


def test_a_plugin_that_napari_does_not_know_has_the_defaults(monkeypatch):
    def unknown(name):
        raise KeyError(name)

    settings_module(monkeypatch, unknown)
    assert preferences() == DEFAULTS


def test_what_the_user_chose_is_returned_and_the_rest_by_default(monkeypatch):
    chosen = SimpleNamespace(auto_advance=False, low_pass_ang=0.0)
    group = SimpleNamespace(**{module.GROUP: chosen})
    settings_module(monkeypatch, lambda name: group if name == module.PLUGIN else None)
    assert preferences() == Preferences(auto_advance=False, low_pass_ang=0.0)


def test_the_manifest_has_the_same_names_and_defaults(repository):
    yaml = pytest.importorskip("yaml")
    manifest = yaml.safe_load((repository / "napari.yaml").read_text(encoding="utf-8"))
    if "configurations" not in manifest["contributions"]:
        pytest.skip("the manifest has no configurations")
    group = manifest["contributions"]["configurations"][module.GROUP]
    found = {name: entry["default"] for name, entry in group["properties"].items()}
    assert found == asdict(DEFAULTS)
    assert tuple(group["properties"]["device"]["enum"]) == DEVICES
    assert {f.name for f in fields(DEFAULTS)} == set(found)
