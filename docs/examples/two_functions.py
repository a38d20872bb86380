"""From labels to kept picks in two calls, on the simulated sample.

python docs/examples/two_functions.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari

from napari_pickeroptimizer import plugin


def run(viewer: Any, output: Path, n_steps: int = 80) -> Any:
    """Fine-tune on the labels of a picks layer, and write the kept picks."""
    micrographs, picks = viewer.open_sample("napari-pickeroptimizer", "simulated")
    model = plugin.fine_tune(micrographs, picks, diameter_ang=160, n_steps=n_steps)
    kept, rejected = plugin.apply_model(micrographs, picks, model, threshold=0.5)
    print(f"{len(kept.data)} picks kept, {len(rejected.data)} rejected")
    return plugin.save_picks(kept, output)


if __name__ == "__main__":
    run(napari.Viewer(), Path("kept.star"))
    napari.run()
