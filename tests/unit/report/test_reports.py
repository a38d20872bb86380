"""Whole reports: their contents, what they must not contain, and that they are always written."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_pickeroptimizer import Micrographs, Picks, evaluate_picks
from napari_pickeroptimizer.report import write_evaluation_report, write_prune_report

VOID = {"meta", "img", "br", "input", "wbr", "link", "hr"}


class Page(HTMLParser):
    """Checks that every element is closed, and collects links, ids, tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.refers.append((tag, value or ""))
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.texts).split())


def read(path: Path) -> tuple[str, Page]:
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_report_says_what_can_be_expected(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run(threshold=0.62)
    path = write_prune_report(
        tmp_path / "out" / "report.html", result, micrographs, classifier.card,
        command="pickeroptimizer prune --picks 'a b.star'",
    )  # fmt: skip
    assert path == tmp_path / "out" / "report.html"
    text, page = read(path)
    expected = result.forecast.at(0.62)
    assert f"At 0.62 you keep {expected.n_kept:,} of 320 picks" in page.words
    assert f"expected precision {expected.precision}, recall {expected.recall}" in page.words
    assert "pickeroptimizer prune --picks 'a b.star'" in page.words
    assert "2026-01-02 03:04 UTC" in page.words
    assert "1 min 2 s" in page.words
    assert "threshold 0.62" in page.words
    for title in (
        "Kept, highest scores",
        "Most uncertain",
        "Rejected as contaminant, lowest scores",
    ):
        assert title in page.words
    assert text.count("data:image/jpeg") >= 8  # micrographs, and boxes


def test_numbers_of_the_page_are_those_of_the_record(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run()
    _, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    counts = result.record["counts"]
    assert f"Kept {counts['kept']:,}" in page.words
    assert f"Rejected {counts['rejected']:,}" in page.words
    for name, n in counts["rejected_by_class"].items():
        assert re.search(rf"rejected as {name} {n}\b", page.words)


def test_the_odd_micrograph_is_shown_first_and_named(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run(n_micrographs=10)
    _, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    assert "m1" in page.ids
    after = page.words.split("Unusual micrographs, the farthest from the median first")[1]
    assert after.split()[:3] == ["1", "m", "0009.mrc"] or "0009.mrc" in after[:40]
    assert "1 is far from it" in page.words


def test_nothing_comes_from_elsewhere(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run()
    text, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    assert page.refers
    for tag, target in page.refers:
        assert target.startswith(("#", "data:image/")), (tag, target)
    assert all(target[1:] in page.ids for _, target in page.refers if target[0] == "#")
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in html.unescape(text)


def test_names_are_escaped_wherever_they_stand(make_run, tmp_path: Path) -> None:
    bad = ["mics/<img src=x onerror=alert(1)>.mrc", "mics/'\"&.mrc"]
    names = [*bad, *(f"mics/m{i}.mrc" for i in range(6))]
    result, micrographs, classifier = make_run(names=names)
    result.record["inputs"]["picks"] = ["</title><script>alert(2)</script>"]
    result.record["warnings"] = ["<b>bold</b>"]
    text, page = read(
        write_prune_report(
            tmp_path / "r.html", result, micrographs, classifier.card, command="<i>command</i>"
        )
    )
    assert page.tags.count("script") == 1
    assert "onerror=alert(1)>" not in text
    assert not {"b", "i"} & {t for t in page.tags if f"<{t}>bold" in text or "<i>comm" in text}
    assert "<b>bold</b>" in page.words


def test_without_cross_validation_it_says_why_there_is_no_expected_precision(
    make_run, tmp_path: Path
) -> None:
    result, micrographs, classifier = make_run(n_labels=0)
    card = classifier.card
    card.training["settings"]["n_folds"] = 0
    _, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    assert "no expected precision" in page.words
    assert "with 3 folds" in page.words
    assert "Other thresholds" not in page.words
    assert "expected precision 0" not in page.words.lower()


def test_an_unreliable_forecast_is_called_a_rough_estimate(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run(n_labels=4)
    assert not result.forecast.reliable
    _, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    assert "a rough estimate only" in page.words
    assert all(w in page.words for w in result.forecast.warnings)


def test_picks_decided_by_labels_and_places_are_counted(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run()
    counts = result.record["counts"]
    counts["kept_by_label"] = 2
    counts["rejected_by_reason"] |= {"label": 1, "distance": 5}
    path = write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    _, page = read(path)
    assert "3 picks have the class of your labels" in page.words
    assert "5 are rejected because they are too near to a better pick" in page.words
    assert "rejected, too near to a better pick 5" in page.words


def test_a_micrograph_that_is_gone_is_named_and_stops_nothing(
    make_run, tmp_path: Path
) -> None:
    result, micrographs, classifier = make_run()
    micrographs.items[0].path.write_bytes(b"no image")
    for m in micrographs.items[1:3]:
        m.path.unlink()
    _, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    assert "3 micrographs, the first" in page.words
    assert page.words.count("Could not be read again") == 3
    assert "more could not be read again" in page.words


def test_no_micrograph_at_all_leaves_the_figures(make_run, tmp_path: Path) -> None:
    result, _, classifier = make_run()
    elsewhere = Micrographs.named(["other.mrc"])
    _, page = read(write_prune_report(tmp_path / "r.html", result, elsewhere, classifier.card))
    assert "None of the micrographs could be read again." in page.words
    assert "is not among the 1 micrographs given" in page.words


def test_unscored_micrographs_come_with_their_reason(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run()
    rows = result.picks.rows_by_micrograph()["mics/m0002.mrc"]
    table = result.picks.table.copy()
    table.loc[rows, "predicted"] = 0
    table.loc[rows, [c for c in table if c.startswith("probability")]] = np.nan
    result.record["unreadable"] = {"mics/m0002.mrc": "the file is truncated"}
    result.record["counts"]["unscored"] = len(rows)
    result = dataclasses.replace(result, picks=Picks(table))
    _, page = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    assert "m0002.mrc could not be scored: the file is truncated" in page.words
    assert "not scored: the file is truncated" in page.words
    assert "Unscored 40" in page.words


def test_a_failed_report_leaves_the_earlier_one(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run()
    path = tmp_path / "r.html"
    path.write_text("earlier")
    del result.record["threshold"]
    with pytest.raises(KeyError):
        write_prune_report(path, result, micrographs, classifier.card)
    assert path.read_text() == "earlier"
    assert list(tmp_path.glob("*.html")) == [path]


@pytest.mark.slow
def test_a_thousand_micrographs_stay_small(make_run, tmp_path: Path, monkeypatch) -> None:
    result, micrographs, classifier = make_run(1000, 500, side_px=64)
    noise = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    n_read = 0

    def read_noise(self: object) -> np.ndarray:
        nonlocal n_read
        n_read += 1
        return noise

    monkeypatch.setattr("napari_pickeroptimizer.micrographs.Micrograph.read", read_noise)
    path = write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    _, page = read(path)
    assert path.stat().st_size < 20e6
    assert n_read < 150
    assert all(f"m{i:04d}.mrc" in page.words for i in range(1000))
    assert "Show all 1,000 rows" in page.words


def test_every_chart_is_well_formed(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run()
    text, _ = read(
        write_prune_report(tmp_path / "r.html", result, micrographs, classifier.card)
    )
    charts = re.findall(r"<svg class=\"chart.*?</svg>", text, flags=re.DOTALL)
    assert len(charts) == 4
    for chart in charts:
        ET.fromstring(chart)
        assert "nan" not in chart.lower().replace("kept and", "")


# ------------------------------------------------------------------------------ evaluation


def judged(n_micrographs: int = 6) -> tuple[Picks, Picks]:
    """Picks of which those at x < 60 are true, and as many centres more that nobody picked."""
    rng = np.random.default_rng(0)
    names = np.repeat([f"mics/m{i:04d}.mrc" for i in range(n_micrographs)], 20)
    x = np.tile(np.arange(20) * 6.0 + 3, n_micrographs)
    y = np.full(len(x), 50.0)
    is_true = x < 60
    p = np.clip(np.where(is_true, 0.8, 0.2) + rng.normal(0, 0.15, len(x)), 0.01, 0.99)
    predicted = np.where(p >= 0.5, 1, 2).astype(np.int8)
    picks = Picks.from_arrays(names, x, y).with_columns(probability_1=p, predicted=predicted)
    truth = Picks.from_arrays(
        np.concatenate([names[is_true], names[is_true]]),
        np.concatenate([x[is_true], x[is_true]]),
        np.concatenate([y[is_true], y[is_true] + 40]),
    )
    return picks, truth


def expectation(precision: float, recall: float, threshold: float = 0.5) -> dict:
    def around(v: float) -> dict[str, float]:
        return {"mean": v, "low": v - 0.05, "high": v + 0.05}

    return {"threshold": threshold, "precision": around(precision), "recall": around(recall)}


def test_an_evaluation_tells_what_was_found(make_run, tmp_path: Path) -> None:
    picks, truth = judged()
    evaluation = evaluate_picks(picks, truth, 2)
    _, micrographs, _ = make_run(n_micrographs=6)
    text, page = read(
        write_evaluation_report(
            tmp_path / "e.html", evaluation, micrographs,
            inputs={"picks": ["scored.star"]}, command="pickeroptimizer evaluate",
        )
    )  # fmt: skip
    assert f"Of {evaluation.after.n_picks} kept picks" in page.words
    assert f"AUC {evaluation.roc_auc:.4f}" in page.words
    assert "Kept, but false" in page.words
    assert "True, but rejected" in page.words
    assert all(f"m000{i}.mrc" in page.words for i in range(6))
    assert "No run.json lies beside the picks" in page.words
    assert page.refers
    for tag, target in page.refers:
        assert target.startswith(("#", "data:image/")), (tag, target)
    for chart in re.findall(r"<svg class=\"chart.*?</svg>", text, flags=re.DOTALL):
        ET.fromstring(chart)


@pytest.mark.parametrize(
    ("forecast", "position"),
    [((0.95, 0.95), "within the"), ((0.5, 0.95), "above the"), ((0.95, 0.2), "above the")],
)
def test_expected_stands_beside_measured(
    forecast: tuple[float, float], position: str, tmp_path: Path
) -> None:
    picks, truth = judged()
    record = {"command": "prune", "threshold": 0.5, "expectation": expectation(*forecast)}
    evaluation = evaluate_picks(picks, truth, 2)
    path = tmp_path / "e.html"
    _, page = read(write_evaluation_report(path, evaluation, record=record))
    assert f"Expected precision: {forecast[0]:.3f}" in page.words
    # what a run calls recall is among its picks
    assert f"measured {evaluation.kept_true:.3f}" in page.words
    assert position in page.words
    assert "data:image" not in path.read_text().replace("img-src data:", "")


def test_a_forecast_is_compared_at_its_own_threshold(tmp_path: Path) -> None:
    picks, truth = judged()
    record = {"command": "prune", "expectation": expectation(0.9, 0.9, threshold=0.7)}
    _, page = read(
        write_evaluation_report(
            tmp_path / "e.html", evaluate_picks(picks, truth, 2, 0.5), record=record
        )
    )  # fmt: skip
    p, x = picks.particle_probability, picks.table["x"].to_numpy()
    assert f"measured {(p[x < 60] >= 0.7).mean():.3f}" in page.words
    assert "at the run's threshold of 0.70" in page.words


def test_warnings_of_the_evaluation_are_shown(tmp_path: Path) -> None:
    picks, truth = judged()
    evaluation = dataclasses.replace(
        evaluate_picks(picks, truth, 2), warnings=("it is flipped",)
    )
    _, page = read(write_evaluation_report(tmp_path / "e.html", evaluation))
    assert "1 warning it is flipped" in page.words


@pytest.mark.parametrize(
    "damaged",
    [None, "words", {}, {"threshold": "x"}, {"threshold": 0.5, "precision": 3},
     {"threshold": 0.5, "precision": {"mean": None}, "recall": {}}],
)  # fmt: skip
def test_a_damaged_record_has_no_forecast(damaged: object, tmp_path: Path) -> None:
    picks, truth = judged()
    record = json.loads(json.dumps({"command": "prune", "expectation": damaged}))
    _, page = read(
        write_evaluation_report(
            tmp_path / "e.html", evaluate_picks(picks, truth, 2), record=record
        )
    )
    assert "The run has no expected precision" in page.words


def test_picks_without_scores_have_figures_but_no_charts(tmp_path: Path) -> None:
    picks, truth = judged()
    bare = Picks(picks.table.drop(columns=["probability_1"]))
    text, page = read(
        write_evaluation_report(tmp_path / "e.html", evaluate_picks(bare, truth, 2))
    )
    assert "hold no probabilities" in page.words
    assert '<svg class="chart' not in text


def test_colours_have_enough_contrast() -> None:
    from napari_pickeroptimizer.report.page import source

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    def contrast(a: str, b: str) -> float:
        light, dark = sorted((luminance(a), luminance(b)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    style = source("style.css")
    themes = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colours = SimpleNamespace(
            **{k.replace("-", "_"): v for k, v in re.findall(r"--([\w-]+): (#\w{6})", theme)}
        )
        for text in (colours.ink, colours.quiet, colours.link, colours.kept, colours.rejected):
            assert contrast(text, colours.page) >= 4.5
        for text in (colours.ink, colours.quiet, colours.link):
            assert contrast(text, colours.surface) >= 4.5
        assert contrast(colours.wary, colours.wary_surface) >= 4.5
        assert contrast(colours.ink, colours.wary_surface) >= 4.5
        assert contrast(colours.ink, colours.good_surface) >= 4.5
        assert contrast(colours.quiet, colours.good_surface) >= 4.5
        for drawn in (colours.kept_fill, colours.unscored_fill):
            assert contrast(drawn, colours.page) >= 3  # shapes, WCAG 1.4.11
