"""Draw docs/images/simulation_reality.jpg: simulated micrographs measured beside real ones.

Run it from the repository with the folder of the real micrographs::

    PICKEROPTIMIZER_DATA=DIR python docs/scripts/figure_simulation_reality.py [BESIDE.png]

The figure holds curves of the real ones and pictures of simulated ones only. BESIDE.png, where
given, shows both kinds of pictures side by side, to look at; it is not for the repository.
Needs matplotlib.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from napari_pickeroptimizer.pretrain.harder_scenes import (
    HARDER,
    HARDER_DEFOCUS_SPREAD_ANG,
    HarderScenes,
)
from napari_pickeroptimizer.simulate import (
    SimulationSettings,
    project_model,
    simulate_micrograph,
)
from napari_pickeroptimizer.simulate.project import micrograph_rng

mpl.use("Agg")
from matplotlib import pyplot as plt

OUTPUT = Path(__file__).parents[1] / "images" / "simulation_reality.jpg"
# Boxes of 48 pixels are 1.5 particle diameters: of 191 Å, 6 Å a pixel.
PIXEL_ANG, DIAMETER_ANG, BORDER_PX = 5.97, 191.0, 30
N_SIMULATED = 4
# In e/Å²: an early detector on EMPIAR-10017's side makes little of its electrons.
DENOISED_DOSE = 8.0
RENDERED = "simulated, low-passed and flattened"


def read_at_working_resolution(path: Path, factor: float) -> np.ndarray:
    picture = Image.open(path).convert("F")
    size = (round(picture.width / factor), round(picture.height / factor))
    small = np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float32)
    return small[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]


def standardised(image: np.ndarray) -> np.ndarray:
    level = np.median(image)
    return (image - level) / (1.4826 * np.median(np.abs(image - level)))


def spectrum(image: np.ndarray, side: int = 128) -> np.ndarray:
    """Return the rotational mean power of `side` px windows, the median over windows."""
    window = np.hanning(side)[:, None] * np.hanning(side)
    powers = []
    for y in range(0, image.shape[0] - side + 1, side // 2):
        for x in range(0, image.shape[1] - side + 1, side // 2):
            tile = image[y : y + side, x : x + side]
            powers.append(np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2)
    k = np.fft.fftfreq(side)
    ring = np.round(np.hypot(k[:, None], k) * side).astype(int).ravel()
    power = np.median(powers, axis=0).ravel()
    return (np.bincount(ring, power) / np.bincount(ring))[1 : side // 2]


def simulated(scene: HarderScenes | None = None, **changes) -> list[np.ndarray]:
    settings = SimulationSettings(
        **{
            "shape_px": (1150, 1150), "pixel_size_ang": PIXEL_ANG, "n_particles": 450,
            "diameter_ang": DIAMETER_ANG, "dose_e_per_ang2": 25.0, "seed": 11, **changes,
        }
    )  # fmt: skip
    model = project_model(settings)
    return [
        simulate_micrograph(settings, micrograph_rng(settings.seed, i), model, scene).image
        for i in range(N_SIMULATED)
    ]


def main() -> None:
    root = Path(os.environ.get("PICKEROPTIMIZER_DATA", "../shared/data"))
    empiar = sorted((root / "empiar10017/micrographs").glob("*.jpg"))
    great = sorted((root / "micassess/0Great").glob("*.png"))
    crystalline = sorted((root / "micassess/4Crystalline_ice").glob("*.png"))
    if not empiar:
        sys.exit(f"No real micrographs in {root}: set PICKEROPTIMIZER_DATA.")
    spread = {"defocus_spread_ang": HARDER_DEFOCUS_SPREAD_ANG}
    sets = {
        "simulated, default": simulated(),
        "simulated, harder": simulated(HARDER, **spread),
        "simulated, harder, indirect detector": simulated(HARDER, **spread, detector_mtf=True),
        RENDERED: simulated(
            low_pass_ang=75.0,
            flatten_ang=900.0,
            dose_e_per_ang2=DENOISED_DOSE,
            defocus_um=(1.5, 3.5),
        ),
        "EMPIAR-10017 (denoised, 8 bit)": [
            read_at_working_resolution(p, PIXEL_ANG / 1.77) for p in empiar
        ],
        "MicAssess, great (8 bit)": [read_at_working_resolution(p, 1.0) for p in great],
        "MicAssess, crystalline (8 bit)": [
            read_at_working_resolution(p, 1.0) for p in crystalline
        ],
    }
    sets = {name: [standardised(i) for i in images] for name, images in sets.items() if images}

    figure = plt.figure(figsize=(12, 9), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.25])
    left, right = above.subplots(1, 2)
    bins = np.linspace(-10, 7, 120)
    for name, images in sets.items():
        style = {"ls": "-" if name.startswith("simulated") else "--", "label": name}
        powers = [spectrum(image) for image in images]
        frequency = np.arange(1, len(powers[0]) + 1) / 128
        mean = np.exp(np.mean([np.log(p / p[3:6].mean()) for p in powers], axis=0))
        left.semilogy(frequency, mean, **style)
        counts = np.mean([np.histogram(i, bins, density=True)[0] for i in images], axis=0)
        right.semilogy((bins[1:] + bins[:-1]) / 2, counts, **style)
        values = np.concatenate([i.ravel()[::7] for i in images])
        low, high = np.percentile(values, [1, 99])
        # signal band (1/200 to 1/60 Å of 6 Å pixels) over the fine noise
        ratio = np.mean([p[3:12].mean() / p[45:60].mean() for p in powers])
        print(
            f"{name:40s} 1 % {low:6.2f}  99 % {high:5.2f}  "
            f"beyond 6: {100 * np.mean(np.abs(values) > 6):5.2f} %  band ratio {ratio:9.1f}"
        )
    left.set(xlabel="cycles per pixel", ylabel="power, over that at 0.04", ylim=(1e-5, 20))
    left.set_title("rotational power spectrum at the working resolution")
    right.set(xlabel="grey level, from the median in MAD", ylim=(1e-5, 1))
    right.set_title("grey levels")
    left.legend(fontsize=8)
    columns = below.subplots(1, 3)
    shown = [
        sets["simulated, default"][0],
        sets["simulated, harder"][2],
        sets[RENDERED][0],
    ]
    titles = ["simulated, default", "simulated, harder", RENDERED]
    for axes, image, title in zip(columns, shown, titles, strict=True):
        axes.imshow(image[:800, :800], cmap="gray", vmin=-4, vmax=4)
        axes.set_axis_off()
        axes.set_title(title)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUTPUT, dpi=80, pil_kwargs={"quality": 80})
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1000:.0f} kB")
    if len(sys.argv) > 1:
        beside = list(sets.values())
        rows = [np.hstack([i[:400, :400] for i in images[:4]]) for images in beside]
        rows = [np.pad(r, ((0, 6), (0, 1600 - r.shape[1]))) for r in rows]
        grey = (np.clip(np.vstack(rows) / 8 + 0.5, 0, 1) * 255).astype(np.uint8)
        Image.fromarray(grey).save(sys.argv[1])


if __name__ == "__main__":
    main()
