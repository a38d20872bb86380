"""First weights by their names: which kind they are, and where their file is."""

from __future__ import annotations

from pathlib import Path

from napari_pickeroptimizer.errors import CheckpointError

TORCH_SUFFIXES = (".pth", ".pt")
BUNDLED_NAME = "bundled"
BUNDLED = Path(__file__).with_name("bundled.safetensors")


def is_trained_on_boxes(base: str | Path) -> bool:
    """Whether first weights have seen boxes of micrographs: bundled ones, or of a model file."""
    return str(base) != "none" and not is_imagenet(str(base))


def is_imagenet(base: str) -> bool:
    """Whether first weights are torchvision's."""
    return base == "imagenet" or Path(base).suffix.lower() in TORCH_SUFFIXES


def file_of_base(base: str) -> Path:
    """Return the file of first weights that come from one.

    Raises
    ------
    CheckpointError
        It is not there.
    """
    path = file_of_model(base)
    if not path.is_file():
        raise CheckpointError(
            f"--base {base}: no such file. Expected none, imagenet, bundled or a model file."
        )
    return path


def check_base_is_there(base: str | Path) -> None:
    """Refuse first weights from a file that is missing; what is in it is not looked at."""
    if str(base) not in ("none", "imagenet"):
        file_of_base(str(base))


def file_of_model(model: str | Path) -> Path:
    """Return the file of a model, given as that or as ``bundled``."""
    return BUNDLED if str(model) == BUNDLED_NAME else Path(model)


def check_model_is_there(model: str | Path) -> None:
    """Refuse a model whose file is missing; what is in it is not looked at."""
    path = file_of_model(model)
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such model file. Make one with `pickeroptimizer finetune`."
        )
