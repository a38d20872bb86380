"""Draw docs/images/forecast.svg: labels, the scores of picks, and the forecast made from both.

Run it from the repository: ``python docs/scripts/figure_forecast.py``. Needs matplotlib. The scores
are drawn at random, so that the true precision and recall are known.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.special import expit

from napari_pickeroptimizer.trust import Calibration, HeldOutScores, forecast_performance

mpl.use("Agg")
from matplotlib import pyplot as plt

OUTPUT = Path(__file__).parents[1] / "images" / "forecast.svg"
PARTICLE, OTHER, INK = "#2b83c2", "#e58a3a", "#1d2733"
MEAN, SPREAD = {True: 2.4, False: -2.4}, 2.0
N_PICKS, SHARE, N_LABELS, N_MICROGRAPHS = 2000, 0.65, 20, 4


def main() -> None:
    rng = np.random.default_rng(3)
    true = rng.random(N_PICKS) < SHARE
    picks = rng.normal(np.where(true, MEAN[True], MEAN[False]), SPREAD)
    of_label = np.repeat([True, False], N_LABELS)
    labels = rng.normal(np.where(of_label, MEAN[True], MEAN[False]), SPREAD)
    held_out = HeldOutScores(
        labels, of_label, micrograph=np.arange(2 * N_LABELS) % N_MICROGRAPHS
    )
    scores = expit(picks)
    forecast = forecast_performance(held_out, Calibration(), scores)

    plt.rcParams.update({"svg.hashsalt": "forecast", "font.size": 11, "text.color": INK})
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(6.4, 6.2), sharex=True, height_ratios=(1, 1.5), layout="constrained"
    )
    bins = np.linspace(0, 1, 41)
    upper.hist(scores, bins, color="#cfd6dd")
    upper.set_ylabel("picks")
    for kind, colour, name in ((True, PARTICLE, "particle"), (False, OTHER, "other")):
        where = expit(labels[of_label == kind])
        height = -0.06 if kind else -0.14
        upper.plot(
            where, np.full(len(where), height), "|", color=colour, ms=11, mew=1.6,
            transform=upper.get_xaxis_transform(), clip_on=False, label=f"labels: {name}",
        )  # fmt: skip
    upper.legend(frameon=False, loc="upper center")
    upper.tick_params(labelbottom=False, bottom=False)

    at = np.linspace(0.02, 0.98, 49)
    expected = [forecast.at(threshold) for threshold in at]
    kept = [scores >= threshold for threshold in at]
    curves = {
        "precision": (PARTICLE, [true[k].mean() for k in kept]),
        "recall": ("#3c8c5a", [true[k].sum() / true.sum() for k in kept]),
    }
    for name, (colour, truth) in curves.items():
        found = [getattr(e, name) for e in expected]
        lower.fill_between(at, [f.low for f in found], [f.high for f in found], color=colour,
                           alpha=0.2, lw=0)  # fmt: skip
        lower.plot(at, [f.mean for f in found], color=colour, label=f"{name}, expected")
        lower.plot(at, truth, ":", color=colour, label=f"{name}, true")
    lower.set(xlabel="threshold", ylim=(0.5, 1.005), xlim=(0, 1))
    lower.legend(frameon=False, loc="lower left", ncols=2)
    for axis in (upper, lower):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUTPUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
