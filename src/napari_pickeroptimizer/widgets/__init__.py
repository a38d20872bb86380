"""One small file a widget; what they do is in `plugin.session` and `plugin.jobs`."""

import napari_pickeroptimizer.plugin.mesa  # noqa: F401 (before torchvision is imported)
