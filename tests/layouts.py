"""Small pick files as the programs of the field lay them out, with the same picks in each.

Written from the programs' documentation and source, not copied from files of others: the tests
against real files (`test_real_formats.py`) show that real ones are like that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MICROGRAPHS = ("m0", "m1", "m2")
BOX_PX = 40
MOTION = "MotionCorr/job002/Movies"


@dataclass(frozen=True)
class Layout:
    """One program's files.

    Parameters
    ----------
    path : Path
        What a user would open.
    files : tuple of Path
        The files with picks, in the order of the picks.
    has_scores : bool
        Whether the picker's scores are in them.
    """

    path: Path
    files: tuple[Path, ...]
    has_scores: bool = True


@dataclass(frozen=True)
class Places:
    """Picks of one micrograph: centres in pixels, and the picker's scores."""

    x: np.ndarray
    y: np.ndarray
    score: np.ndarray

    @property
    def rows(self) -> list[tuple[float, float, float]]:
        return list(zip(self.x.tolist(), self.y.tolist(), self.score.tolist(), strict=True))


def places() -> dict[str, Places]:
    """Return the picks that all layouts hold: 3, 4 and 5, on whole pixels, as boxes need it."""
    rng = np.random.default_rng(5)
    return {
        name: Places(
            rng.integers(50, 900, n).astype(float),
            rng.integers(50, 900, n).astype(float),
            np.round(rng.normal(0, 2, n), 6),
        )
        for n, name in enumerate(MICROGRAPHS, start=3)
    }


def _write(path: Path, text: str, newline: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", newline).encode())
    return path


def _loop(block: str, columns: str, rows: list[str], version: str = "") -> str:
    header = "".join(f"_rln{name} #{i} \n" for i, name in enumerate(columns.split(), start=1))
    note = f"\n# version {version}\n" if version else ""
    return (
        f"{note}\ndata_{block}\n\nloop_ \n{header}" + "".join(f"{r} \n" for r in rows) + " \n"
    )


def _optics(version: str) -> str:
    columns = "OpticsGroupName OpticsGroup MicrographPixelSize Voltage SphericalAberration"
    return _loop("optics", columns, ["opticsGroup1 1 1.770000 300.000000 2.700000"], version)


AUTOPICK = "CoordinateX CoordinateY AutopickFigureOfMerit ClassNumber AnglePsi"
MANUALPICK = "CoordinateX CoordinateY AutopickFigureOfMerit ParticleSelectionType AnglePsi"


def _autopick_files(job: Path, version: str, suffix: str = "autopick") -> tuple[Path, ...]:
    # as RELION 5 has it: each manual pick is of a class
    manual = version == "50001" and suffix == "manualpick"
    columns, end = (MANUALPICK, "1 -999.0") if manual else (AUTOPICK, "0 0.0")
    return tuple(
        _write(
            job / "Movies" / f"{name}_{suffix}.star",
            _loop("", columns, [f"{x:12.6f} {y:12.6f} {s:12.6f} {end}" for x, y, s in p.rows],
                  version),
        )
        for name, p in places().items()
    )  # fmt: skip


def _relion_tree(folder: Path, version: str, suffix: str, *, listed: bool) -> Layout:
    job = folder / ("AutoPick" if suffix == "autopick" else "ManualPick") / "job005"
    files = _autopick_files(job, version, suffix)
    if listed:
        rows = [
            f"{MOTION}/{name}.mrc {file.relative_to(folder).as_posix()}"
            for name, file in zip(MICROGRAPHS, files, strict=True)
        ]
        columns = "MicrographName MicrographCoordinates"
        return Layout(
            _write(job / f"{suffix}.star", _loop("coordinate_files", columns, rows, version)),
            files,
        )
    names = [f"{MOTION}/{name}.mrc" for name in MICROGRAPHS]
    _write(folder / "micrographs_ctf.star", _loop("micrographs", "MicrographName", names))
    listing = _write(job / f"coords_suffix_{suffix}.star", "micrographs_ctf.star\n")
    return Layout(listing, files)


def relion_30_autopick(folder: Path) -> Layout:
    return _relion_tree(folder, "", "autopick", listed=False)


def relion_30_manualpick(folder: Path) -> Layout:
    return _relion_tree(folder, "", "manualpick", listed=False)


def relion_31_autopick(folder: Path) -> Layout:
    return _relion_tree(folder, "30001", "autopick", listed=False)


def relion_31_manualpick(folder: Path) -> Layout:
    return _relion_tree(folder, "30001", "manualpick", listed=False)


def relion_4_autopick(folder: Path) -> Layout:
    return _relion_tree(folder, "30001", "autopick", listed=True)


def relion_5_autopick(folder: Path) -> Layout:
    return _relion_tree(folder, "50001", "autopick", listed=True)


def relion_4_manualpick(folder: Path) -> Layout:
    return _relion_tree(folder, "30001", "manualpick", listed=True)


def relion_5_manualpick(folder: Path) -> Layout:
    return _relion_tree(folder, "50001", "manualpick", listed=True)


def _particles(folder: Path, version: str, prefix: str, *, optics: bool) -> Layout:
    columns = "ImageName MicrographName CoordinateX CoordinateY AutopickFigureOfMerit"
    rows = [
        f"{i:06d}@Extract/job007/{name}.mrcs {prefix}{name}.mrc {x:.6f} {y:.6f} {s:.6f}"
        + " 1" * optics
        for name, p in places().items()
        for i, (x, y, s) in enumerate(p.rows, start=1)
    ]
    if not optics:
        text = _loop("", columns, rows, version)
    else:
        text = _optics(version) + "\n" + _loop(
            "particles", f"{columns} OpticsGroup", rows, version
        )  # fmt: skip
    file = _write(folder / "Extract" / "job007" / "particles.star", text)
    return Layout(file, (file,))


def relion_30_particles(folder: Path) -> Layout:
    return _particles(folder, "", f"{MOTION}/", optics=False)


def relion_31_particles(folder: Path) -> Layout:
    return _particles(folder, "30001", f"{MOTION}/", optics=True)


def relion_5_particles(folder: Path) -> Layout:
    return _particles(folder, "50001", f"{MOTION}/", optics=True)


def relion_select_of_classes(folder: Path) -> Layout:
    """Write what Select makes of a 2D classification: the job's folder, with averages beside."""
    job = folder / "Select" / "job009"
    columns = "ImageName MicrographName CoordinateX CoordinateY AutopickFigureOfMerit"
    rows = [
        f"{i:06d}@Extract/job007/Movies/{name}.mrcs {MOTION}/{name}.mrc {x:.6f} {y:.6f} {s:.6f} 1 "
        f"{1 + i % 3} 0.9 -12.5 3.25"
        for name, p in places().items()
        for i, (x, y, s) in enumerate(p.rows, start=1)
    ]
    more = "OpticsGroup ClassNumber MaxValueProbDistribution AnglePsi OriginXAngst"
    text = _optics("30001") + "\n" + _loop("particles", f"{columns} {more}", rows, "30001")
    file = _write(job / "particles.star", text)
    averages = ["000001@Class2D/job008/run_it025_classes.mrcs 0.5 12.25"]
    labels = "ReferenceImage ClassDistribution EstimatedResolution"
    _write(job / "class_averages.star", _loop("", labels, averages, "30001"))
    _write(job / "job.star", "data_job\n\n_rlnJobTypeLabel relion.select.interactive\n")
    return Layout(file, (file,))


def warp_matching(folder: Path) -> Layout:
    """Write what Warp's BoxNet leaves of each movie: names without folders, tabs."""
    labels = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit"
    files = tuple(
        _write(
            folder / "matching" / f"{name}_BoxNet2_20180602.star",
            _loop("", labels, [f"{x:.2f}\t{y:.2f}\t{name}.mrc\t{s}" for x, y, s in p.rows]),
        )
        for name, p in places().items()
    )
    return Layout(files[0].parent, files)


def warp_goodparticles(folder: Path) -> Layout:
    """Write Warp's table of all exported particles, with what RELION 3.0 needs."""
    columns = (
        "CoordinateX CoordinateY MicrographName Magnification DetectorPixelSize ImageName"
    )
    rows = [
        f"{x:.2f} {y:.2f} {name}.mrc 10000.0 1.77 {i:07d}@particles/{name}_BoxNet2.mrcs {s}"
        for name, p in places().items()
        for i, (x, y, s) in enumerate(p.rows, start=1)
    ]
    text = _loop("", f"{columns} AutopickFigureOfMerit", rows)
    file = _write(folder / "goodparticles_BoxNet2_20180602.star", text)
    return Layout(file, (file,))


def cryoppp_csv(folder: Path) -> Layout:
    """Write CryoPPP's expert labels: a CSV a micrograph, with the diameter in pixels."""
    files = tuple(
        _write(
            folder / "particle_coordinates" / f"{name}.csv",
            "X-Coordinate,Y-Coordinate,Diameter\n"
            + "".join(f"{x:.0f},{y:.0f},108\n" for x, y, _ in p.rows),
        )
        for name, p in places().items()
    )
    return Layout(files[0].parent, files, has_scores=False)


def cryosparc_exported(folder: Path) -> Layout:
    """Write what pyem's csparc2star makes of a job: names with cryoSPARC's number in front."""
    return _particles(folder, "30001", "J12/imported/000123456789012345678_", optics=True)


def eman_boxes(folder: Path) -> Layout:
    """Write boxes by their corners, as EMAN and crYOLO do."""
    half = BOX_PX // 2
    files = tuple(
        _write(
            folder / "boxes" / f"{name}.box",
            "".join(f"{x - half:.0f}\t{y - half:.0f}\t{BOX_PX}\t{BOX_PX}\n" for x, y, _ in p.rows),
        )
        for name, p in places().items()
    )  # fmt: skip
    return Layout(files[0].parent, files, has_scores=False)


def boxmanager_centres(folder: Path) -> Layout:
    """Write boxes of no size, as napari-boxmanager does: the corner is the centre."""
    files = tuple(
        _write(
            folder / "boxes" / f"{n}.box", "".join(f"{x}\t{y}\t0\t0\n" for x, y, _ in p.rows)
        )
        for n, p in places().items()
    )
    return Layout(files[0].parent, files, has_scores=False)


def topaz_boxes(folder: Path) -> Layout:
    """Write boxes as ``topaz convert`` does, the score in a fifth column."""
    half = BOX_PX // 2
    files = tuple(
        _write(
            folder / "topaz" / f"{name}.box",
            "".join(
                f"{x - half:.0f}\t{y - half:.0f}\t{BOX_PX}\t{BOX_PX}\t{s}\n"
                for x, y, s in p.rows
            ),
        )
        for name, p in places().items()
    )
    return Layout(files[0].parent, files)


def topaz_star(folder: Path) -> Layout:
    columns = "MicrographName CoordinateX CoordinateY AutopickFigureOfMerit"
    rows = [
        f"{name}.mrc\t{x:.0f}\t{y:.0f}\t{s}"
        for name, p in places().items()
        for x, y, s in p.rows
    ]
    header = "".join(f"_rln{c} #{i}\n" for i, c in enumerate(columns.split(), start=1))
    file = _write(
        folder / "topaz.star", "data_images\n\nloop_\n" + header + "\n".join(rows) + "\n"
    )
    return Layout(file, (file,))


def topaz_csv(folder: Path) -> Layout:
    rows = [
        f"{name},{x:.0f},{y:.0f},{s}" for name, p in places().items() for x, y, s in p.rows
    ]
    file = _write(
        folder / "picks.csv", "\n".join(["image_name,x_coord,y_coord,score", *rows, ""])
    )
    return Layout(file, (file,))


def cryolo_stars(folder: Path) -> Layout:
    """Write one STAR a micrograph as crYOLO does on Windows: CR LF, spaces at line ends."""
    files = tuple(
        _write(
            folder / "STAR" / f"{name}.star",
            _loop("", "CoordinateX CoordinateY ClassNumber AnglePsi AutopickFigureOfMerit",
                  [f"{x} {y} -9999 -9999.000000 {s}" for x, y, s in p.rows]),
            newline="\r\n",
        )
        for name, p in places().items()
    )  # fmt: skip
    return Layout(files[0].parent, files)


LAYOUTS: tuple[Callable[[Path], Layout], ...] = (
    relion_30_autopick,
    relion_30_manualpick,
    relion_31_autopick,
    relion_31_manualpick,
    relion_4_autopick,
    relion_4_manualpick,
    relion_5_autopick,
    relion_5_manualpick,
    relion_30_particles,
    relion_31_particles,
    relion_5_particles,
    relion_select_of_classes,
    warp_matching,
    warp_goodparticles,
    cryoppp_csv,
    cryosparc_exported,
    eman_boxes,
    boxmanager_centres,
    topaz_boxes,
    topaz_star,
    topaz_csv,
    cryolo_stars,
)


def not_picks(folder: Path) -> dict[str, tuple[Path, str]]:
    """Write files that are no picks of micrographs; return them with words of their refusal."""
    tomogram = "TomoName CoordinateX CoordinateY CoordinateZ"
    return {
        "tomogram": (
            _write(
                folder / "tomo.star", _loop("particles", tomogram, ["TS_01 1 2 3"], "50001")
            ),
            "of a tomogram",
        ),
        "job": (
            _write(folder / "job.star", "data_job\n\n_rlnJobTypeLabel relion.autopick\n"),
            "job.star",
        ),
        "particles without coordinates": (
            _write(folder / "toy.star", _loop("", "ImageName DefocusU", ["1@a.mrcs 1e4"])),
            "toy.star",
        ),
        "words in a box": (_write(folder / "words.box", "10 20 ten 40\n"), "words.box"),
        "columns of a box": (_write(folder / "ragged.box", "1 2 8 8\n1 2 8\n"), "ragged.box"),
        "empty box": (_write(folder / "empty.box", ""), "is an empty file"),
        "link that became a text": (_write(folder / "link.box", "../other.box"), "link.box"),
        "crYOLO's own without its boxes": (
            _write(folder / "a.cbox", "data_global\n\n_cbox_format_version 1.0\n"),
            "no table has the columns CoordinateX",
        ),
        "cryoSPARC's own, damaged": (
            _write(folder / "a.cs", "\x93NUMPY"),
            "is no table of cryoSPARC",
        ),
    }
