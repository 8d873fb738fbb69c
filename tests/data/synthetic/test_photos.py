"""Photos behind rendered people; those that cannot be read are named and left out."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose.data.synthetic import Photos, render_scene, write_scenes
from scalepose.errors import ScaleposeError

SIZE = (96, 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one green and one blue, and a file that is none."""
    path = tmp_path / "photos"
    path.mkdir()
    for name, colour in (("a.png", (0, 200, 0)), ("b.jpg", (200, 0, 0))):
        cv2.imwrite(str(path / name), np.full((50, 70, 3), colour, np.uint8))
    (path / "notes.txt").write_text("no photo")
    return path


def test_a_photo_fills_the_picture(folder: Path):
    photos, seen = Photos(folder), set()
    for seed in range(8):
        picture, people = render_scene(seed, *SIZE, people=0, photo=photos)
        assert people == []
        means = picture.reshape(-1, 3).mean(axis=0)
        seen.add(int(means.argmax()))
        assert means.max() > 2 * np.delete(means, means.argmax()).max()
    assert seen == {1, 2}  # RGB: green and blue


def test_unreadable_photos_are_named_once_and_the_rest_serves(folder: Path, tmp_path: Path):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 nothing more")
    named: list[str] = []
    write_scenes(9, tmp_path / "out", size=SIZE, people=0, backgrounds=folder, warn=named.append)
    assert len(named) == 1
    assert "broken.jpg" in named[0]
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 9


def test_without_a_single_photo(tmp_path: Path):
    with pytest.raises(ScaleposeError, match="cannot be read"):
        Photos(tmp_path / "nowhere")
    with pytest.raises(ScaleposeError, match="holds no pictures"):
        Photos(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"")
    with pytest.raises(ScaleposeError, match="none of its 1 pictures"):
        render_scene(0, *SIZE, photo=Photos(tmp_path))


def test_other_photos_make_other_pictures(folder: Path, tmp_path: Path):
    write_scenes(1, tmp_path / "out", size=SIZE, backgrounds=folder)
    (folder / "a.png").unlink()
    with pytest.raises(ScaleposeError, match="made otherwise"):
        write_scenes(2, tmp_path / "out", size=SIZE, backgrounds=folder)
