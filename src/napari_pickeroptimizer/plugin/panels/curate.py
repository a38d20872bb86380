"""All of the work in one dock: label, learn, decide and export as pages."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin.panels.controls import Note, button, fill, single_shot
from napari_pickeroptimizer.plugin.panels.decide.widget import DecideWidget
from napari_pickeroptimizer.plugin.panels.export.widget import ExportWidget
from napari_pickeroptimizer.plugin.panels.label.widget import LabelWidget
from napari_pickeroptimizer.plugin.panels.learn.widget import LearnWidget
from napari_pickeroptimizer.plugin.panels.only_one import OnlyOne
from napari_pickeroptimizer.plugin.panels.signals import EndsWithDock, follow
from napari_pickeroptimizer.plugin.panels.theme import style_sheet, theme_colors

if TYPE_CHECKING:
    import napari.viewer


# Buttons that were never shown ask for a few pixels less than they need.
NEVER_SHOWN_PX = 12


class CurateWidget(QWidget):
    """The pages Label, Learn, Decide and Export, in the order they are used.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self.label = LabelWidget(napari_viewer)
        self.learn = LearnWidget(napari_viewer)
        self.decide = DecideWidget(napari_viewer)
        self.export = ExportWidget(napari_viewer)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        # napari's own tabs are as low as their letters
        self.pages.setStyleSheet("QTabBar::tab { padding: 6px 12px; }")
        tab_bar: Any = self.pages.tabBar()  # Any: it may be missing, as far as Qt's types go
        tab_bar.setExpanding(True)
        for page, name, tip in (
            (self.label, "Label", "Tell particles from false picks, a few of each"),
            (self.learn, "Learn", "Fine-tune the network on the labels"),
            (self.decide, "Decide", "Score all picks, and choose what to keep"),
            (self.export, "Export", "Write what is kept, what is rejected, and the report"),
        ):
            self.pages.addTab(_Scrolling(page), name)
            self.pages.setTabToolTip(self.pages.count() - 1, tip)
        self.next_note = Note("quiet")
        self.next_button = button("", "", self._go_on)
        self.next = QWidget()
        row = fill(QHBoxLayout(self.next), self.next_note, self.next_button, spacing_px=8)
        row.setContentsMargins(14, 4, 14, 8)
        row.setStretch(0, 1)
        fill(QVBoxLayout(self), self.pages, self.next)
        session = self.label.session
        follow(self, self._show_next, session.target_changed, session.layers_changed)
        follow(self, self._show_next, session.labels_changed, session.model_changed)
        follow(self, self._show_next, session.scores_changed)
        self.pages.currentChanged.connect(self._show_next)
        follow(self, self._follow_theme, self.label.viewer.events.theme)
        self._follow_theme()
        self._show_next()
        EndsWithDock(self, self)
        OnlyOne(self, self.label.viewer)
        self._shown = single_shot(self, self._widen)  # once napari has docked and styled it

    def showEvent(self, event: Any) -> None:
        """Be as wide as the widest page from the start."""
        super().showEvent(event)
        self._shown.start()

    def _widen(self) -> None:
        """Make all pages as wide as the widest: else the image jumps from page to page."""
        for widget in self.findChildren(QWidget):
            widget.ensurePolished()  # of pages, too, that were never shown
        areas = self.findChildren(_Scrolling)
        widest = max(area.needed_px() for area in areas) + NEVER_SHOWN_PX
        for area in areas:
            area.setMinimumWidth(widest)

    def _show_next(self, *_: object) -> None:
        """Say what comes after the page that is shown, if this is done."""
        at = self.pages.currentIndex()
        page = (self.label, self.learn, self.decide, self.export)[at]
        text = page.next_step()
        self.next.setVisible(bool(text))
        if text:
            self.next_note.say(text)
            self.next_button.setText(f"{self.pages.tabText(at + 1)} ▸")
            self.next_button.setToolTip(self.pages.tabToolTip(at + 1))

    def _follow_theme(self, *_: object) -> None:
        self.next.setStyleSheet(style_sheet(theme_colors(self.label.viewer)))

    def _go_on(self) -> None:
        self.pages.setCurrentIndex(self.pages.currentIndex() + 1)


class _Scrolling(QScrollArea):
    """A page that scrolls down where the window is too low for it, and never sideways."""

    def __init__(self, page: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(page)
        page.installEventFilter(self)

    def needed_px(self) -> int:
        """Return the width of the page, with a scroll bar beside it."""
        page, bar = self.widget(), self.verticalScrollBar()
        if page is None or bar is None:
            return 0
        if (layout := page.layout()) is not None:
            layout.invalidate()  # it may remember its size before it had a style
        return int(page.minimumSizeHint().width() + bar.sizeHint().width())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Be as wide as the page needs, whenever it shows more than before."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.setMinimumWidth(max(self.minimumWidth(), self.needed_px()))
        return bool(super().eventFilter(watched, event))
