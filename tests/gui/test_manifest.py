"""The manifest promises what the package has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest

from napari_pickeroptimizer.plugin.preferences import DISPLAY_NAME, PLUGIN

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
    assert (manifest.name, manifest.display_name) == (PLUGIN, DISPLAY_NAME)


@pytest.mark.parametrize(
    "name",
    [
        "Curate picks", "Gallery", "Label", "Learn", "Decide", "Export",
        "Fine-tune a model", "Apply a model",
    ],
)  # fmt: skip
def test_every_panel_opens_on_an_empty_viewer_and_on_two(viewer, name, manifest):
    assert name in {w.display_name for w in manifest.contributions.widgets}
    dock, widget = viewer.window.add_plugin_dock_widget(manifest.name, name)
    assert dock.isVisible() or dock.parent() is not None
    assert widget is not None
    _, same = viewer.window.add_plugin_dock_widget(manifest.name, name)
    assert same is widget


PLUGIN_FILES = sorted(Path(str(files("napari_pickeroptimizer") / "plugin")).rglob("*.py"))


def uses_of_napari(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield line, text, and whether it is private, of what a module takes from napari."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rsplit(".", 1)[-1]
            if owner in ("viewer", "_viewer", "window", "layer", "layers"):
                yield node.lineno, ast.unparse(node), node.attr.startswith("_")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari."):
            private = any(part.startswith("_") for part in node.module.split("."))
            yield node.lineno, node.module, private


def test_no_private_attribute_of_napari_is_used():
    """Attributes of viewers, windows and layers that begin with an underscore are napari's own."""
    uses = [
        (f"{path.name}:{line}: {text}", private)
        for path in PLUGIN_FILES
        for line, text, private in uses_of_napari(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(uses) > 50
    assert [use for use, private in uses if private] == []
