"""Try the package that is installed in this interpreter's environment, from napari's side.

    python tools/try_installed.py PICKS.star

Run it from a folder that is not the sources, with a screen (a virtual one will do): napari has to
find the plugin, its manifest to be right, a file to open with it, and every panel to come up.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari
from npe2 import PluginManager, PluginManifest

import napari_pickeroptimizer

PLUGIN = "napari-pickeroptimizer"


def main(picks: str) -> None:
    installed = Path(napari_pickeroptimizer.__file__)
    assert "site-packages" in installed.parts, f"{installed} is not an installed package"
    manifest = PluginManifest.from_distribution(PLUGIN)
    manifest.validate_imports()
    manager = PluginManager.instance()
    manager.discover()
    assert PLUGIN in manager, f"napari did not find {PLUGIN}"
    viewer = napari.Viewer(show=False)
    [*_, layer] = viewer.open(picks, plugin=PLUGIN)
    assert len(layer.data), f"no picks of {picks} were opened"
    names = [w.display_name for w in manifest.contributions.widgets]
    for name in names:
        viewer.window.add_plugin_dock_widget(PLUGIN, name)
    viewer.close()
    print(f"{installed.parent}: {len(layer.data):,} picks opened; {', '.join(names)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
