"""PNG and JPEG, through Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from PIL import Image

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.stored_image import section_shape
from napari_pickeroptimizer.io.unpacking import MOST_RATIO

_picture_lock = Lock()


def open_picture(file: Path | IO[bytes], formats: Sequence[str]) -> Image.Image:
    """Open a picture of any size: the caller checks it before it is read.

    Micrographs exceed Pillow's guard against decompression bombs.
    """
    with _picture_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=list(formats))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def read_picture(path: Path, *, whole: bool) -> Any:
    """Return the (ny, nx) shape of a picture, or the `whole` of it as grey levels.

    Raises
    ------
    MicrographReadError
        It is too large, or larger than a file of its size can hold.
    """
    with open_picture(path, ("PNG", "JPEG")) as picture:
        plane = section_shape(path, (picture.height, picture.width), 0)
        if not whole:
            return plane
        if picture.height * picture.width > MOST_RATIO * path.stat().st_size:
            raise MicrographReadError(
                f"{path} is truncated or damaged: it says that it has {picture.width} x "
                f"{picture.height} pixels, more than its {path.stat().st_size} bytes can hold."
            )
        is_grey = picture.mode in ("L", "I", "F", "I;16", "I;16B")
        return np.array(picture if is_grey else picture.convert("L"))
