"""Draw docs/images/simulation.jpg: a simulated micrograph, its picks, spectrum and boxes.

Run it from the repository: ``python docs/scripts/figure_simulation.py``. Needs matplotlib.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.ndimage import gaussian_filter

from napari_pickeroptimizer.simulate import SimulationSettings, simulate_micrograph
from napari_pickeroptimizer.simulate.ctf import ctf
from napari_pickeroptimizer.simulate.project import micrograph_rng

mpl.use("Agg")
from typing import TYPE_CHECKING

from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.settings import ShapeName

OUTPUT = Path(__file__).parents[1] / "images" / "simulation.jpg"
COLOURS = {1: "#35c46a", 2: "#e4572e", 3: "#3fa7f5"}
KINDS = ("particle", "carbon", "empty", "broken", "aggregate", "crystal", "drop")
N_BOXES = 7


def low_passed(image: np.ndarray, factor: int) -> np.ndarray:
    """Bin by `factor` after blurring, and clip the grey levels for display."""
    small = gaussian_filter(image, factor / 2)[::factor, ::factor]
    low, high = np.percentile(small, [0.4, 99.8])
    return np.clip((small - low) / (high - low), 0, 1)


def boxes_by_kind(micrographs, settings: SimulationSettings) -> dict[str, list[np.ndarray]]:
    """Cut boxes of 1.5 diameters around picks, standardised by their micrograph."""
    half = round(0.75 * settings.diameter_px)
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for simulated in micrographs:
        smooth = gaussian_filter(simulated.image, 3)
        level, spread = np.median(smooth), np.median(np.abs(smooth - np.median(smooth)))
        ny, nx = smooth.shape
        for kind, x, y in simulated.picks[["kind", "x", "y"]].itertuples(index=False):
            x, y = round(x), round(y)
            if half <= x < nx - half and half <= y < ny - half:
                box = smooth[y - half : y + half, x - half : x + half]
                found[kind].append((box - level) / spread)
    return found


def radial_power(image: np.ndarray, side: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Return spatial frequency (cycles/px) and the mean power in windows of `side` px."""
    window = np.hanning(side)[:, None] * np.hanning(side)
    powers = [
        np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2
        for y in range(0, image.shape[0] - side + 1, side // 2)
        for x in range(0, image.shape[1] - side + 1, side // 2)
        for tile in (image[y : y + side, x : x + side],)
    ]
    k = np.fft.fftfreq(side)
    ring = np.round(np.hypot(k[:, None], k) * side).astype(int)
    # the median over windows: crystals lie in few of them
    power = np.median(powers, axis=0)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    return np.arange(side // 2) / side, mean[: side // 2]


def main() -> None:
    settings = SimulationSettings()
    micrographs = [simulate_micrograph(settings, micrograph_rng(0, i)) for i in range(4)]
    shapes: tuple[ShapeName, ...] = ("lobes", "barrel", "ring", "y")

    figure = plt.figure(figsize=(13, 11.4), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.05)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.25, 1])
    plain, marked = top.subplots(1, 2)
    shown = micrographs[2]
    for axes in (plain, marked):
        axes.imshow(low_passed(shown.image, 2), cmap="gray", extent=(0, 2048, 1920, 0))
        axes.set_axis_off()
    plain.set_title("simulated micrograph (low-passed)")
    marked.set_title("its picks: particle (green), contaminant (red), carbon (blue)")
    for class_id, colour in COLOURS.items():
        chosen = shown.picks[shown.picks["class"] == class_id]
        marked.scatter(chosen["x"], chosen["y"], s=90, facecolors="none", edgecolors=colour)

    gallery, right = bottom.subfigures(1, 2, width_ratios=[1, 1.15])
    found = boxes_by_kind(micrographs, settings)
    grid = gallery.subplots(len(KINDS), N_BOXES)
    for row, kind in zip(grid, KINDS, strict=True):
        for axes in row:
            axes.set(xticks=[], yticks=[], frame_on=False)
        row[0].set_ylabel(kind, rotation=0, ha="right", va="center")
        for axes, box in zip(row, found[kind], strict=False):
            axes.imshow(box, cmap="gray", vmin=-6, vmax=4)
    gallery.suptitle("boxes of each kind of pick")

    above, below = right.subfigures(2, 1)
    for axes, shape in zip(above.subplots(1, 4), shapes, strict=True):
        clean = SimulationSettings(
            shape=shape, shape_px=(420, 420), n_particles=12, shot_noise=False, seed=1,
            solvent_noise=False, carbon=False, ice_crystals=False, ice_balls=False,
            aggregates=False, broken=False, ice_gradient=False,
        )  # fmt: skip
        axes.imshow(simulate_micrograph(clean, micrograph_rng(1, 0)).image, cmap="gray")
        axes.set_title(shape)
        axes.set_axis_off()
    above.suptitle("the four particles, without noise")

    axes = below.subplots()
    k, power = radial_power(shown.image)
    axes.semilogy(k / settings.pixel_size_ang, power / power[-30:].mean(), label="power")
    u, v, _ = shown.defocus_um
    contrast = ctf(
        k / settings.pixel_size_ang,
        defocus_ang=(u + v) / 2 * 1e4,
        voltage_kv=settings.voltage_kv,
        spherical_aberration_mm=settings.spherical_aberration_mm,
        amplitude_contrast=settings.amplitude_contrast,
    )
    axes.plot(k / settings.pixel_size_ang, 1 + contrast**2, lw=0.8, label="1 + CTF²")
    axes.set(xlim=(0, 0.15), ylim=(0.8, 60), xlabel="spatial frequency (1/Å)")
    axes.set_title("power spectrum, relative to its white floor")
    axes.legend()

    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUTPUT, dpi=100, pil_kwargs={"quality": 80})
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
