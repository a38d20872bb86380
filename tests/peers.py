"""Python programs of other packages, in an environment of their own: `make peers` makes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parents[1] / ".venv-peers"


def peer(program: str, folder: Path, *arguments: object) -> str:
    """Run a program of the peers' environment in a folder and return what it writes."""
    told = os.environ.get("PICKEROPTIMIZER_PEERS")
    path = (Path(told) if told else _DEFAULT) / "bin" / program
    if not path.exists():
        pytest.skip(f"no {path}: `make peers`, or set PICKEROPTIMIZER_PEERS to an environment")
    done = subprocess.run(
        [path, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
