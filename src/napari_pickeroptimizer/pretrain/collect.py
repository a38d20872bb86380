"""Categories of boxes for pretraining, cut at the picks and regions of a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import BoxSettings, cut_windows, working_image
from napari_pickeroptimizer.classes import UNLABELLED, class_name
from napari_pickeroptimizer.errors import (
    BoxOutsideError,
    BoxSetError,
    LabelError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.fewshot.events import MicrographSkipped
from napari_pickeroptimizer.pretrain.regions import CARBON, ICE, KINDS, Regions, within
from napari_pickeroptimizer.pretrain.write import BOX_FACTOR, BOX_PX, WINDOW_SIDE, WindowWriter
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    group_by_micrograph,
    read_micrographs,
)
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

REGION_CATEGORIES = {CARBON: "carbon", ICE: "contaminant_ice"}


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
    """What to cut from one micrograph: (x, y) of picks by category, and regions."""

    micrograph: Micrograph
    xy_px: NDArray[np.float64]
    categories: NDArray[np.str_]
    regions: Regions


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
    missing = _missing_points(plans, settings)
    paths = _checked_paths(plans, missing, settings, Path(output))
    rng = np.random.default_rng(settings.seed)
    counts: Counter[str] = Counter()
    none = np.array([], dtype=np.intp)
    with ExitStack() as stack:
        writers = {c: stack.enter_context(WindowWriter(p)) for c, p in paths.items()}
        to_read = [MicrographRows(p.micrograph.name, p.micrograph, none) for p in plans]
        for event in read_micrographs(to_read):
            i, name, progress = event.n_done - 1, event.group.name, event.progress
            if isinstance(event, MicrographFailed):
                yield MicrographSkipped(name, event.reason, progress)
                continue
            found = _centres(plans[i], missing.get(i, {}), event.image.shape, settings, rng)
            pixel_size_ang = plans[i].micrograph.pixel_size_ang
            working = working_image(event.image, settings.boxes, pixel_size_ang)
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
    drawn = {micrographs.first_of_file(m): regions[name] for name, m in found.items()}
    rows_of = {g.micrograph: g.rows for g in groups if g.micrograph is not None}
    plans = []
    for micrograph in dict.fromkeys([*rows_of, *drawn]):
        rows = rows_of.get(micrograph, np.array([], dtype=np.intp))
        of_micrograph = drawn.get(micrograph, Regions())
        xy_px = np.zeros((0, 2))
        categories = np.array([], dtype=np.str_)
        if picks is not None and len(rows):
            xy_px = picks.coords_yx_px()[rows][:, ::-1]
            categories = _categories(picks.labels[rows], settings.category)
            kinds = of_micrograph.kinds_at(xy_px)
            for kind, category in REGION_CATEGORIES.items():
                categories[kinds == kind] = category
        used = categories != ""
        plans.append(_Plan(micrograph, xy_px[used], categories[used], of_micrograph))
    if not any(len(p.xy_px) or p.regions != Regions() for p in plans):
        raise LabelError(
            "no pick is labelled: give labels as a column rlnParticleSelectionType (1 particle, "
            "2 contaminant, 3 carbon), or the class of all of them (--category particle)."
        )
    return [p for p in plans if len(p.xy_px) or p.regions != Regions()]


def _categories(labels: NDArray[np.int8], category: str | None) -> NDArray[np.str_]:
    if category is not None:
        return np.full(len(labels), category, dtype="U200")
    names = [
        "" if label == UNLABELLED else class_name(int(label)).replace(" ", "-")
        for label in labels
    ]
    return np.array(names, dtype="U200")


def _missing_points(
    plans: list[_Plan], settings: CollectSettings
) -> dict[int, dict[str, int]]:
    """Return the number of random points of each plan by kind of region, by available area."""
    missing: dict[int, dict[str, int]] = {}
    for kind in KINDS:
        n_picks = sum(int((p.categories == REGION_CATEGORIES[kind]).sum()) for p in plans)
        wanted = max(0, settings.n_per_region_kind - n_picks)
        rooms = [
            p.regions.room(kind, settings.boxes.diameter_in(p.micrograph.pixel_size_ang) / 2)
            for p in plans
        ]
        for i, room in enumerate(rooms):
            if wanted and room:
                n = min(room, round(wanted * room / sum(rooms)) or 1)
                missing.setdefault(i, {})[kind] = n
    return missing


def _checked_paths(
    plans: list[_Plan],
    missing: dict[int, dict[str, int]],
    settings: CollectSettings,
    output: Path,
) -> dict[str, Path]:
    """Return the file of each category that may get boxes."""
    names = {str(c) for plan in plans for c in plan.categories}
    names |= {REGION_CATEGORIES[kind] for kinds in missing.values() for kind in kinds}
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
    missing: dict[str, int],
    shape_px: tuple[int, ...],
    settings: CollectSettings,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Return (x, y) of all boxes of a micrograph by category."""
    shape = (int(shape_px[0]), int(shape_px[1]))
    inner = (
        within(plan.xy_px, shape, settings.border_px)
        if settings.border_px
        else np.ones(len(plan.xy_px), dtype=bool)  # picks outside are reported, not dropped
    )
    found = {
        str(c): plan.xy_px[inner & (plan.categories == c)] for c in np.unique(plan.categories)
    }
    for kind, n in missing.items():
        points = plan.regions.random_points(kind, n, shape, settings.border_px, rng)
        category = REGION_CATEGORIES[kind]
        found[category] = np.concatenate([found.get(category, np.zeros((0, 2))), points])
    return {c: xy for c, xy in found.items() if len(xy)}
