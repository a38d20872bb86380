"""The network: backbone, two branches, multi-loss, weights and checkpoints."""

import napari_pickeroptimizer.model.mesa  # noqa: F401 (before torchvision is imported)
