"""Every file of real programs: read with the right number of picks, or refused in words.

The number is counted here by other means than this package's readers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io import read_picks, write_picks

# Files that hold coordinates, and the words that refuse them.
REFUSED = {
    "tomo018_10.cbox": "of a tomogram",
    "SarcDros_ba03_ex01_la03_to01_10.96Apx_lp60.cbox": "along filaments",
    "3d_particle.cbox": "of a tomogram",
    "2d_corrupt_has_string.box": "row 2 (line 2): x is 'sixty_three'",
    "2d_corrupt_unqual_columns.box": "row 3 (line 3): 3 values in the row where 4",
    "2d.box": "row 1 (line 1): 1 values in the row",  # links that became text files
    "2d_0.box": "row 1 (line 1): 1 values in the row",
    "RELION _autopick.star": "row 18 (line 31): 1 values in the row where 5",  # Markdown
    "particles.star": "of a tomogram",  # of cylindra; others of the name are read
    "run_it025_data.star": "of a tomogram",
    "run_it050_data.star": "of a tomogram",
    "one_loop.star": "of a tomogram",
    "single_line_end_of_multiblock.star": "of a tomogram",
}
PAIRS = (
    {"rlnCoordinateX", "rlnCoordinateY"},
    {"CoordinateX", "CoordinateY"},
    {"xcoor", "ycoor"},
)


def counted(file: Path) -> int:
    """Count the picks of a file as one would by hand; 0 where it holds no coordinates."""
    data = file.read_bytes()
    if file.suffix == ".cs":
        if not data.startswith(b"\x93NUMPY"):
            return 0
        table = np.load(file, allow_pickle=False, max_header_size=10**6)
        return len(table) if "location/center_x_frac" in table.dtype.names else 0
    lines = data.decode("latin-1").splitlines()
    if file.suffix in (".star", ".pos") or (file.suffix == ".cbox" and b"data_" in data):
        return counted_in_star(lines)
    rows = [line for line in lines if line.strip()]
    if file.suffix == ".txt":
        return (
            len(rows) - 1 if rows and rows[0].startswith("image_name\tx_coord\ty_coord") else 0
        )
    return len(rows) if file.suffix in (".box", ".cbox") else 0


def counted_in_star(lines: list[str]) -> int:
    labels: set[str] = set()
    n = 0
    in_header = False
    for line in (line.strip() for line in lines):
        if line.startswith(("data_", "loop_")):
            labels, in_header = set(), line.startswith("loop_")
        elif in_header and line.startswith("_"):
            labels.add(line.split()[0][1:])
        elif line and not line.startswith("#"):
            n += any(pair <= labels for pair in PAIRS)
    return n


def test_every_file_is_read_in_full_or_refused_in_words(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    formats = shared_data / "formats"
    files = sorted(file for file in formats.rglob("*") if file.is_file())
    assert len(files) > 200
    rows, wrong = [], []
    n_read = 0
    for i, file in enumerate(files):
        expected = counted(file)
        name = str(file.relative_to(formats))
        try:
            picks = read_picks(file)
        except PickerOptimizerError as error:
            message = str(error)
            words = REFUSED.get(file.name, "")
            if expected and (not words or words not in message):
                wrong.append(f"{name}: {expected} picks, refused: {message}")
            if str(file) not in message or len(message) < len(str(file)) + 20:
                wrong.append(
                    f"{name}: the message does not name it, or says little: {message}"
                )
            rows.append(
                f"{name}: {expected or ''} refused{message.partition(str(file))[2][:90]}"
            )
            continue
        n_read += 1
        rows.append(f"{name}: {len(picks)} picks, {expected} counted")
        if len(picks) != expected:
            wrong.append(rows[-1])
        *_, output = write_picks(picks, tmp_path / f"{i}{file.suffix}", columns={})
        if output.read_bytes() != file.read_bytes():
            wrong.append(f"{name}: does not come back as it was")
    with capsys.disabled():
        total = f"{n_read} of {len(files)} files hold picks\n"
        sys.stdout.write("\n".join(["", *rows, total]))
    assert wrong == []
    assert n_read >= 60
