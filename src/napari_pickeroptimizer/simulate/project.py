"""A simulated project on disk: micrographs, picks, labels and truth in RELION's layout."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pandas as pd
import starfile
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.io.atomic import atomic_path, write_text_atomic
from napari_pickeroptimizer.simulate.settings import SimulationSettings
from napari_pickeroptimizer.simulate.simulate import project_model, simulate_micrograph
from napari_pickeroptimizer.staging import (
    SIMULATION_RECORD,
    check_inputs_stay,
    check_writable,
    earlier_files,
    locked,
    repair_if_needed,
    staged,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.scene import Scene
    from napari_pickeroptimizer.simulate.shapes import ParticleModel

PICKER_FOLDER = "AutoPick/simulated"
# What a project consists of, by the first part of the names.
PARTS = ("Micrographs", "AutoPick", "micrographs", "labels", "picks_truth", "truth")
# A user labels on a few micrographs; more are taken only where these lack a class.
LABELLED_MICROGRAPHS = 3


@dataclass(frozen=True)
class MicrographSimulated:
    """One micrograph and its picks are written."""

    name: str
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Share of the whole job that is done, 0 to 1."""
        return self.n_done / self.n_total


@dataclass(frozen=True)
class ProjectWritten:
    """The project is complete.

    Parameters
    ----------
    root : Path
        The project folder; names in the STAR files are relative to it.
    micrographs : Path
        ``micrographs.star``.
    autopick : Path
        List of the per-micrograph pick files.
    picks : Path
        The same picks in one table.
    labels : Path
        Hand labels of a few picks.
    picks_truth : Path
        All picks with their true class.
    truth : Path
        The whole particles in open ice, picked or not.
    n_picks, n_false, n_truth : int
        Picks, those of them that are no good particle, and whole particles in open ice.
    diameter_px : float
        Particle diameter in pixels.
    """

    root: Path
    micrographs: Path
    autopick: Path
    picks: Path
    labels: Path
    picks_truth: Path
    truth: Path
    n_picks: int
    n_false: int
    n_truth: int
    diameter_px: float

    @property
    def progress(self) -> float:
        """Share of the whole job that is done: 1."""
        return 1.0

    def moved_to(self, root: Path) -> ProjectWritten:
        """Return the same project in another folder."""
        places: dict[str, Any] = {
            name: root / path.relative_to(self.root)
            for name, path in vars(self).items()
            if isinstance(path, Path)
        }
        return replace(self, **places)


def micrograph_rng(seed: int, index: int) -> np.random.Generator:
    """Return the random stream of micrograph `index`, independent of their number."""
    return np.random.default_rng([seed, index])


def simulate_project(
    output: str | Path,
    settings: SimulationSettings | None = None,
    scene: Scene | None = None,
    *,
    overwrite: bool = False,
) -> Iterator[MicrographSimulated | ProjectWritten]:
    """Simulate a project and write it, one event a micrograph.

    The project appears whole or not at all. Closing the generator cancels.

    Parameters
    ----------
    output : str or Path
        The project folder; made where missing.
    settings : SimulationSettings, optional
        By default `SimulationSettings()`.
    scene : Scene, optional
        What lies on the micrographs beside the settings' contents.
    overwrite : bool
        Replace an earlier simulation in the same place, once this one is complete.

    Yields
    ------
    MicrographSimulated
        After each micrograph.
    ProjectWritten
        At the end.

    Raises
    ------
    StructureReadError
        The structure cannot be read.
    SettingsError
        The structure is too large for the micrographs; or the folder holds a simulation that may
        not be replaced, or files that would be and are of none.
    OutputError
        The folder cannot be written.
    """
    settings = settings or SimulationSettings()
    root = Path(output)
    check_writable(root)
    repair_if_needed(root)
    earlier = _earlier_files(root, overwrite)
    check_inputs_stay(
        earlier, [] if settings.structure is None else [Path(settings.structure)]
    )
    model = project_model(settings)
    settings = settings.for_model(model)
    # looked at again: another program may have finished since
    with locked(root), staged(root, _earlier_files(root, overwrite)) as folder:
        tables = yield from _simulated(folder, settings, model, scene)
        written = _write_tables(folder, settings, *tables)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        record = {"files": [path.relative_to(folder).as_posix() for path in files]}
        write_text_atomic(folder / SIMULATION_RECORD, json.dumps(record, indent=1) + "\n")
    yield written.moved_to(root)


def _earlier_files(root: Path, overwrite: bool) -> list[Path]:
    return earlier_files(root, overwrite, record=SIMULATION_RECORD, parts=PARTS)


def _simulated(
    root: Path, settings: SimulationSettings, model: ParticleModel, scene: Scene | None
) -> Generator[MicrographSimulated, None, tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """Write the micrographs and their picks; return the tables of micrographs, picks and truth."""
    rows: list[dict[str, object]] = []
    picks: list[pd.DataFrame] = []
    truth: list[pd.DataFrame] = []
    for index in range(settings.n_micrographs):
        name = f"Micrographs/simulated_{index + 1:04d}.mrc"
        rng = micrograph_rng(settings.seed, index)
        simulated = simulate_micrograph(settings, rng, model, scene)
        write_mrc(root / name, simulated.image, settings)
        _write_picks_of(root, name, simulated.picks)
        u, v, angle = simulated.defocus_um
        rows.append(
            {
                "rlnMicrographName": name,
                "rlnOpticsGroup": 1,
                "rlnDefocusU": u * 1e4,
                "rlnDefocusV": v * 1e4,
                "rlnDefocusAngle": angle,
            }
        )
        picks.append(simulated.picks.assign(micrograph=name))
        truth.append(simulated.truth.assign(micrograph=name))
        yield MicrographSimulated(name, index + 1, settings.n_micrographs)
    return pd.DataFrame(rows), pd.concat(picks), pd.concat(truth)


def write_mrc(path: Path, image: NDArray[np.float32], settings: SimulationSettings) -> None:
    """Write an image as MRC with its pixel size, atomically."""
    with atomic_path(path) as temporary, mrcfile.new(temporary, overwrite=True) as mrc:
        mrc.set_data(image.astype(settings.pixel_type))
        mrc.voxel_size = settings.pixel_size_ang
        # the creation time in the header's label would differ from run to run
        mrc.header.label[0] = b"simulated by napari-pickeroptimizer"


def draw_labels(
    picks: pd.DataFrame, n_per_class: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return simulated hand labels: `n_per_class` picks of each class.

    From the first three micrographs; where these lack a class, from as many as are needed.
    """
    names = list(dict.fromkeys(picks["micrograph"]))
    chosen = []
    for class_id in (PARTICLE, CONTAMINANT, CARBON):
        for n_micrographs in range(min(LABELLED_MICROGRAPHS, len(names)), len(names) + 1):
            pool = picks[
                picks["micrograph"].isin(names[:n_micrographs]) & (picks["class"] == class_id)
            ]
            if len(pool) >= n_per_class:
                break
        take = rng.permutation(len(pool))[:n_per_class]
        chosen.append(pool.iloc[np.sort(take)])
    return pd.concat(chosen)


def _write_tables(
    root: Path,
    settings: SimulationSettings,
    micrographs: pd.DataFrame,
    picks: pd.DataFrame,
    truth: pd.DataFrame,
) -> ProjectWritten:
    picks, truth = picks.reset_index(drop=True), truth.reset_index(drop=True)
    rng = np.random.default_rng(
        [settings.seed, settings.n_micrographs, settings.labels_per_class]
    )
    labels = draw_labels(picks, settings.labels_per_class, rng)
    folder = root / PICKER_FOLDER
    written = ProjectWritten(
        root=root,
        micrographs=root / "micrographs.star",
        autopick=folder / "autopick.star",
        picks=folder / "picks.star",
        labels=root / "labels.star",
        picks_truth=root / "picks_truth.star",
        truth=root / "truth.star",
        n_picks=len(picks),
        n_false=int((picks["class"] != PARTICLE).sum()),
        n_truth=len(truth),
        diameter_px=settings.diameter_px,
    )
    optics = pd.DataFrame(
        {
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnOpticsGroup": [1],
            "rlnMicrographOriginalPixelSize": [settings.pixel_size_ang],
            "rlnVoltage": [settings.voltage_kv],
            "rlnSphericalAberration": [settings.spherical_aberration_mm],
            "rlnAmplitudeContrast": [settings.amplitude_contrast],
            "rlnMicrographPixelSize": [settings.pixel_size_ang],
        }
    )
    for path, table in (
        (written.truth, truth.assign(**{"class": PARTICLE})),
        (written.picks_truth, picks),
        (written.labels, labels),
        (written.picks, picks.drop(columns="class")),
    ):
        _write_star(path, {"optics": optics, "particles": _table(table)})
    with_picks = [
        name for name in micrographs["rlnMicrographName"] if name in set(picks["micrograph"])
    ]
    listing = pd.DataFrame(
        {
            "rlnMicrographName": with_picks,
            "rlnMicrographCoordinates": [_pick_file(name) for name in with_picks],
        }
    )
    _write_star(written.autopick, {"coordinate_files": listing})
    _write_star(written.micrographs, {"optics": optics, "micrographs": micrographs})
    return written


def _pick_file(micrograph: str) -> str:
    return f"{PICKER_FOLDER}/{Path(micrograph).with_suffix('').as_posix()}_autopick.star"


def _write_picks_of(root: Path, micrograph: str, picks: pd.DataFrame) -> None:
    if picks.empty:
        return  # RELION leaves micrographs without picks out, it never writes an empty table
    table = pd.DataFrame(
        {
            "rlnCoordinateX": picks["x"],
            "rlnCoordinateY": picks["y"],
            "rlnClassNumber": 1,
            "rlnAutopickFigureOfMerit": picks["picker_score"],
            "rlnAnglePsi": 0.0,
        }
    )
    _write_star(root / _pick_file(micrograph), {"": table})


def _table(picks: pd.DataFrame) -> pd.DataFrame:
    """Return picks with RELION's column names."""
    columns = {
        "micrograph": "rlnMicrographName",
        "x": "rlnCoordinateX",
        "y": "rlnCoordinateY",
        "picker_score": "rlnAutopickFigureOfMerit",
        "class": "rlnParticleSelectionType",
    }
    named = picks.rename(columns=columns).filter(list(columns.values()))
    return named.assign(rlnOpticsGroup=1)


def _write_star(path: Path, blocks: dict[str, pd.DataFrame]) -> None:
    text = starfile.to_string(blocks, float_format="%.6f")
    # starfile's first line holds the time of writing; RELION's its version of the format
    text = "\n# version 30001\n" + text.split("\n", 1)[1]
    write_text_atomic(path, text)
