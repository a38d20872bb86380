"""Values as the text that goes into a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def star_tokens(values: NDArray[Any]) -> list[str]:
    """Format values: integers as they are, floats with six decimals, text quoted if need be.

    Examples
    --------
    >>> star_tokens(np.array([0.5, 1.0]))
    ['0.500000', '1.000000']
    >>> star_tokens(np.array([1, 2], dtype=np.int8))
    ['1', '2']
    """
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.floating):
        return [f"{v:.6f}" for v in array.tolist()]
    if np.issubdtype(array.dtype, np.integer):
        return [str(v) for v in array.tolist()]
    return [quoted(str(v)) for v in array.tolist()]


def quoted(token: str) -> str:
    """Quote a token that is empty or holds whitespace, as STAR asks.

    Examples
    --------
    >>> quoted("a b")
    '"a b"'
    """
    if token and not any(c.isspace() for c in token):
        return token
    return f'"{token}"'
