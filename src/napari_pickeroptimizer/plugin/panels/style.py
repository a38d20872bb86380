"""The look that the panels share, in the colours of the theme."""

from qtpy.QtGui import QColor

from napari_pickeroptimizer.plugin.panels.theme import ThemeColors


def warning_color(colors: ThemeColors) -> str:
    """Return the theme's colour of warnings; its yellow is too light for text on white."""
    if colors.is_dark:
        return colors.warning
    return str(QColor(colors.warning).darker(210).name())


def panel_style(colors: ThemeColors) -> str:
    """Return the style of what panels are made of, beside what napari's own has."""
    return (
        f"QLabel#quiet {{ color: {colors.text}; background: transparent; font-size: 11px; }}"
        f"QLabel#warning {{ color: {warning_color(colors)}; background: transparent; }}"
        "QPushButton#primary { font-weight: bold; padding: 6px 10px; "
        f"background: {colors.secondary}; }}"
        f"QPushButton#primary:hover {{ background: {colors.highlight}; }}"
        f"QPushButton#primary:disabled {{ background: {colors.foreground}; }}"
        "QPushButton#fold { text-align: left; padding: 4px 0px; font-weight: bold; "
        f"background: transparent; border: none; border-top: 1px solid {colors.foreground}; }}"
        f"QPushButton#fold:hover {{ background: {colors.foreground}; }}"
    )
