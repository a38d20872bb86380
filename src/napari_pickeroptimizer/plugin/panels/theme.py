"""The colours of napari's theme, and the style sheet that the panels share.

Buttons, texts and tables are styled by napari's own style sheet; plots and the gallery paint
themselves.
"""

from dataclasses import dataclass
from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

# Of text in what is disabled, the rest is background: a contrast of 4.5 is left, on dark and light.
DISABLED_PART = {True: 0.62, False: 0.86}


@dataclass(frozen=True)
class ThemeColors:
    """Colours as ``#rrggbb``, by default those of napari's dark theme.

    Parameters
    ----------
    background : str
        Of panels.
    foreground : str
        Of fields and unpressed buttons, a step away from the background.
    secondary : str
        Of lines and of the button that starts a job, two steps further.
    text : str
        Of texts.
    highlight : str
        Of focused and selected items.
    warning, error : str
        Of warnings and errors.
    is_dark : bool
        Whether text is lighter than its background.
    """

    background: str = "#23242b"
    foreground: str = "#2e333e"
    secondary: str = "#565f6c"
    text: str = "#f0f1f2"
    highlight: str = "#61696e"
    warning: str = "#e3b617"
    error: str = "#99121f"
    is_dark: bool = True

    @property
    def disabled_text(self) -> str:
        """Text of what is disabled: napari's is too dim to be read."""
        text, ground = QColor(self.text), QColor(self.background)
        part = DISABLED_PART[self.is_dark]
        mixed = [
            round(part * a + (1 - part) * b)
            for a, b in zip(text.getRgb()[:3], ground.getRgb()[:3], strict=True)
        ]
        return str(QColor(*mixed).name())

    @property
    def warning_text(self) -> str:
        """Warnings as text: on a light panel the theme's yellow cannot be read."""
        return self.warning if self.is_dark else str(QColor(self.warning).darker(210).name())


def theme_colors(viewer: Any) -> ThemeColors:
    """Return the colours of the viewer's theme."""
    theme = get_theme(str(viewer.theme))
    names = ("background", "foreground", "secondary", "text", "highlight")
    made = {
        name: QColor(*getattr(theme, name).as_rgb_tuple(alpha=False))
        for name in (*names, "warning", "error")
    }
    is_dark = made["text"].lightness() > made["background"].lightness()
    return ThemeColors(**{name: str(c.name()) for name, c in made.items()}, is_dark=is_dark)


def style_sheet(colors: ThemeColors) -> str:
    """Return the style sheet of the panels, in addition to napari's."""
    text, foreground, secondary = colors.text, colors.foreground, colors.secondary
    return f"""
        QPushButton:disabled, QToolButton:disabled, QCheckBox:disabled, QComboBox:disabled,
            QAbstractSpinBox:disabled {{ color: {colors.disabled_text}; }}
        QLabel#quiet {{ color: {text}; background: transparent; font-size: 11px; }}
        QLabel#warning {{ color: {colors.warning_text}; background: transparent; }}
        QLabel#headline {{ font-size: 15px; font-weight: bold; }}
        QLabel#number {{ font-weight: bold; }}
        QLabel#keycap {{ border: 1px solid {secondary}; border-radius: 3px;
            padding: 1px 6px; background: {foreground}; }}
        QFrame#framed {{ border: 1px solid {colors.highlight}; border-radius: 4px; }}
        QPushButton#primary {{ font-weight: bold; padding: 6px 10px;
            background: {secondary}; }}
        QPushButton#primary:hover {{ background: {colors.highlight}; }}
        QPushButton#primary:disabled {{ background: {foreground}; }}
        QPushButton#class_name {{ text-align: left; padding: 4px 8px; }}
        QPushButton#switch {{ padding: 4px; background: {foreground}; }}
        QPushButton#switch:checked {{ background: {colors.highlight}; font-weight: bold; }}
        QPushButton#fold {{ text-align: left; padding: 4px 0px; font-weight: bold;
            background: transparent; border: none; border-top: 1px solid {foreground}; }}
        QPushButton#fold:hover {{ background: {foreground}; }}
        QToolButton#swatch {{ padding-right: 9px; }}
        QToolButton#swatch::menu-indicator {{ width: 7px;
            subcontrol-origin: padding; subcontrol-position: right center; }}
    """
