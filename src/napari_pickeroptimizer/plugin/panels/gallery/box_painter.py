"""How one cell of the gallery is painted: box, label, decided class, score, selection."""

from typing import Any

from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from napari_pickeroptimizer.plugin.labels.vocabulary import ClassStyle
from napari_pickeroptimizer.plugin.panels.gallery.order import CellLook
from napari_pickeroptimizer.plugin.panels.gallery.thumbnails import Thumbnail
from napari_pickeroptimizer.plugin.panels.symbols import draw_symbol
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors

MARGIN_PX = 7  # around the box: border, gap, selection and focus ring
LABEL_PX = 3.0
DECIDED_PX = 1.6
ALIGN_CENTRE = Qt.AlignmentFlag.AlignCenter
WITH_TEXT_PX = 56  # smaller boxes show no score


class BoxPainter:
    """Paints cells in the colours of a theme."""

    def __init__(self) -> None:
        self.set_theme(ThemeColors())

    def set_theme(self, theme: ThemeColors) -> None:
        """Take the colours of another theme."""
        self.background, self.placeholder = QColor(theme.background), QColor(theme.foreground)
        self.text, self.muted = QColor(theme.text), _between(theme.text, theme.foreground)
        # a theme's yellow is too light for a ring on white
        self.focus = QColor(theme.warning if theme.is_dark else "#8a5a00")

    def message(self, painter: QPainter, rect: QRect, text: str) -> None:
        """Paint a message into an empty grid."""
        painter.setPen(self.text)
        inner = rect.adjusted(24, 12, -24, -12)
        flags = ALIGN_CENTRE.value | Qt.TextFlag.TextWordWrap.value
        painter.drawText(inner, flags, text)

    def cell(
        self,
        painter: QPainter,
        rect: QRectF,
        look: CellLook,
        thumbnail: Thumbnail | None,
        *,
        selected: bool,
        current: bool,
        focused: bool,
    ) -> None:
        """Paint one cell into its rectangle."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        box = rect.adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)
        if selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.text)
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        self._image(painter, box, thumbnail)
        self._border(painter, box, look, selected=selected)
        if box.width() >= WITH_TEXT_PX and look.score:
            self._score(painter, box, look.score)
        if look.label is not None:
            self._badge(painter, box, look.label)
        if selected:
            self._tick(painter, box)
        if current:
            self._ring(painter, rect, focused=focused)

    def _image(self, painter: QPainter, box: QRectF, thumbnail: Thumbnail | None) -> None:
        pixels = None if thumbnail is None else thumbnail.pixels
        if pixels is None:
            painter.fillRect(box, self.placeholder)
        else:
            h, w = pixels.shape
            data: Any = pixels.data  # both bindings take a buffer, whatever their types say
            image = QImage(data, w, h, w, QImage.Format.Format_Grayscale8)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            device: Any = painter.device()
            scale = device.devicePixelRatioF()
            if round(box.width() * scale) == w:  # one to one is several times faster
                image.setDevicePixelRatio(scale)
                painter.drawImage(box.topLeft(), image)
            else:
                painter.drawImage(box, image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        if thumbnail is not None and thumbnail.problem:
            self._problem(painter, box, thumbnail.problem, on_image=pixels is not None)

    def _problem(self, painter: QPainter, box: QRectF, text: str, *, on_image: bool) -> None:
        color = QColor(255, 255, 255, 200) if on_image else self.muted
        painter.setPen(QPen(color, 1.0))
        painter.drawLine(box.topLeft(), box.bottomRight())
        painter.drawLine(box.topRight(), box.bottomLeft())
        if box.width() >= WITH_TEXT_PX:
            middle = QRectF(box.left(), box.center().y() - 9, box.width(), 18)
            painter.fillRect(middle, QColor(0, 0, 0, 170) if on_image else self.placeholder)
            painter.setPen(color)
            painter.drawText(middle, ALIGN_CENTRE, text)

    def _border(
        self, painter: QPainter, box: QRectF, look: CellLook, *, selected: bool
    ) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if look.label is not None:
            pen = QPen(QColor(look.label.color), LABEL_PX)
            out = LABEL_PX / 2
        elif look.decided is not None:
            style = Qt.PenStyle.SolidLine if look.kept else Qt.PenStyle.DashLine
            if selected:  # lines of light classes are invisible on the selection
                painter.setPen(QPen(QColor(0, 0, 0), DECIDED_PX))
                painter.drawRect(box.adjusted(-0.8, -0.8, 0.8, 0.8))
            pen = QPen(QColor(look.decided.color), DECIDED_PX, style)
            out = DECIDED_PX / 2
        else:
            return
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRect(box.adjusted(-out, -out, out, out))

    def _score(self, painter: QPainter, box: QRectF, text: str) -> None:
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(text) + 6, metrics.height() + 1
        strip = QRectF(box.left(), box.bottom() - height, width, height)
        painter.fillRect(strip, QColor(0, 0, 0, 165))
        painter.setPen(QColor("white"))
        painter.drawText(strip, ALIGN_CENTRE, text)

    def _badge(self, painter: QPainter, box: QRectF, style: ClassStyle) -> None:
        """Paint the label's symbol as on the micrograph, its key in it."""
        side = min(19.0, max(11.0, box.width() / 5))
        area = QRectF(box.left() + 1, box.top() + 1, side, side)
        color = QColor(style.color)
        painter.setPen(QPen(QColor(0, 0, 0, 190), 1.2))
        painter.setBrush(color)
        draw_symbol(painter, area, style.symbol, corner_scale=1.25)  # to hold the letter
        if side >= 13:
            dark = color.lightnessF() > 0.45 or color.green() > 110
            painter.setPen(QColor("black") if dark else QColor("white"))
            font = painter.font()
            small = painter.font()
            small.setPixelSize(int(side * 0.6))
            small.setBold(True)
            painter.setFont(small)
            painter.drawText(area, ALIGN_CENTRE, style.key)
            painter.setFont(font)

    def _tick(self, painter: QPainter, box: QRectF) -> None:
        side = min(18.0, max(11.0, box.width() / 5))
        area = QRectF(box.right() - side - 2, box.top() + 2, side, side)
        painter.setPen(QPen(self.background, 1.0))
        painter.setBrush(self.text)
        painter.drawEllipse(area)
        painter.setPen(QPen(self.background, max(1.6, side / 8)))
        at = [(0.27, 0.52), (0.44, 0.70), (0.75, 0.33)]
        points = [QPointF(area.left() + x * side, area.top() + y * side) for x, y in at]
        painter.drawPolyline(QPolygonF(points))

    def _ring(self, painter: QPainter, rect: QRectF, *, focused: bool) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = 2.0 if focused else 1.2
        painter.setPen(QPen(self.focus, width))
        half = width / 2
        painter.drawRoundedRect(rect.adjusted(half, half, -half, -half), 4, 4)


def _between(text: str, background: str) -> QColor:
    """Return a colour between two: quieter than text, still easy to read."""
    one, other = QColor(text).getRgb()[:3], QColor(background).getRgb()[:3]
    return QColor(*(round(0.75 * a + 0.25 * b) for a, b in zip(one, other, strict=True)))
