"""A report in a browser: it is drawn, its script runs, and nothing is fetched or refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_pickeroptimizer import Micrographs, Picks, evaluate_picks
from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.run import Pruned
from napari_pickeroptimizer.report import write_evaluation_report, write_prune_report
from napari_pickeroptimizer.trust import Calibration, HeldOutScores, forecast_performance

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
KEPT_BLUE, REJECTED_ORANGE = (0x2B, 0x83, 0xC2), (0xE5, 0x8A, 0x3A)
DARK_PAGE = (0x12, 0x16, 0x1B)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser ({', '.join(BROWSERS)}): tools/system-packages browser")
    return found


class Browser:
    """Opens a page without a window."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder

    def run(self, page: Path, *options: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--hide-scrollbars", "--enable-logging=stderr", "--disable-dev-shm-usage",
             f"--user-data-dir={self.folder / 'profile'}", *options, page.as_uri()],
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # errors of scripts and refusals of the content security policy
        assert "CONSOLE" not in done.stderr, done.stderr
        return done

    def shoot(self, page: Path, *options: str, size: str = "1280,3000") -> np.ndarray:
        picture = self.folder / "page.png"
        self.run(page, f"--screenshot={picture}", f"--window-size={size}", *options)
        return np.asarray(Image.open(picture).convert("RGB"))

    def dom(self, page: Path) -> str:
        return self.run(page, "--dump-dom").stdout


@pytest.fixture
def open_page(browser: str, tmp_path: Path) -> Browser:
    return Browser(browser, tmp_path)


@pytest.fixture
def spot_report(spot_project, tmp_path: Path) -> Path:
    """The report of a run that judges discs by their true class, but for noise."""
    labels = read_picks(spot_project.labels)
    is_particle = labels.labels == 1
    rng = np.random.default_rng(0)
    logits = rng.normal(np.where(is_particle, 3.0, -3.0), 1.5)
    p = 1 / (1 + np.exp(-logits))
    picks = Picks.from_arrays(
        labels.table["micrograph"].to_numpy(), *labels.coords_yx_px().T[::-1]
    ).with_columns(probability_1=p, probability_2=1 - p)
    micrographs = Micrographs.find(spot_project.micrographs)
    held_out = HeldOutScores(logits, is_particle)
    forecast = forecast_performance(held_out, Calibration(), p)
    card = ModelCard(
        (1, 2), ("particle", "contaminant"), "resnet18_half",
        BoxSettings(diameter_px=spot_project.diameter_px), held_out_scores=held_out,
    )  # fmt: skip
    decision = Decision.of_picks(picks)
    record = {
        "settings": {},
        "threshold": 0.5,
        "counts": decision.counts(0.5).to_dict(),
        "micrographs": decision.by_micrograph(0.5).to_dicts(),
        "warnings": ["one warning"],
    }
    result = Pruned(decision.decided(picks, 0.5), [], record, forecast)
    return write_prune_report(
        tmp_path / "report.html", result, micrographs, card, command="prune"
    )


def share_of(image: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((np.abs(image.astype(int) - colour).max(axis=2) <= 6).mean())


def test_a_report_is_drawn_in_its_colours(open_page: Browser, spot_report: Path) -> None:
    image = open_page.shoot(spot_report)
    assert image.shape == (3000, 1280, 3)
    assert share_of(image, KEPT_BLUE) > 0.002  # the bar, the histogram
    assert share_of(image, REJECTED_ORANGE) > 0.002
    grey = (image.std(axis=2) < 1) & (image[..., 0] > 30) & (image[..., 0] < 220)
    assert grey.mean() > 0.05  # micrographs


def test_a_report_is_dark_where_that_is_preferred(
    open_page: Browser, spot_report: Path
) -> None:
    image = open_page.shoot(spot_report, "--blink-settings=preferredColorScheme=0")
    assert share_of(image, DARK_PAGE) > 0.3


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_never_wider_than_its_window(
    width: int, open_page: Browser, spot_report: Path, tmp_path: Path
) -> None:
    # a window of a phone's width is not to be had: a frame stands for it
    frame = tmp_path / "frame.html"
    text = without_policy(spot_report.read_text()).replace(
        "</body>",
        "<script>document.title = document.documentElement.scrollWidth</script></body>",
    )
    spot_report.write_text(text)
    frame.write_text(
        f'<iframe src="{spot_report.name}" width="{width}" height="900"></iframe><script>'
        "onload = () => document.title = frames[0].document.title</script>"
    )
    dom = Browser(open_page.program, tmp_path).run(
        frame, "--dump-dom", "--allow-file-access-from-files"
    ).stdout  # fmt: skip
    assert re.search(r"<title>(\d+)</title>", dom)[1] == str(width)


def without_policy(text: str) -> str:
    """The page without the meta element that forbids any script but its own."""
    return re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", text)


def test_a_click_on_a_heading_sorts_the_table(open_page: Browser, spot_report: Path) -> None:
    assert "<button" in open_page.dom(spot_report)
    clicks = "document.querySelectorAll('th button')[0].click();"
    text = without_policy(spot_report.read_text())
    for n_clicks, expected in ((1, ["m0", "m1", "m2"]), (2, ["m2", "m1", "m0"])):
        page = spot_report.with_name(f"{n_clicks}.html")
        page.write_text(
            text.replace("</body>", f"<script>{clicks * n_clicks}</script></body>")
        )
        rows = re.findall(r'data-v="Micrographs/(m\d)\.mrc"', open_page.dom(page))
        assert rows == expected


def test_without_script_all_rows_and_the_command_are_there(
    open_page: Browser, spot_report: Path
) -> None:
    page = spot_report.with_name("plain.html")
    page.write_text(
        re.sub(r"<script>.*</script>", "", spot_report.read_text(), flags=re.DOTALL)
    )
    dom = open_page.dom(page)
    assert "<button" not in dom
    assert dom.count('scope="row"') >= 3


def test_a_report_is_printed(open_page: Browser, spot_report: Path, tmp_path: Path) -> None:
    printed = tmp_path / "report.pdf"
    open_page.run(spot_report, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    assert printed.read_bytes().startswith(b"%PDF")


def test_an_evaluation_is_drawn(open_page: Browser, spot_project, tmp_path: Path) -> None:
    labels = read_picks(spot_project.labels)
    rng = np.random.default_rng(0)
    p = np.clip(np.where(labels.labels == 1, 0.8, 0.2) + rng.normal(0, 0.2, len(labels)), 0, 1)
    picks = Picks(labels.table.assign(label=0)).with_columns(
        probability_1=p, predicted=np.where(p >= 0.5, 1, 2).astype(np.int8)
    )
    interval = {"mean": 0.9, "low": 0.8, "high": 1.0}
    expectation = {"threshold": 0.5, "precision": interval, "recall": interval}
    page = write_evaluation_report(
        tmp_path / "evaluation.html", evaluate_picks(picks, labels, 5),
        Micrographs.find(spot_project.micrographs),
        record=json.loads(json.dumps({"threshold": 0.5, "expectation": expectation})),
    )  # fmt: skip
    image = open_page.shoot(page)
    assert share_of(image, KEPT_BLUE) > 0.001
    assert share_of(image, REJECTED_ORANGE) > 0.001
