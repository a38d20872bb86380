"""Categories of boxes for pretraining, cut at the picks and regions of a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.boxes import cut_windows, resampled_micrographs
from napari_pickeroptimizer.classes import class_name
from napari_pickeroptimizer.errors import (
    BoxOutsideError,
    BoxSetError,
    LabelError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.fewshot.events import MicrographSkipped
from napari_pickeroptimizer.pretrain.regions import CARBON, ICE, Regions, within
from napari_pickeroptimizer.pretrain.write import BOX_FACTOR, BOX_PX, WINDOW_SIDE, WindowWriter
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    group_by_micrograph,
)
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

REGION_CATEGORIES = {CARBON: "carbon", ICE: "contaminant_ice"}
NO_ROWS = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class CollectSettings:
    """Name and size of the boxes of a project.

    Parameters
    ----------
    entry : str
        Name of the data set, such as its EMPIAR number.
    diameter_px, diameter_ang : float, optional
        Particle diameter in micrograph pixels or in Å; one of them is needed.
    category : str, optional
        Category of all picks; by default that of their labels.
    border_px : float
        Picks nearer than this to an edge of the micrograph are not used.
    n_per_region_kind : int
        Where fewer picks lie on carbon, or on ice, random points make up to so many.
    overwrite : bool
        Replace stacks of an earlier run.
    seed : int
        Seed of the random points.
    """

    entry: str
    diameter_px: float | None = None
    diameter_ang: float | None = None
    category: str | None = None
    border_px: float = setting(0.0, least=0)
    n_per_region_kind: int = setting(200, least=0)
    overwrite: bool = False
    seed: int = setting(0, least=0)

    def __post_init__(self) -> None:
        _ = self.boxes  # checks the diameter
        for name in ("entry", "category"):
            value = getattr(self, name)
            if value is not None and (not value.strip(". ") or set(value) & set('/\\:*?"<>|')):
                raise SettingsError(f"{name} becomes a file name, which {value!r} cannot be.")
        check_ranges(self)

    @property
    def boxes(self) -> BoxSettings:
        """Diameter and box size."""
        return BoxSettings(self.diameter_px, self.diameter_ang, BOX_FACTOR, BOX_PX)


@dataclass(frozen=True)
class MicrographCollected:
    """The boxes of one micrograph were written."""

    micrograph: str
    n_boxes: int
    progress: float


@dataclass(frozen=True)
class Collected:
    """The last event: number of boxes by category, and their files."""

    counts: dict[str, int]
    paths: tuple[Path, ...]
    progress: float = 1.0


CollectEvent = MicrographCollected | MicrographSkipped | Collected


@dataclass
class _Plan:
    """What to cut from one micrograph: picks with their categories, and points in regions."""

    micrograph: Micrograph
    xy_px: NDArray[np.float64]
    categories: NDArray[np.str_]
    regions: Regions
    n_random: dict[str, int] = field(default_factory=dict)  # points by kind of region


def collect(
    micrographs: Micrographs,
    picks: Picks | None,
    regions: dict[str, Regions] | None,
    settings: CollectSettings,
    output: str | Path,
) -> Iterator[CollectEvent]:
    """Write ``OUTPUT/<category>_<entry>/<entry>.mrcs`` for each category.

    A pick in a carbon region goes to ``carbon_<entry>``, one in an ice region to
    ``contaminant_ice_<entry>``, whatever its label; any other by its label to
    ``particle_<entry>``, ``contaminant_<entry>`` or ``carbon_<entry>``, or to
    ``<settings.category>_<entry>``. Unlabelled picks outside regions are not used.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks, optional
        Picks with labels, or all of `settings.category`.
    regions : dict of Regions, optional
        By name of the micrograph, see `read_regions`.
    settings : CollectSettings
        Entry, diameter, ...
    output : str or Path
        Folder of the categories.

    Yields
    ------
    MicrographCollected, MicrographSkipped
        As they happen. The files appear after the last one.
    Collected
        Last.

    Raises
    ------
    BoxSetError
        A stack exists already, or the input gave no box.
    LabelError
        No pick has a label and none lies in a region.
    MicrographNotFoundError, BoxOutsideError
        The micrograph of a pick or region is missing, or a pick lies outside it.
    """
    plans = _plans(micrographs, picks, regions or {}, settings)
    _add_random_points(plans, settings)
    paths = _checked_paths(plans, settings, Path(output))
    rng = np.random.default_rng(settings.seed)
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        writers = {c: stack.enter_context(WindowWriter(p)) for c, p in paths.items()}
        to_read = [MicrographRows(p.micrograph.name, p.micrograph, NO_ROWS) for p in plans]
        for event in resampled_micrographs(to_read, settings.boxes):
            i, name, progress = event.n_done - 1, event.group.name, event.progress
            if isinstance(event, MicrographFailed):
                yield MicrographSkipped(name, event.reason, progress)
                continue
            working = event.image
            found = _centres(plans[i], working.shape_px, settings, rng)
            for category, xy_px in found.items():
                try:
                    windows = cut_windows(working, xy_px[:, ::-1], WINDOW_SIDE)
                except BoxOutsideError as error:
                    raise BoxOutsideError(f"picks on {name}: {error}") from error
                writers[category].append(windows.pixels)
                counts[category] += len(xy_px)
            yield MicrographCollected(name, sum(len(xy) for xy in found.values()), progress)
        if not counts.total():
            raise BoxSetError(
                "no box was cut: no readable micrograph, or all picks within the border."
            )
    kept = {c: n for c, n in sorted(counts.items()) if n}
    yield Collected(
        {paths[c].parent.name: n for c, n in kept.items()}, tuple(paths[c] for c in kept)
    )


def _plans(
    micrographs: Micrographs,
    picks: Picks | None,
    regions: dict[str, Regions],
    settings: CollectSettings,
) -> list[_Plan]:
    """Return what to cut from each micrograph, in the order of the picks."""
    groups = [] if picks is None else group_by_micrograph(micrographs, picks)
    found, missing = micrographs.resolve_all(regions)
    # regions may have been drawn on more micrographs than are used here
    lost = [group.reason for group in groups if group.micrograph is None]
    if lost or not (groups or found):
        n, what = (len(lost), "picks") if lost else (len(missing), "regions")
        raise MicrographNotFoundError(
            f"{n} micrographs of the {what} are missing; "
            + next(iter(lost or missing.values()), "neither picks nor regions were given.")
        )
    drawn = {m: regions[name] for name, m in found.items()}
    rows_of = {g.micrograph: g.rows for g in groups if g.micrograph is not None}
    all_xy_px, names = np.zeros((0, 2)), np.zeros(0, dtype="U200")
    if picks is not None:
        all_xy_px = picks.coords_yx_px()[:, ::-1]
        names = _categories(picks.labels, settings.category)
    plans = []
    for micrograph in dict.fromkeys([*rows_of, *drawn]):
        rows = rows_of.get(micrograph, NO_ROWS)
        of_micrograph = drawn.get(micrograph, Regions())
        xy_px, categories = all_xy_px[rows], names[rows]
        kinds = of_micrograph.kinds_at(xy_px)
        for kind, category in REGION_CATEGORIES.items():
            categories[kinds == kind] = category
        used = categories != ""
        if used.any() or of_micrograph != Regions():
            plans.append(_Plan(micrograph, xy_px[used], categories[used], of_micrograph))
    if not plans:
        raise LabelError(
            "no pick is labelled: give labels as a column rlnParticleSelectionType (1 particle, "
            "2 contaminant, 3 carbon), or the class of all of them (--category particle)."
        )
    return plans


def _categories(labels: NDArray[np.int8], category: str | None) -> NDArray[np.str_]:
    if category is not None:
        return np.full(len(labels), category, dtype="U200")
    named = [class_name(int(label)).replace(" ", "-") if label else "" for label in labels]
    return np.array(named, dtype="U200")


def _add_random_points(plans: list[_Plan], settings: CollectSettings) -> None:
    """Give each plan its number of random points by kind of region, by available area."""
    for kind, category in REGION_CATEGORIES.items():
        n_picks = sum(int((p.categories == category).sum()) for p in plans)
        wanted = max(0, settings.n_per_region_kind - n_picks)
        rooms = [
            p.regions.room(kind, settings.boxes.diameter_in(p.micrograph.pixel_size_ang) / 2)
            for p in plans
        ]
        for plan, room in zip(plans, rooms, strict=True):
            if wanted and room:
                plan.n_random[kind] = min(room, round(wanted * room / sum(rooms)) or 1)


def _checked_paths(
    plans: list[_Plan], settings: CollectSettings, output: Path
) -> dict[str, Path]:
    """Return the file of each category that may get boxes."""
    names = {str(c) for plan in plans for c in plan.categories}
    names |= {REGION_CATEGORIES[kind] for plan in plans for kind in plan.n_random}
    entry = settings.entry
    paths = {c: output / f"{c}_{entry}" / f"{entry}.mrcs" for c in sorted(names)}
    there = [str(p) for p in paths.values() if p.exists()]
    if there and not settings.overwrite:
        raise BoxSetError(
            f"entry {entry!r} is already there ({', '.join(there)}): give another --entry, or "
            "--overwrite."
        )
    return paths


def _centres(
    plan: _Plan,
    shape_px: tuple[int, ...],
    settings: CollectSettings,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Return (x, y) of all boxes of a micrograph by category."""
    inner = (
        within(plan.xy_px, shape_px, settings.border_px)
        if settings.border_px
        else np.ones(len(plan.xy_px), dtype=bool)  # picks outside are reported, not dropped
    )
    found = {
        str(c): plan.xy_px[inner & (plan.categories == c)] for c in np.unique(plan.categories)
    }
    for kind, n in plan.n_random.items():
        points = plan.regions.random_points(kind, n, shape_px, settings.border_px, rng)
        category = REGION_CATEGORIES[kind]
        found[category] = np.concatenate([found.get(category, np.zeros((0, 2))), points])
    return {c: xy for c, xy in found.items() if len(xy)}
