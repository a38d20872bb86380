"""napari's own dialog for saving, with names as a user types them."""

from __future__ import annotations

from functools import partial

import pytest

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.mark.filterwarnings("default:Plugin .napari. tried to save")
def test_a_star_that_is_typed_while_naparis_csv_is_chosen_is_written(
    viewer, npe2pm, project, picks_star, qtbot, tmp_path, monkeypatch, request
):
    from napari.utils.notifications import notification_manager
    from npe2 import PluginManifest
    from qtpy.QtWidgets import QFileDialog

    from napari_pickeroptimizer import read_picks
    from napari_pickeroptimizer.plugin import actions, session

    if "napari" not in {m.name for m in npe2pm.iter_manifests()}:
        npe2pm.register(PluginManifest.from_distribution("napari"))
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, picks_star, diameter_px=40)
    viewer.layers.selection = {layer}
    typed = tmp_path / "saved.star"

    def ask(*_args, **options):
        filters = options["filter"].split(";;")
        return str(typed), next(f for f in filters if f.startswith("napari"))

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    told = []

    def hear(notification):
        told.append(str(notification.message))

    request.addfinalizer(partial(notification_manager.notification_ready.disconnect, hear))
    notification_manager.notification_ready.connect(hear)
    try:
        session.unwrap(viewer).window._qt_viewer._save_layers_dialog(selected=True)
    except OSError as error:  # as Qt hands it on to napari
        notification_manager.receive_error(OSError, OSError(str(error)))
    qtbot.waitUntil(typed.is_file)
    qtbot.waitUntil(lambda: any("saved.star is written after all" in text for text in told))
    assert len(read_picks(typed)) == len(layer.data)
