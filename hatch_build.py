"""At build time: the links of the README become absolute.

The package index and the napari hub show the README alone, without the files that it links to.
Where these are to be found is `Source` of `[project.urls]`; without it nothing is changed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

IMAGES = (".webp", ".jpg", ".png", ".svg")
RELATIVE = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s]+)\)")


def with_absolute_links(text: str, source: str, version: str) -> str:
    """Return Markdown whose relative links lead into a tagged version of the repository."""

    def absolute(match: re.Match[str]) -> str:
        target = match[1]
        kind = "raw" if target.endswith(IMAGES) else "blob"
        return f"]({source.rstrip('/')}/{kind}/v{version}/{target})"

    return RELATIVE.sub(absolute, text)


class ReadmeHook(MetadataHookInterface):
    """Fills in the dynamic field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the README of a build, with absolute links where it is known where to."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        if source is not None:
            text = with_absolute_links(text, source, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
