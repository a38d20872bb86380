r"""Make the animation of the README: a session in a few dozen pictures, with the mouse pointer.

    xvfb-run -a -s "-screen 0 1920x1080x24" python docs/scripts/film.py PROJECT \
        docs/images/walk.webp

PROJECT as for ``screenshots.py``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from hand import Hand
from PIL import Image, ImageDraw
from walk import empiar10017_route, walk

WINDOW_PX = (1280, 800)
FILM_WIDTH_PX = 960
SECONDS_BETWEEN = 0.5  # of the walk, at least
LONG_STATES_MS, FRAME_MS = 1400, 220
POINTER = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))


class Camera:
    """Takes a picture of the window now and then."""

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.hand: Hand | None = None
        self.frames: list[tuple[Image.Image, int]] = []
        self._last = 0.0

    def now_and_then(self) -> None:
        """Take a picture, unless the last one is recent."""
        if time.monotonic() - self._last > SECONDS_BETWEEN:
            self.take(FRAME_MS)

    def take(self, milliseconds: int) -> None:
        """Take a picture that is shown for the given time."""
        image = Image.fromarray(
            self.viewer.screenshot(canvas_only=False, flash=False)[..., :3]
        )
        if self.hand is not None and self.hand.at is not None:
            widget, place = self.hand.at
            at = widget.mapTo(widget.window(), place)
            shape = [(at.x() + x, at.y() + y) for x, y in POINTER]
            ImageDraw.Draw(image).polygon(shape, fill="white", outline="black")
        height = round(image.height * FILM_WIDTH_PX / image.width)
        small = image.resize((FILM_WIDTH_PX, height), Image.Resampling.LANCZOS)
        self.frames.append((small, milliseconds))
        self._last = time.monotonic()


def main() -> None:
    """Run the session and write the animation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=80)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PICKEROPTIMIZER_STATE"] = str(Path(folder) / "state")
        frames = film(arguments, Path(folder))
    size = frames[0][0].size
    pictures = [f.resize(size) if f.size != size else f for f, _ in frames]
    pictures[0].save(
        arguments.output,
        save_all=True,
        append_images=pictures[1:],
        duration=[ms for _, ms in frames],
        loop=0,
        quality=55,
        method=6,
    )
    print(
        f"{arguments.output}: {len(frames)} pictures, {arguments.output.stat().st_size:,} bytes"
    )


def film(arguments: Any, folder: Path) -> list[tuple[Image.Image, int]]:
    """Return the pictures of the walk, and how long each is shown in milliseconds."""
    import napari

    viewer = napari.Viewer(title="napari")
    viewer.window.resize(*WINDOW_PX)
    camera = Camera(viewer)
    hand = camera.hand = Hand(viewer, on_move=camera.now_and_then)
    route = empiar10017_route(arguments.project, folder / "pruned", arguments.steps, 2)
    for _ in walk(viewer, hand, route):
        camera.take(LONG_STATES_MS)
    viewer.close()
    return thinned(camera.frames)


def thinned(
    frames: list[tuple[Image.Image, int]], most_in_a_row: int = 14
) -> list[tuple[Image.Image, int]]:
    """Leave out pictures of a long wait: of each run between two states only so many stay."""
    kept: list[tuple[Image.Image, int]] = []
    run: list[tuple[Image.Image, int]] = []
    for frame in frames:
        if frame[1] == FRAME_MS:
            run.append(frame)
            continue
        step = max(1, -(-len(run) // most_in_a_row))
        kept += [*run[::step], frame]
        run = []
    return kept + run


if __name__ == "__main__":
    main()
