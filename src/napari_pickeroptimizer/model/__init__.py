"""The network: backbone, two branches, multi-loss, weights and checkpoints."""

from napari_pickeroptimizer.model.triton_symbols import preload_triton

preload_triton()  # before anything here imports torchvision
