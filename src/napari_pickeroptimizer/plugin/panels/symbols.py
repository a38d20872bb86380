"""The symbols of the classes, drawn as napari draws them on the micrograph."""

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF

from napari_pickeroptimizer.plugin.labels.vocabulary import ClassStyle

ICON_PX = 18
# corners in a square of side 2 around 0, y down; any other symbol is a disc
_CORNERS: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)),
    "diamond": ((0, -1), (1, 0), (0, 1), (-1, 0)),
    "triangle_up": ((0, -0.95), (0.95, 0.8), (-0.95, 0.8)),
    "triangle_down": ((0, 0.95), (0.95, -0.8), (-0.95, -0.8)),
    "star": (
        (0, -1), (0.26, -0.36), (0.95, -0.31), (0.43, 0.14), (0.59, 0.81),
        (0, 0.45), (-0.59, 0.81), (-0.43, 0.14), (-0.95, -0.31), (-0.26, -0.36),
    ),
}  # fmt: skip


def draw_symbol(
    painter: QPainter, area: QRectF, symbol: str, *, corner_scale: float = 1.0
) -> None:
    """Draw one of napari's point symbols with the painter's pen and brush.

    Parameters
    ----------
    painter : QPainter
        What draws.
    area : QRectF
        A disc fills it.
    symbol : str
        As napari calls it; an unknown one is drawn as a disc.
    corner_scale : float
        How far symbols with corners reach beyond the area: above 1 to hold a letter.
    """
    if symbol not in _CORNERS:
        painter.drawEllipse(area)
        return
    middle, half = area.center(), corner_scale * area.width() / 2
    painter.drawPolygon(
        QPolygonF(
            [
                QPointF(middle.x() + half * x, middle.y() + half * y)
                for x, y in _CORNERS[symbol]
            ]
        )
    )


def class_icon(
    style: ClassStyle, ratio: float = 1.0, *, color: str = "", filled: bool = False
) -> QIcon:
    """Return the symbol of a class as an icon: a ring as on the micrograph, or filled.

    Parameters
    ----------
    style : ClassStyle
        The class.
    ratio : float
        Pixels of the screen a pixel of the icon.
    color : str
        Another colour than the class's.
    filled : bool
        Whether it is filled.
    """
    pixmap = QPixmap(round(ICON_PX * ratio), round(ICON_PX * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    drawn = QColor(color or style.color)
    painter.setBrush(drawn if filled else Qt.BrushStyle.NoBrush)
    # a dark rim around the line: light colours are seen on a light panel too
    for line, width in ((QColor(0, 0, 0, 110), 4.0), (drawn, 2.4)):
        painter.setPen(QPen(line, width))
        draw_symbol(painter, QRectF(2.5, 2.5, ICON_PX - 5, ICON_PX - 5), style.symbol)
    painter.end()
    return QIcon(pixmap)
