"""How long the gallery takes to sort, to scroll and to cut boxes, beside a list of icons.

    QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 python benchmarks/gallery.py PROJECT \
        --picks PROJECT/topaz_particles.star --diameter-px 100 --n 100000 1000000 --seed 0

``PROJECT`` is a folder with micrographs (EMPIAR-10017 in the results). The picks are the
file's, drawn with replacement and moved by up to 20 px, so that no two boxes are the same.
All times are medians, in brackets the 95th percentile, of the same run on the same machine.

The peer is what Qt offers for this: a ``QListView`` in icon mode with items of one size, its
model cutting a box when the view asks for its icon, and keeping it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractListModel, QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QApplication, QListView

from napari_pickeroptimizer import Micrographs, read_picks
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.panels.gallery.box_grid import BoxGrid
from napari_pickeroptimizer.plugin.panels.gallery.order import (
    GalleryPicks,
    Show,
    Sort,
    display,
)
from napari_pickeroptimizer.plugin.panels.gallery.selection import Selection
from napari_pickeroptimizer.plugin.panels.gallery.thumbnail_loader import (
    OpenMicrographs,
    ThumbnailLoader,
    load,
)
from napari_pickeroptimizer.plugin.panels.gallery.thumbnails import (
    BOX_FACTOR,
    Places,
    ThumbnailSettings,
    thumbnail_sigma_px,
)
from napari_pickeroptimizer.prune.decision import Decision

BOX_PX = 96
WINDOW = (1280, 480)
N_STEPS = 150
N_JUMPS = 12
MAX_JITTER_PX = 20.0
LOW_PASS_ANG = 20.0
# laying out more icons than this takes the peer minutes
PEER_MAX = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path, help="folder with micrographs")
    parser.add_argument("--picks", type=Path, required=True)
    parser.add_argument("--diameter-px", type=float, default=100.0)
    parser.add_argument("--n", type=int, nargs="+", default=[100_000])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    app = QApplication([])
    micrographs = Micrographs.find(args.project)
    sigma = thumbnail_sigma_px(
        LOW_PASS_ANG, micrographs.items[0].pixel_size_ang, args.diameter_px
    )
    settings = ThumbnailSettings(BOX_FACTOR * args.diameter_px, BOX_PX, sigma)
    print(f"{len(micrographs)} micrographs, {settings}, seed {args.seed}")
    for n in args.n:
        places = draw_places(micrographs, args.picks, n, args.seed)
        picks = draw_columns(places, args.seed)
        print(f"\n{n:,} picks")
        time_sorting(picks)
        time_loader(places, settings, args.seed)
        time_grid(app, picks, places, settings, args.seed)
        if n <= PEER_MAX:
            time_list_view(app, places, settings, args.seed)
        else:
            print(f"{'QListView of icons':<34} not run: it lays out all {n:,} icons first")


def draw_places(micrographs: Micrographs, star: Path, n: int, seed: int) -> Places:
    picks, rng = read_picks(star), np.random.default_rng(seed)
    found, _ = micrographs.resolve_all(picks.table["micrograph"].unique())
    place = {m: i for i, m in enumerate(micrographs)}
    slices = picks.table["micrograph"].map({k: place[m] for k, m in found.items()})
    rows = np.sort(rng.integers(0, len(picks), n))
    jitter = rng.uniform(-MAX_JITTER_PX, MAX_JITTER_PX, (n, 2))
    codes = slices.fillna(-1).to_numpy(np.int32)[rows]
    by_micrograph = np.argsort(codes, kind="stable")
    coords = picks.coords_yx_px()[rows] + jitter
    return Places(micrographs.items, codes[by_micrograph], coords[by_micrograph])


def draw_columns(places: Places, seed: int) -> GalleryPicks:
    n, rng = len(places.slices), np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 0.01, rng.integers(1, 4, n), 0).astype(np.int8)
    names = [str(i) for i in range(int(places.slices.max()) + 1)]
    decision = Decision(
        rng.random(n, dtype=np.float32),
        rng.integers(2, 4, n).astype(np.int8),
        labels,
        np.maximum(places.slices, 0),
        names,
    )
    return GalleryPicks(
        labels,
        places.slices,
        decision,
        picker_score=rng.random(n, dtype=np.float32),
        features=rng.standard_normal((n, 64), dtype=np.float32).astype(np.float16),
    )


def time_sorting(picks: GalleryPicks) -> None:
    reference = np.array([7])
    for sort in Sort:
        report(f"sort: {sort}", [timed(lambda s=sort: display(picks, s, reference=reference))])
    report("filter: Kept", [timed(lambda: display(picks, Sort.SCORE_DOWN, Show.KEPT))])


def time_loader(places: Places, settings: ThumbnailSettings, seed: int) -> None:
    """Thumbnails a second, of picks in random order: a new micrograph nearly each time."""
    rows = np.random.default_rng(seed).choice(len(places.slices), 2000, replace=False)
    for n_threads in (1, 2):
        loader = ThumbnailLoader(n_threads=n_threads)
        loader.show(places, settings)
        start = time.perf_counter()
        loader.want(rows.tolist())
        while loader.busy:
            loader.take()
            time.sleep(0.001)
        rate = len(rows) / (time.perf_counter() - start)
        print(f"{f'thumbnails, {n_threads} thread(s)':<34} {rate:8.0f} /s")


def time_grid(
    app: Any, picks: GalleryPicks, places: Places, settings: ThumbnailSettings, seed: int
) -> None:
    grid = BoxGrid(
        ThumbnailLoader(), lambda rows: picks.looks(rows, DEFAULT_VOCABULARY), lambda _: ""
    )
    grid.loader.show(places, settings)
    grid.resize(*WINDOW)
    grid.show()
    arranged = display(picks, Sort.SCORE_DOWN)
    report("gallery: show", [timed(lambda: (grid.set_display(arranged), app.processEvents()))])
    bar = grid.verticalScrollBar()
    scroll(app, bar, "gallery: scroll step")
    rng, waits = np.random.default_rng(seed), []
    for place in rng.integers(0, max(1, bar.maximum()), N_JUMPS):
        start = time.perf_counter()
        bar.setValue(int(place))
        grid.ask()
        while any(grid.loader.get(int(r)) is None for r in seen(grid)):
            app.processEvents()
        app.processEvents()
        waits.append(time.perf_counter() - start)
    report("gallery: jump until all boxes", waits)
    selection, times = Selection.none(len(picks)), []
    for row in seen(grid)[:20]:
        selection = selection.toggled(int(row))
        chosen = selection
        times.append(timed(lambda c=chosen: (grid.set_selection(c), app.processEvents())))
    report("gallery: click until seen", times)
    grid.close()
    grid.loader.close()


def seen(grid: BoxGrid) -> Any:
    return grid.display.rows[grid.seen.start : grid.seen.stop]


class Icons(QAbstractListModel):
    """One icon a pick, cut when it is asked for."""

    def __init__(self, places: Places, settings: ThumbnailSettings) -> None:
        super().__init__()
        self._places, self._settings = places, settings
        self._open = OpenMicrographs(places.micrographs)
        self._icons: dict[int, QIcon] = {}

    def rowCount(self, _parent: Any = None) -> int:  # noqa: D102 (Qt's)
        return len(self._places.slices)

    def data(self, index: Any, role: int = 0) -> Any:  # noqa: D102 (Qt's)
        if role != Qt.ItemDataRole.DecorationRole:
            return None
        row = index.row()
        if row not in self._icons:
            (box,) = load([row], self._places, self._settings, self._open)
            pixels = np.zeros((BOX_PX, BOX_PX), np.uint8) if box.pixels is None else box.pixels
            image = QImage(
                pixels.data, BOX_PX, BOX_PX, BOX_PX, QImage.Format.Format_Grayscale8
            )
            self._icons[row] = QIcon(QPixmap.fromImage(image))
        return self._icons[row]


def time_list_view(app: Any, places: Places, settings: ThumbnailSettings, seed: int) -> None:
    view, model = QListView(), Icons(places, settings)
    view.setViewMode(QListView.ViewMode.IconMode)
    view.setUniformItemSizes(True)
    view.setIconSize(QSize(BOX_PX, BOX_PX))
    view.setGridSize(QSize(BOX_PX + 14, BOX_PX + 14))
    view.setMovement(QListView.Movement.Static)
    view.setResizeMode(QListView.ResizeMode.Adjust)
    view.resize(*WINDOW)
    view.show()
    report(
        "QListView of icons: show",
        [timed(lambda: (view.setModel(model), view.doItemsLayout(), app.processEvents()))],
    )
    bar = view.verticalScrollBar()
    scroll(app, bar, "QListView of icons: scroll step")
    rng, waits = np.random.default_rng(seed), []
    for place in rng.integers(0, max(1, bar.maximum()), N_JUMPS):
        waits.append(timed(lambda p=place: (bar.setValue(int(p)), app.processEvents())))
    report("QListView of icons: jump", waits)
    view.close()


def scroll(app: Any, bar: Any, name: str) -> None:
    """Scroll by a third of a box a step, as a wheel does: into boxes that are not there yet."""
    bar.setValue(0)
    app.processEvents()
    times = []
    for i in range(N_STEPS):
        times.append(timed(lambda p=i: (bar.setValue(p * 37), app.processEvents())))
    report(name, times)


def timed(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def report(name: str, seconds: list[float]) -> None:
    middle, late = np.median(seconds) * 1e3, np.percentile(seconds, 95) * 1e3
    more = f"  ({late:.1f})" if len(seconds) > 1 else ""
    print(f"{name:<34} {middle:8.1f} ms{more}")


if __name__ == "__main__":
    main()
