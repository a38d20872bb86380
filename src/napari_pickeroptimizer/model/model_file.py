"""A model file on disk: safetensors, with the card and a checksum among the metadata.

The same model gives the same bytes. The checksum tells a copy that was broken on its way, or a
card that was edited, from a model as it was written; it is no protection against somebody who
makes a new one, so that card and weights are checked all the same.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as safetensors_of

from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.io.atomic import atomic_path
from napari_pickeroptimizer.model.bases import check_model_is_there
from napari_pickeroptimizer.model.other_files import begins_as_safetensors, what_it_is

FORMAT = "napari-pickeroptimizer"
# Several times the largest network.
MOST_BYTES = 2**30
_LENGTH = 8  # bytes of the header's length, little-endian, at the start of a file


def write_model_file(path: Path, card: str, state: dict[str, torch.Tensor]) -> None:
    """Write weights and card in one step; the same ones always give the same bytes."""
    metadata = {"card": card, "checksum": checksum(card, state), "format": FORMAT}
    data = safetensors_of(state, metadata)
    header = _header(data)
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    # safetensors writes the metadata in random order
    text = json.dumps(
        {**header, "__metadata__": metadata}, separators=(",", ":"), ensure_ascii=False
    ).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(_LENGTH, "little"))
        file.write(text)
        file.write(memoryview(data)[end:])


def read_model_file(path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    """Return the card and the tensors of a model file; neither is checked yet.

    The file is read, not mapped: a file that shrinks, or a disk that fails, is an error then,
    and not the end of the process.

    Raises
    ------
    CheckpointError
        The file is missing, unreadable, damaged, a pickle, or of another program.
    """
    check_model_is_there(path)
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MOST_BYTES:
            raise CheckpointError(
                f"{path} has {n_bytes / 1e9:.1f} GB, more than any model of this program: expected "
                "a model written by `pickeroptimizer finetune`."
            )
        data = path.read_bytes()
    except OSError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror}. Copy it again, or check its disk."
        ) from error
    try:
        state = tensors_of(data)
        metadata = _header(data).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, AssertionError, RuntimeError) as error:
        # checked only now: the first byte of a safetensors file is part of its header's length
        # and may well be 0x80
        if data.startswith(b"\x80") or zipfile.is_zipfile(path):
            raise CheckpointError(
                f"{path} is a pickle (a torch.save file), which can run code on loading, and is "
                "not read: expected a safetensors model written by `pickeroptimizer finetune`."
            ) from error
        if not begins_as_safetensors(data):
            raise CheckpointError(
                f"{path} is no model, but {what_it_is(data)}: expected a safetensors file written "
                "by `pickeroptimizer finetune`."
            ) from error
        raise CheckpointError(
            f"{path} is a damaged safetensors file ({error}): copy it again, or fine-tune again."
        ) from error
    if metadata.get("format") != FORMAT or "card" not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file of another program: expected a model written by "
            "`pickeroptimizer finetune`."
        )
    card = metadata["card"]
    # models of earlier versions have none
    if "checksum" in metadata and metadata["checksum"] != checksum(card, state):
        raise CheckpointError(
            f"{path} has changed since it was written (its checksum does not fit): copy it "
            "again, or fine-tune again."
        )
    return card, state


def checksum(card: str, state: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a card and of names, types, shapes and values of tensors."""
    digest = hashlib.sha256(card.encode())
    for name, tensor in sorted(state.items()):
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        if tensor.numel():
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _header(data: bytes) -> dict[str, dict[str, str]]:
    """Return the header of safetensors, whose length the library has checked."""
    n = int.from_bytes(data[:_LENGTH], "little")
    header: dict[str, dict[str, str]] = json.loads(data[_LENGTH : _LENGTH + n])
    return header
