"""Make the picture of docs/how-to/report.md from the demo's report, with Chromium.

    pickeroptimizer demo --output DEMO
    python docs/scripts/screenshot_report.py DEMO/pruned/report.html docs/images/report.jpg

On the left the top of the page, on the right its micrographs in the dark theme.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WINDOW_PX = (1060, 1330)
WIDTH_PX = 1700
DARK = "--blink-settings=preferredColorScheme=0"
# without these the micrographs are at the top of the page
ABOVE = "header, nav, .summary, .tiles, .stacked-bar, .bar-key, .warnings, #scores"


def shoot(text: str, *options: str) -> Image.Image:
    """Return a screenshot of a page with that text."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser found: {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder) / "page.html", Path(folder) / "page.png"
        page.write_text(text, encoding="utf-8")
        subprocess.run(  # noqa: S603
            [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={folder}/profile", f"--screenshot={picture}",
             f"--window-size={WINDOW_PX[0]},{WINDOW_PX[1]}", *options, page.as_uri()],
            check=True, capture_output=True, timeout=240,
        )  # fmt: skip
        return Image.open(picture).convert("RGB")


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    text = arguments.report.read_text(encoding="utf-8")
    both = Image.new("RGB", (2 * WINDOW_PX[0], WINDOW_PX[1]))
    both.paste(shoot(text), (0, 0))
    below = text.replace("</head>", f"<style>{ABOVE} {{ display: none }}</style></head>")
    both.paste(shoot(below, DARK), (WINDOW_PX[0], 0))
    height = round(both.height * WIDTH_PX / both.width)
    both = both.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    both.save(arguments.picture, quality=80, optimize=True)
    print(
        f"{arguments.picture}: {both.size}, {arguments.picture.stat().st_size / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
