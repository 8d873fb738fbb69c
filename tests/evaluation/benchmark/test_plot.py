from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose.errors import ScaleposeError
from scalepose.evaluation.benchmark.plot import COLOURS, HEIGHT, LINE_HEIGHT, WIDTH, Line, draw_lines
from scalepose.evaluation.benchmark.timing import Spread


def flat(name: str, value: float) -> Line:
    return Line(name, {people: Spread(value, value, value, 3) for people in (1, 10, 30)})


def draw(path: Path, *lines: Line) -> np.ndarray:
    draw_lines(path, "title", "subtitle", "people", lines)
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def rows_of(picture: np.ndarray, colour: tuple[int, int, int], columns: slice) -> np.ndarray:
    return np.unique(np.nonzero((np.abs(picture[:, columns].astype(int) - colour) < 12).all(axis=2))[0])


def test_lines_lie_in_order_and_on_a_logarithmic_scale(tmp_path: Path):
    picture = draw(tmp_path / "new" / "plot.png", flat("slow", 1000), flat("middle", 100), flat("quick", 10))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    middle = slice(WIDTH // 4, WIDTH // 3)  # between two points, where there is nothing but lines
    slow, between, quick = (rows_of(picture, colour, middle).mean() for colour in COLOURS[:3])
    assert slow < between < quick
    assert between - slow == pytest.approx(quick - between, abs=2)


def test_names_of_lines_that_end_together_do_not_overlap(tmp_path: Path):
    picture = draw(tmp_path / "plot.png", flat("one", 50), flat("two", 50.1), flat("three", 50.2))
    names = [rows_of(picture, colour, slice(WIDTH - 80, WIDTH)).mean() for colour in COLOURS[:3]]
    assert np.diff(sorted(names)).min() > LINE_HEIGHT - 4


def test_long_names_stay_within_the_picture(tmp_path: Path):
    picture = draw(tmp_path / "plot.png", flat("a model with a long name on a runtime of many words", 50))
    assert (picture[:, -8:] == 255).all()
    assert (picture[:, -40:] != 255).any()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ScaleposeError, match="plot"):
        draw(tmp_path / "file" / "plot.png", flat("one", 1))
