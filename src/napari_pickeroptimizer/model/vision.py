"""torchvision, imported after triton: nothing else here imports it, see `model.triton`."""

from __future__ import annotations

from napari_pickeroptimizer.model.triton import preload_triton

# at the last moment: a window may have loaded Mesa's LLVM since other modules were imported
preload_triton()

import torchvision  # noqa: E402 (after triton)

__all__ = ["torchvision"]
