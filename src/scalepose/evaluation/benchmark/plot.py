"""A line chart as a PNG, drawn with OpenCV alone: latency against the number of people, on a logarithmic scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.evaluation.benchmark.timing import Spread

Colour = tuple[int, int, int]  # BGR, as OpenCV writes it

WIDTH, HEIGHT = 960, 500
LEFT, TOP, BOTTOM = 70, 80, 60  # margins around the field; the lines' names stand on the right
GAP = 14  # between the field and the names, and between them and the edge
SMALL = 0.42  # of the font, for all but the title
FINE = 4  # drawn so many times as large, then averaged down: smooth lines and letters
FONT = cv2.FONT_HERSHEY_DUPLEX  # ASCII only
LINE_HEIGHT = 19
INK, GREY, PALE = (60, 50, 45), (125, 115, 110), (228, 224, 221)
# Told apart with any kind of colour vision (Okabe and Ito's palette).
COLOURS: Sequence[Colour] = (
    (178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204), (0, 159, 230), (80, 80, 80), (233, 180, 86),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the chart: its name and, by x in ascending order, values above 0."""

    name: str
    points: dict[int, Spread]


def draw_lines(path: Path, title: str, subtitle: str, x_label: str, lines: Sequence[Line]) -> None:
    """Write the chart; bands show the quartiles. Raises ScaleposeError when the file cannot be written."""
    chart = _Chart(lines)
    chart.axes(x_label)
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(lines))]
    for line, colour in zip(lines, colours, strict=True):
        chart.line(line, colour)
    chart.names(lines, colours)
    chart.text(title, LEFT, 32, INK, 0.6)
    chart.text(subtitle, LEFT, 56, GREY, SMALL)
    small = cv2.resize(chart.canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".png", small, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be written ({error.strerror})") from error


class _Chart:
    """A canvas with its scales. All places are in pixels of the finished picture."""

    def __init__(self, lines: Sequence[Line]):
        self.canvas = np.full((HEIGHT * FINE, WIDTH * FINE, 3), 255, np.uint8)
        self._xs = sorted({x for line in lines for x in line.points})
        values = [value for line in lines for s in line.points.values() for value in (s.low, s.high)]
        longest = max((_width(_label(line), SMALL) for line in lines), default=0)
        self._right = max(WIDTH // 2, WIDTH - 2 * GAP - math.ceil(longest))
        self._low, self._high = math.log(min(values) / 1.3), math.log(max(values) * 1.3)

    def axes(self, x_label: str) -> None:
        """Grid, ticks and what they count."""
        for decade in range(-4, 7):
            for step in (1, 2, 5):
                value = step * 10.0**decade
                if self._low <= math.log(value) <= self._high:
                    y = self._y(value)
                    self._stroke([(LEFT, y), (self._right, y)], PALE, 1)
                    self.text(f"{value:g} ms", LEFT - 10, y + 5, GREY, SMALL, anchor=1)
        right = -math.inf
        for x in self._xs:
            if self._x(x) > right + 22:  # or the numbers would touch
                right = self._x(x)
                self.text(str(x), right, HEIGHT - BOTTOM + 20, GREY, SMALL, anchor=0.5)
        self._stroke([(LEFT, HEIGHT - BOTTOM), (self._right, HEIGHT - BOTTOM)], GREY, 1)
        self.text(x_label, (LEFT + self._right) / 2, HEIGHT - 16, GREY, 0.45, anchor=0.5)

    def line(self, line: Line, colour: Colour) -> None:
        """The medians, and a pale band between the quartiles."""
        xs = [self._x(x) for x in line.points]
        lower = [(x, self._y(s.low)) for x, s in zip(xs, line.points.values(), strict=True)]
        upper = [(x, self._y(s.high)) for x, s in zip(xs, line.points.values(), strict=True)]
        band = self.canvas.copy()
        cv2.fillPoly(band, [self._fixed(lower + upper[::-1])], colour)
        cv2.addWeighted(band, 0.18, self.canvas, 0.82, 0, dst=self.canvas)
        medians = [(x, self._y(s.median)) for x, s in zip(xs, line.points.values(), strict=True)]
        self._stroke(medians, colour, 2)
        for x, y in self._fixed(medians):
            cv2.circle(self.canvas, (int(x), int(y)), round(3.5 * FINE), colour, -1, cv2.LINE_AA)

    def names(self, lines: Sequence[Line], colours: Sequence[Colour]) -> None:
        """Every line's name where it ends, moved apart where lines end close together."""
        ends = [self._y(list(line.points.values())[-1].median) for line in lines]
        order = np.argsort(ends, kind="stable")
        places = np.array(ends)[order]
        for i in range(1, len(places)):
            places[i] = max(places[i], places[i - 1] + LINE_HEIGHT)
        places -= max(0.0, places[-1] - (HEIGHT - BOTTOM))  # back up from below the field
        for i in reversed(range(len(places) - 1)):
            places[i] = min(places[i], places[i + 1] - LINE_HEIGHT)
        for place, i in zip(places, order, strict=True):
            self.text(_label(lines[i]), self._right + GAP, place + 5, colours[i], SMALL)

    def text(self, text: str, x: float, y: float, colour: Colour, scale: float, anchor: float = 0) -> None:
        """Letters whose baseline is at y; anchor: the part of their width that lies left of x."""
        place = (round((x - anchor * _width(text, scale)) * FINE), round(y * FINE))
        cv2.putText(self.canvas, _ascii(text), place, FONT, scale * FINE, colour, FINE, cv2.LINE_AA)

    def _x(self, value: float) -> float:
        first, last = self._xs[0], self._xs[-1]
        return LEFT + 12 + (self._right - LEFT - 24) * (value - first) / max(last - first, 1)

    def _y(self, value: float) -> float:
        part = (math.log(value) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * part

    def _stroke(self, points: Sequence[tuple[float, float]], colour: Colour, width: int) -> None:
        cv2.polylines(self.canvas, [self._fixed(points)], False, colour, width * FINE, cv2.LINE_AA)

    def _fixed(self, points: Sequence[tuple[float, float]]) -> np.ndarray:
        return np.rint(np.array(points) * FINE).astype(np.int32)


def _label(line: Line) -> str:
    """A line's name and its last value."""
    return f"{line.name}  {list(line.points.values())[-1]}"


def _ascii(text: str) -> str:
    """In the letters that OpenCV's fonts have."""
    return text.replace(" · ", ", ").replace("×", "x").replace("–", "-").encode("ascii", "replace").decode()


def _width(text: str, scale: float) -> float:
    """In pixels of the finished picture."""
    return cv2.getTextSize(_ascii(text), FONT, scale * FINE, FINE)[0][0] / FINE
