"""Look into the wheel and the sdist before anyone gets them.

    python tools/check_release.py dist            # what `make release-check` runs
    python tools/check_release.py dist --tag v0.2.0   # and whether they may be published

The wheel must hold the package as it lies in src, byte by byte, and nothing else: weights, manifest
and templates are data, which a build leaves out without a word. With a tag, what is published has
to be told apart from other versions and led back to its source: see `publishing_faults`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "napari_pickeroptimizer"
# without any of these the package installs, and fails at a user's
NEEDED = (
    "model/bundled.safetensors",
    "napari.yaml",
    "py.typed",
    "report/templates/style.css",
)
IN_SDIST = (
    "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
    "SECURITY.md", "mkdocs.yml", "napari.yaml", "pyproject.toml", "docs/index.md",
    "benchmarks/fewshot.py", "tests/conftest.py", "tools/check_release.py",
)  # fmt: skip
MOST_BYTES = {"wheel": 10_000_000, "sdist": 25_000_000}
REPOSITORY_URLS = ("Source", "Issues", "Changelog")


def package_files(source: Path) -> dict[str, bytes]:
    """Return the contents of the package's files by their place in it."""
    return {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def wheel_faults(wheel: Path, expected: dict[str, bytes]) -> Iterator[str]:
    """Yield what is wrong with a wheel, beside the files that should be in it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        packed = {
            name.removeprefix(f"{PACKAGE}/"): archive.read(name)
            for name in names
            if name.startswith(f"{PACKAGE}/")
        }
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(info).decode())
        entry_points = archive.read(info.replace("METADATA", "entry_points.txt")).decode()
    top = {name.partition("/")[0] for name in names} - {PACKAGE, info.partition("/")[0]}
    for name in sorted(top):
        yield f"{name} does not belong in it"
    for name in sorted({*expected, *NEEDED} - set(packed)):
        yield f"{name} is missing"
    for name in sorted(set(packed) - set(expected)):
        yield f"{name} is not in the sources"
    for name in sorted(set(packed) & set(expected)):
        if packed[name] != expected[name]:
            yield f"{name} differs from the sources"
    if "Framework :: napari" not in metadata.get_all("Classifier", []):
        yield "napari's plugin manager needs the classifier 'Framework :: napari'"
    for point in ("napari.manifest", "console_scripts"):
        if f"[{point}]" not in entry_points:
            yield f"there is no entry point {point}"
    yield from size_faults("wheel", wheel)


def sdist_faults(sdist: Path) -> Iterator[str]:
    """Yield what is wrong with an sdist."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in IN_SDIST:
        if name not in names:
            yield f"{name} is missing"
    yield from size_faults("sdist", sdist)


def size_faults(kind: str, path: Path) -> Iterator[str]:
    """Yield that an archive has grown beyond what is meant to be downloaded."""
    if path.stat().st_size > MOST_BYTES[kind]:
        yield (
            f"it has {path.stat().st_size:,} bytes, more than {MOST_BYTES[kind]:,}: look at what "
            "came in, and raise the limit if it has to be there"
        )


def publishing_faults(tag: str, version: str, root: Path = ROOT) -> Iterator[str]:
    """Yield why a tagged version may not be published.

    Nothing here guesses where the project lives: `[project.urls]` names its repository once it
    has one, and until then nothing is published.
    """
    if tag != f"v{version}":
        yield f"the tag is {tag}, and the version {version}: expected v{version}"
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE
    ):
        yield f"CHANGELOG.md has no '## [{version}] - YYYY-MM-DD'"
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## \[)", changes, re.M | re.S)
    if unreleased and unreleased[1].strip():
        yield f"CHANGELOG.md still has changes under Unreleased: move them to {version}"
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in REPOSITORY_URLS:
        if name not in project.get("urls", {}):
            yield f"pyproject.toml has no {name} in [project.urls]: where does the project live?"


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dist", type=Path, help="folder with one wheel and one sdist")
    parser.add_argument("--tag", help="git tag of a version that is going to be published")
    arguments = parser.parse_args()
    [wheel], [sdist] = arguments.dist.glob("*.whl"), arguments.dist.glob("*.tar.gz")
    faults = [
        f"{wheel.name}: {f}"
        for f in wheel_faults(wheel, package_files(ROOT / "src" / PACKAGE))
    ]
    faults += [f"{sdist.name}: {f}" for f in sdist_faults(sdist)]
    if arguments.tag:
        faults += publishing_faults(arguments.tag, wheel.name.split("-")[1])
    for path in (wheel, sdist):
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
