"""What a file is that was chosen as a model and is none, in words."""

from __future__ import annotations

# Where the bytes are that tell it, these, and the words.
SIGNATURES = (
    (208, b"MAP ", "an MRC image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"%PDF", "a PDF"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy file, as cryoSPARC's .cs"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
)
# What a text contains, in lower case, and the words.
TEXTS = (
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"loop_", "a STAR file"),
    (b"data_", "a STAR file"),
)
N_LOOKED_AT = 4096


def what_it_is(data: bytes) -> str:
    """Return what a file is that is no safetensors file; of text and bytes at least that.

    Examples
    --------
    >>> what_it_is(b"data_particles"), what_it_is(b"12 34"), what_it_is(b"")
    ('a STAR file', 'a text file', 'an empty file')
    """
    if not data:
        return "an empty file"
    for at, signature, words in SIGNATURES:
        if data[at : at + len(signature)] == signature:
            return words
    head = data[:N_LOOKED_AT]
    if b"\0" in head:
        return "a binary file of another kind"
    text = head.lower()
    if text.lstrip()[:1] in (b"{", b"["):
        return "a JSON file"
    return next((words for part, words in TEXTS if part in text), "a text file")


def begins_as_safetensors(data: bytes) -> bool:
    """Return whether bytes begin as a safetensors file, which may be cut off or changed."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") < 10**8
