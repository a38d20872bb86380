"""The manifest promises what the package has."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

import pytest

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def manifest():
    from npe2 import PluginManifest

    return PluginManifest.from_file(str(files("napari_pickeroptimizer") / "napari.yaml"))


def test_every_command_can_be_imported(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_every_contribution_names_a_command(manifest):
    commands = {c.id for c in manifest.contributions.commands}
    contributions = manifest.contributions
    named = [
        *(r.command for r in contributions.readers),
        *(w.command for w in contributions.writers),
        *(w.command for w in contributions.widgets),
        *(s.command for s in contributions.sample_data),
        *(i.command for items in contributions.menus.values() for i in items),
    ]
    assert set(named) == commands


def test_the_plugin_is_installed_with_its_manifest(manifest):
    from npe2 import PluginManifest

    assert PluginManifest.from_distribution("napari-pickeroptimizer").name == manifest.name
