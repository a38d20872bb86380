"""Stacks of standardised windows as MRC files."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings, window_side
from napari_pickeroptimizer.errors import BoxSetError
from napari_pickeroptimizer.fewshot.settings import Augmentation
from napari_pickeroptimizer.io.atomic import atomic_path

if TYPE_CHECKING:
    import torch

BOX_FACTOR = 1.5  # box sides in particle diameters
BOX_PX = 48
# Holds every random view of a box, with fine-tuning's and pretraining's augmentation.
WINDOW_SIDE = window_side(
    BoxSettings(diameter_px=BOX_PX / BOX_FACTOR, box_factor=BOX_FACTOR, box_px=BOX_PX),
    Augmentation().reach,
)
LABEL = "napari-pickeroptimizer standardised windows, box {} px"
FLOAT16_MODE = 12
HEADER_BYTES = 1024


class WindowWriter(ExitStack):
    """Write one stack of windows in parts; the file appears when the block ends.

    Nothing is written where nothing was appended, or where the block raises.

    Parameters
    ----------
    path : Path
        The ``.mrcs`` file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "particle_a" / "a.mrcs"
    >>> with WindowWriter(path) as writer:
    ...     writer.append(np.zeros((2, 82, 82)))
    ...     writer.append(np.ones((3, 82, 82)))
    >>> writer.n_written, path.is_file()
    (5, True)
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.n_written = 0
        self._file: IO[bytes] | None = None
        self._extremes = (np.inf, -np.inf)
        self._sum = 0.0

    def append(self, windows: torch.Tensor | NDArray[np.floating]) -> None:
        """Append standardised windows.

        Parameters
        ----------
        windows : (n, 1, side, side) or (n, side, side) tensor or array
            In robust standard deviations of their micrograph, the pick within half a pixel of
            the centre. (Its sub-pixel offset is not kept: to resample here, and again for
            a view, would smooth the noise twice.)

        Raises
        ------
        BoxSetError
            The windows have another side, or hold a value that is no number.
        """
        values = np.asarray(windows, dtype=np.float32)
        values = values[:, 0] if values.ndim == 4 else values
        if values.shape[1:] != (WINDOW_SIDE, WINDOW_SIDE):
            raise BoxSetError(
                f"{self.path}: windows of {WINDOW_SIDE} x {WINDOW_SIDE} pixels were expected, got "
                f"an array of shape {values.shape}."
            )
        if not np.isfinite(values).all():
            raise BoxSetError(f"{self.path}: a window holds values that are no numbers (NaN).")
        if not len(values):
            return
        if self._file is None:
            temporary = self.enter_context(atomic_path(self.path))
            self._file = self.enter_context(temporary.open("wb"))
            self._file.write(bytes(HEADER_BYTES))
            self.push(self._finish)  # runs first, before the file is closed and renamed
        rounded = values.astype("<f2")
        self._file.write(rounded.tobytes())
        self.n_written += len(values)
        low, high = self._extremes
        self._extremes = (min(low, float(rounded.min())), max(high, float(rounded.max())))
        self._sum += float(rounded.sum(dtype=np.float64))

    def _finish(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None and self._file is not None:
            self._file.seek(0)
            self._file.write(self._header().tobytes())

    def _header(self) -> NDArray[np.void]:
        header = np.zeros((), dtype=HEADER_DTYPE)
        header["nx"] = header["ny"] = header["mx"] = header["my"] = WINDOW_SIDE
        header["nz"] = self.n_written
        header["mz"] = 1  # an image stack (space group 0)
        header["mode"] = FLOAT16_MODE
        header["cella"]["x"] = header["cella"]["y"] = WINDOW_SIDE
        header["cella"]["z"] = 1
        header["cellb"]["alpha"] = header["cellb"]["beta"] = header["cellb"]["gamma"] = 90
        header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
        header["dmin"], header["dmax"] = self._extremes
        header["dmean"] = self._sum / (self.n_written * WINDOW_SIDE**2)
        header["rms"] = -1  # not given: checks that sum in float16 would find another value
        header["nversion"] = 20140
        header["map"] = b"MAP "
        header["machst"] = (0x44, 0x44, 0, 0)  # little endian
        header["nlabl"] = 1
        header["label"][0] = LABEL.format(BOX_PX).encode()
        return header


def write_windows(path: str | Path, windows: torch.Tensor | NDArray[np.floating]) -> Path:
    """Write one stack of standardised windows at once; see `WindowWriter.append`."""
    with WindowWriter(Path(path)) as writer:
        writer.append(windows)
    return Path(path)


def box_px_of_label(label: str) -> int | None:
    """Return the box side in an MRC label of ours, None for other labels.

    Examples
    --------
    >>> box_px_of_label("napari-pickeroptimizer standardised windows, box 48 px")
    48
    >>> box_px_of_label("Created by RELION") is None
    True
    """
    found = re.fullmatch(LABEL.format(r"(\d+)"), label.strip("\0 "))
    return int(found[1]) if found else None
