"""`scalepose synth`."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose.apps.synth import synth_command
from scalepose.data.annotations import read_annotations
from scalepose.errors import ScaleposeError


def test_renders_a_data_set_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert synth_command(2, tmp_path, 1, (96, 64), 2) == 0
    assert str(tmp_path / "person_keypoints.json") in capsys.readouterr().out
    pictures = read_annotations(tmp_path / "person_keypoints.json").pictures
    assert [(p.width, p.height) for p in pictures] == [(96, 64)] * 2


def test_unreadable_backgrounds_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "good.png"), np.full((50, 70, 3), 90, np.uint8))
    (tmp_path / "photos" / "bad.jpg").touch()
    assert synth_command(6, tmp_path / "out", 1, (96, 64), 1, tmp_path / "photos") == 1
    assert "bad.jpg" in capsys.readouterr().err
    assert len(read_annotations(tmp_path / "out" / "person_keypoints.json").pictures) == 6


def test_nowhere_to_write(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ScaleposeError, match="cannot be written"):
        synth_command(1, tmp_path / "file", 0, (96, 64), None)
