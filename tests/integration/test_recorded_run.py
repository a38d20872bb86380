"""Recorded scores give the recorded files, byte for byte: no release may decide otherwise.

``tests/data/recorded_run`` holds picks of the simulated project (its first 45 on three
micrographs), their probabilities as a fine-tuned model gave them, and the kept and rejected
files that the program wrote in November 2026, before scores were kept in journals. No network
runs here, so the files are the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.prune.decide import decide_picks
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.prune.journal import ScoreJournal, Shard, record_of
from napari_pickeroptimizer.prune.score_folder import FOLDER
from napari_pickeroptimizer.prune.settings import Length, PruneSettings
from napari_pickeroptimizer.reading import group_by_micrograph

RECORDED = Path(__file__).parents[1] / "data" / "recorded_run"
SHAPE_PX, PIXEL_SIZE_ANG = (1920, 2048), 1.8
RULES = PruneSettings(
    threshold=0.93,  # a precision's threshold moves as forecasts get better
    min_distance=Length.parse("1.05d"),
    edge_distance=Length.parse("250A"),
    write_fom=True,
)


def write_journal(output: Path) -> None:
    """Write the recorded probabilities as a scoring would."""
    card = ModelCard.from_json((RECORDED / "model_card.json").read_text())
    picks = read_picks(RECORDED / "picks.star")
    table = np.loadtxt(RECORDED / "probabilities.csv", delimiter=",", skiprows=1)
    names = list(picks.rows_by_micrograph())
    micrographs = Micrographs(tuple(Micrograph(n, Path(n), PIXEL_SIZE_ANG) for n in names))
    header = {"model": "0" * 64, "card": card.to_json(), "n_views": 4}
    coords_yx_px = picks.coords_yx_px()
    with ScoreJournal(output / FOLDER, header, Shard()) as journal:
        journal.set_inputs({"picks": [str(RECORDED / "picks.star")]})
        for i, group in enumerate(group_by_micrograph(micrographs, picks), start=1):
            p = table[group.rows].astype(np.float32)
            event = MicrographScored(group, p, 0, i, len(names), shape_px=SHAPE_PX)
            journal.append(record_of(event, picks, coords_yx_px))


@pytest.mark.parametrize(
    ("name", "settings", "labelled"),
    [("default", PruneSettings(), False), ("rules", RULES, True)],
)
def test_recorded_scores_give_the_recorded_files(
    name: str, settings: PruneSettings, labelled: bool, tmp_path: Path
) -> None:
    write_journal(tmp_path)
    labels = read_picks(RECORDED / "labels.star") if labelled else None
    *_, run = decide_picks(tmp_path, settings, labels=labels)
    reasons = {"score", "label", "distance", "edge"} if labelled else {"score"}
    assert set(run.record["counts"]["rejected_by_reason"]) == reasons
    for part in ("kept.star", "rejected.star"):
        assert (tmp_path / part).read_bytes() == (RECORDED / name / part).read_bytes()
