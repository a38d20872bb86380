"""The device that the network runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def moved(boxes: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor on a device.

    To CUDA it is copied from page-locked memory, and nothing waits for the copy: what is computed
    with it does, on the device.
    """
    if device.type != "cuda" or boxes.is_cuda:
        return boxes.to(device)
    return boxes.pin_memory().to(device, non_blocking=True)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; ``auto`` takes CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    SettingsError
        The name is unknown, or this machine has no such device.
    """
    import torch  # not for the names of the devices alone

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, found in available.items() if found))
    kind = name.split(":")[0]
    if kind not in available:
        raise SettingsError(f"device {name!r} is unknown: choose one of {', '.join(DEVICES)}.")
    if not available[kind]:
        raise SettingsError(
            f"device {name!r} is not available here: use --device auto or --device cpu, "
            "or install a PyTorch build for that device."
        )
    return torch.device(name)
