"""RELION's own programs, where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def relion(program: str, project: Path, *arguments: str) -> str:
    """Run a program of RELION in a project folder and return what it says."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on PATH (Debian: apt install relion)")
    done = subprocess.run(
        [program, *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
