"""The colours of napari's theme, for what is painted by hand: plots and the gallery.

Buttons, texts and tables get theirs from napari's style sheet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.utils.theme import get_theme


@dataclass(frozen=True)
class ThemeColors:
    """Colours as ``#rrggbb``.

    Parameters
    ----------
    background : str
        Of panels.
    foreground : str
        Of fields and unpressed buttons, a step away from the background.
    primary, secondary : str
        One and two steps further.
    text : str
        Of texts.
    highlight : str
        Of what has the focus or is selected.
    warning, error : str
        Of what needs attention.
    is_dark : bool
        Whether text is lighter than its background.
    """

    background: str
    foreground: str
    primary: str
    secondary: str
    text: str
    highlight: str
    warning: str
    error: str
    is_dark: bool


def theme_colors(viewer: Any) -> ThemeColors:
    """Return the colours of the viewer's theme."""
    theme = get_theme(str(viewer.theme))
    names = ("background", "foreground", "primary", "secondary", "text", "highlight")
    found = {name: _hex(getattr(theme, name)) for name in (*names, "warning", "error")}
    return ThemeColors(**found, is_dark=_luma(found["text"]) > _luma(found["background"]))


def follow_theme(viewer: Any, apply: Callable[[ThemeColors], None]) -> Callable[[], None]:
    """Apply the theme's colours now and whenever it changes; return how to stop that."""

    def on_theme(_event: Any = None) -> None:
        apply(theme_colors(viewer))

    viewer.events.theme.connect(on_theme)
    on_theme()
    return lambda: viewer.events.theme.disconnect(on_theme)


def _hex(color: Any) -> str:
    red, green, blue = color.as_rgb_tuple(alpha=False)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _luma(color: str) -> float:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue
