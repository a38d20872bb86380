"""Whole reports: their contents, what they must not contain, and that they are always written."""

from __future__ import annotations

import dataclasses
import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from report_page import read

from napari_pickeroptimizer import Micrographs, Picks
from napari_pickeroptimizer.report import write_prune_report


def test_the_report_says_what_can_be_expected(make_run, tmp_path: Path) -> None:
    result, micrographs, classifier = make_run(threshold=0.62)
    path = write_prune_report(
        tmp_path / "out" / "report.html", result, micrographs, classifier.card,
        command="pickeroptimizer prune --picks 'a b.star'",
    )  # fmt: skip
    assert path == tmp_path / "out" / "report.html"
    text, page = read(path)
    expected = result.forecast.at(0.62)
    assert (
        f"At 0.62 the scores alone keep {expected.n_kept:,} of 320 scored picks" in page.words
    )
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

    def read_noise(self: object, *into: object) -> np.ndarray:
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
