from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose.errors import ScaleposeError
from scalepose.evaluation.benchmark.pictures import MOSAIC, find_pictures, mosaic

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, colour in enumerate(COLOURS):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((90 + 30 * i, 120, 3), colour[::-1], np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_pictures_are_spread_over_the_folder(folder: Path):
    assert [path.name for path in find_pictures(folder, 9)] == ["0.png", "1.png", "2.png"]
    assert [path.name for path in find_pictures(folder, 2)] == ["0.png", "1.png"]


def test_unusable_folders_are_named(tmp_path: Path):
    with pytest.raises(ScaleposeError, match="no pictures"):
        find_pictures(tmp_path, 3)
    with pytest.raises(ScaleposeError, match="no folder"):
        find_pictures(tmp_path / "nothing", 3)


@pytest.mark.parametrize(("tiles", "rows", "columns"), [(1, 1, 1), (4, 2, 2), (30, 5, 6)])
def test_mosaic_holds_every_tile_in_turn(folder: Path, tiles: int, rows: int, columns: int):
    width, height = MOSAIC
    canvas = mosaic(find_pictures(folder, 3), tiles)
    assert canvas.shape == (height, width, 3)
    for i in range(tiles):
        y, x = int((i // columns + 0.5) * height / rows), int((i % columns + 0.5) * width / columns)
        assert tuple(canvas[y, x]) == COLOURS[i % 3]
