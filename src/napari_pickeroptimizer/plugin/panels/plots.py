"""Plots: training curves, and the histogram of scores with the threshold."""

from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors
from napari_pickeroptimizer.prune.counts import Histogram

# napari's point symbols as pyqtgraph calls them
SYMBOLS = {
    "disc": "o",
    "square": "s",
    "diamond": "d",
    "triangle_up": "t1",
    "triangle_down": "t",
    "star": "star",
}
AXIS_PT = 8
KEY_STEP = 0.01
N_SMOOTHED = 7  # steps of a training


class TrainingPlot(pg.GraphicsLayoutWidget):
    """Loss of every training as it falls, and the accuracy on labels that were held out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(150)
        self.setToolTip(
            "Left: loss of each training. Thin lines are the folds of the "
            "cross-validation, the thick one is the model itself.\n"
            "Right: accuracy of each fold on its held-out labels."
        )
        self._loss = self.addPlot(0, 0, title="Loss")
        self._accuracy = self.addPlot(0, 1, title="Accuracy on held-out labels")
        layout = self.ci.layout
        layout.setColumnFixedWidth(1, 150)
        layout.setHorizontalSpacing(8)
        self.ci.setContentsMargins(0, 0, 4, 0)
        self._curves: dict[int | None, Any] = {}
        self._seen: dict[int | None, list[tuple[int, float]]] = {}
        self._folds: list[float] = []
        self._colors = ThemeColors()
        for plot in (self._loss, self._accuracy):
            _quiet(plot)
        self._loss.setLabel("bottom", "step")
        self._accuracy.setLabel("bottom", "fold")
        self._accuracy.setYRange(0, 1, padding=0.06)
        self._accuracy.getAxis("left").setTicks([[(0, "0"), (0.5, "50 %"), (1, "100 %")]])
        self._dots = pg.ScatterPlotItem(size=9, pen=None)
        self._mean = pg.InfiniteLine(angle=0)
        self._accuracy.addItem(self._dots)
        self._accuracy.addItem(self._mean)
        self.clear_runs()

    def clear_runs(self, n_steps: int = 1, n_folds: int = 0) -> None:
        """Clear the plot, and set axes for the next training."""
        for curve in self._curves.values():
            self._loss.removeItem(curve)
        self._curves, self._seen, self._folds = {}, {}, []
        self._loss.setXRange(0, max(n_steps, 1), padding=0.03)
        self._accuracy.setXRange(0.5, max(n_folds, 1) + 0.5, padding=0)
        folds = [(i, str(i)) for i in range(1, n_folds + 1)]
        self._accuracy.getAxis("bottom").setTicks([folds[:: max(1, n_folds // 5)]])
        self._accuracy.setVisible(n_folds > 0)
        self._show_folds()

    def add_step(self, fold: int | None, step: int, loss: float) -> None:
        """Show one more step of a fold, None for the model itself."""
        seen = self._seen.setdefault(fold, [])
        seen.append((step, loss))
        if fold not in self._curves:
            self._curves[fold] = self._loss.plot()
            self._paint_curves()
        steps, losses = np.array(seen).T
        # single steps jump too much to be read
        smooth = pd.Series(losses).rolling(N_SMOOTHED, min_periods=1).mean()
        self._curves[fold].setData(steps, smooth.to_numpy())

    def add_fold(self, accuracy: float) -> None:
        """Show the accuracy of a fold on its held-out labels."""
        self._folds.append(accuracy)
        self._show_folds()

    def leave_folds(self) -> None:
        """Show no accuracy: the cross-validation was left."""
        self._accuracy.hide()

    def set_colors(self, colors: ThemeColors) -> None:
        """Follow napari's theme."""
        self._colors = colors
        self.setBackground(colors.background)
        for plot in (self._loss, self._accuracy):
            _paint_axes(plot, colors)
        self._paint_curves()
        self._show_folds()

    def _show_folds(self) -> None:
        x = np.arange(1, len(self._folds) + 1)
        self._dots.setData(x, self._folds)
        self._mean.setVisible(bool(self._folds))
        if self._folds:
            self._mean.setPos(float(np.mean(self._folds)))
        color = pg.mkColor(self._colors.text)
        self._dots.setBrush(color)
        self._mean.setPen(pg.mkPen(color, style=Qt.PenStyle.DotLine))

    def _paint_curves(self) -> None:
        for fold, curve in self._curves.items():
            color = pg.mkColor(self._colors.text)
            color.setAlphaF(1.0 if fold is None else 0.45)
            curve.setPen(pg.mkPen(color, width=2.5 if fold is None else 1))


class ScorePlot(pg.PlotWidget):
    """Histogram of the scores, labels as rugs below, and a threshold to drag.

    The threshold follows the mouse wherever in the plot it is pressed, and the arrow keys.
    """

    threshold_moved = Signal(float)
    """At every step of a drag."""
    threshold_rests = Signal()
    """When the mouse is let go, or a key was pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._box = _DraggableBox(self._dragged, self._let_go)
        super().__init__(parent, viewBox=self._box)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(155)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setToolTip(
            "Number of picks by their score, the probability of a particle; heights are square "
            "roots, so that the few in between are visible. Marks below are your labels.\n"
            "Drag to move the threshold; with the arrow keys it goes by 0.01."
        )
        self.setAccessibleName("Scores and threshold")
        plot = self.getPlotItem()
        _quiet(plot)
        plot.hideAxis("left")
        plot.setLabel("bottom", "Score: probability of a particle")
        plot.setXRange(0, 1, padding=0.04)  # room for the last number
        ticks = [(i / 5, f"{i / 5:g}") for i in range(6)]
        plot.getAxis("bottom").setTicks([ticks, []])
        plot.getAxis("bottom").setStyle(hideOverlappingLabels=False)
        plot.setYRange(-0.22, 1.05, padding=0)
        self._below = pg.BarGraphItem(x=[], height=[], width=0.01)
        self._above = pg.BarGraphItem(x=[], height=[], width=0.01)
        self._rugs = pg.ScatterPlotItem()
        self._line = pg.InfiniteLine(angle=90, pos=0.5)
        self._line.setZValue(10)
        for item in (self._below, self._above, self._rugs, self._line):
            plot.addItem(item)
        self._histogram: Histogram | None = None
        self._vocabulary = Vocabulary()
        self._colors = ThemeColors()
        self.threshold = 0.5
        """Position of the line."""

    def set_threshold(self, threshold: float) -> None:
        """Move the line without emitting a signal."""
        self.threshold = threshold
        self._line.setPos(threshold)
        self._show_bars()

    def set_histogram(self, histogram: Histogram | None, vocabulary: Vocabulary) -> None:
        """Show a histogram; None for none."""
        self._histogram, self._vocabulary = histogram, vocabulary
        self._show_bars()
        self._show_rugs()

    def set_colors(self, colors: ThemeColors) -> None:
        """Follow napari's theme."""
        self._colors = colors
        self.setBackground(colors.background)
        _paint_axes(self.getPlotItem(), colors)
        self._line.setPen(pg.mkPen(colors.text, width=3))
        self._show_bars()
        self._show_rugs()

    def keyPressEvent(self, event: Any) -> None:
        """Move the threshold by the arrow keys."""
        steps = {Qt.Key.Key_Left: -KEY_STEP, Qt.Key.Key_Right: KEY_STEP}
        step = steps.get(Qt.Key(event.key())) if event.key() in set(steps) else None
        if step is None:
            super().keyPressEvent(event)
            return
        self._dragged(round(self.threshold + step, 2))
        self._let_go()

    def wheelEvent(self, event: Any) -> None:
        """Leave the wheel to the panel, which scrolls."""
        event.ignore()

    def viewportEvent(self, event: QEvent) -> bool:
        """Pass the wheel on, which a graphics view would keep."""
        if event.type() == QEvent.Type.Wheel:
            return False
        return bool(super().viewportEvent(event))

    def _dragged(self, x: float) -> None:
        if self._histogram is None:
            return
        threshold = round(min(1.0, max(0.0, x)), 3)
        if threshold != self.threshold:
            self.set_threshold(threshold)
            self.threshold_moved.emit(threshold)

    def _let_go(self) -> None:
        if self._histogram is not None:
            self.threshold_rests.emit()

    def _show_bars(self) -> None:
        histogram = self._histogram
        self._line.setVisible(histogram is not None)
        edges = np.linspace(0, 1, 2) if histogram is None else histogram.edges
        counts = np.zeros(len(edges) - 1) if histogram is None else np.sqrt(histogram.counts)
        heights = counts / max(counts.max(), 1)
        # the bin that the threshold lies in is drawn in two parts
        cut = np.clip(self.threshold, edges[:-1], edges[1:])
        for item, left, right, class_id in (
            (self._below, edges[:-1], cut, CONTAMINANT),
            (self._above, cut, edges[1:], PARTICLE),
        ):
            not_empty = right > left
            color = pg.mkColor(self._vocabulary.style(class_id).color)
            color.setAlphaF(0.85)
            item.setOpts(
                x0=left[not_empty], x1=right[not_empty], y0=0, height=heights[not_empty],
                x=None, width=None, brush=color, pen=None,
            )  # fmt: skip

    def _show_rugs(self) -> None:
        spots = []
        label_scores = {} if self._histogram is None else self._histogram.label_scores
        for i, (class_id, scores) in enumerate(sorted(label_scores.items())):
            style = self._vocabulary.style(class_id)
            spots += [
                {
                    "pos": (float(score), -0.06 - 0.055 * (i % 3)),
                    "symbol": SYMBOLS.get(style.symbol, "o"),
                    "brush": style.color,
                    "pen": pg.mkPen(self._colors.background, width=0.5),
                    "size": 7,
                }
                for score in scores
            ]
        self._rugs.setData(spots)


class _DraggableBox(pg.ViewBox):
    """A view that cannot be panned or zoomed: the mouse sets the threshold."""

    def __init__(self, moved: Any, let_go: Any) -> None:
        super().__init__(enableMenu=False, enableMouse=False)
        self._moved, self._let_go = moved, let_go

    def mouseDragEvent(self, event: Any, axis: Any = None) -> None:
        """Follow the mouse."""
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        event.accept()
        self._moved(self.mapToView(event.pos()).x())
        if event.isFinish():
            self._let_go()

    def mouseClickEvent(self, event: Any) -> None:
        """Jump to the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self._moved(self.mapToView(event.pos()).x())
            self._let_go()


def _quiet(plot: Any) -> None:
    """Remove what a plot in a narrow panel does not need."""
    plot.hideButtons()
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(x=False, y=False)
    font = QFont()
    font.setPointSize(AXIS_PT)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setStyle(tickFont=font, tickTextOffset=3, tickLength=-4)
    plot.getAxis("left").enableAutoSIPrefix(False)


def _paint_axes(plot: Any, colors: ThemeColors) -> None:
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(colors.secondary))
        axis.setTextPen(pg.mkPen(colors.text))
        if axis.labelText:
            axis.setLabel(axis.labelText, color=colors.text, **{"font-size": f"{AXIS_PT}pt"})
    title = plot.titleLabel.text
    if title:
        plot.setTitle(title, color=colors.text, size=f"{AXIS_PT}pt")
