"""Import this before torchvision in a process that draws: it keeps Mesa and triton apart.

``import torchvision`` imports triton, whose library brings an LLVM of its own. Where Mesa has
loaded another LLVM to draw with (no GPU driver, remote desktops, AMD), the symbols of the two
get mixed and Python dies with a segmentation fault as soon as a window is open. Binding
triton's library to its own symbols first prevents that.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def load_triton_apart() -> bool:
    """Import triton bound to its own symbols, if Mesa's LLVM is loaded; tell whether it was.

    It does nothing where there is no triton, or where it was imported before.
    """
    if "triton" in sys.modules or not hasattr(os, "RTLD_DEEPBIND") or not _llvm_is_loaded():
        return False
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        with suppress(ImportError):
            import triton  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    finally:
        sys.setdlopenflags(flags)
    return "triton" in sys.modules


def _llvm_is_loaded() -> bool:
    try:
        return "libLLVM" in Path("/proc/self/maps").read_text()
    except OSError:
        return False


load_triton_apart()
