"""Atomic writing: files are written under a temporary name, then renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    Parent folders are created. When the block raises, the temporary file is removed and
    whatever was at `path` before stays.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # the target's suffix stays last: writers that go by it (np.savez, matplotlib) keep working
    temporary = target.with_name(f".{target.stem[:100]}.{uuid4().hex[:12]}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomic(path: str | Path, text: str, *, encoding: str = "utf-8") -> Path:
    """Write `text` to `path` in one step, line endings unchanged; return the path."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode(encoding))
    return Path(path)
