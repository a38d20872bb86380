"""triton, imported so that its LLVM does not clash with Mesa's.

torchvision and the optimisers of torch import triton, whose library brings its own LLVM. Where
Mesa has loaded another LLVM for drawing (no GPU driver, remote desktops, AMD), the symbols of the
two get mixed up, and Python dies with a segmentation fault as soon as a window is open. Loading
triton's library bound to its own symbols prevents that.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def preload_triton() -> bool:
    """Import triton bound to its own symbols if Mesa's LLVM is loaded; return whether it was.

    Does nothing where there is no triton, or where it was imported before.
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
