"""Take the pictures of the documentation: every state of a session, in two sizes and both themes.

    xvfb-run -a -s "-screen 0 1920x1080x24" python docs/scripts/screenshots.py PROJECT docs/images

PROJECT is EMPIAR-10017 (CC0), laid out like a RELION project: Micrographs/, labels.star (hand
labels with rlnParticleSelectionType) and Topaz's picks, topaz_particles.star. The pictures are
``napari/<state>_<width>_<theme>.webp``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from hand import Hand
from PIL import Image
from walk import empiar10017_route, walk

SIZES_PX = ((1280, 800), (1920, 1080))
THEMES = ("dark", "light")
QUALITY = 72


def main() -> None:
    """Walk once, and take every state's pictures on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--folds", type=int, default=3)
    arguments = parser.parse_args()
    (arguments.output / "napari").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PICKEROPTIMIZER_STATE"] = str(Path(folder) / "state")  # not the user's
        take_all(arguments, Path(folder))


def take_all(arguments: Any, folder: Path) -> None:
    """Take the pictures; what is exported goes to a folder that is thrown away."""
    import napari

    viewer = napari.Viewer(title="napari")
    hand = Hand(viewer)
    viewer.window.resize(*SIZES_PX[0])
    route = empiar10017_route(
        arguments.project, folder / "pruned", arguments.steps, arguments.folds
    )
    for state in walk(viewer, hand, route):
        # a job that runs goes on meanwhile: one picture of it
        running = state in ("learning", "scoring")
        for size in SIZES_PX[: 1 if running else None]:
            for theme in THEMES[: 1 if running else None]:
                shoot(viewer, hand, arguments.output / "napari", state, size, theme)
        viewer.theme = THEMES[0]
        viewer.window.resize(*SIZES_PX[0])
        hand.settle(0.5)
    viewer.close()


def shoot(
    viewer: Any, hand: Hand, folder: Path, state: str, size_px: tuple[int, int], theme: str
) -> None:
    """Write the window as it is in a size and a theme."""
    viewer.theme = theme
    viewer.window.resize(*size_px)
    hand.settle(0.6)
    shown = viewer.screenshot(canvas_only=False, flash=False)
    path = folder / f"{state}_{size_px[0]}_{theme}.webp"
    Image.fromarray(shown[..., :3]).save(path, quality=QUALITY, method=6)
    print(f"{path}: {shown.shape[1]} x {shown.shape[0]}, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
