"""A small data set on disk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_annotations import coco_category, person_record

WriteJson = Callable[..., Path]


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    """write_json(images, annotations, **top level) → path of the json."""

    def write(images: list[Any], annotations: list[Any], **top: Any) -> Path:
        content = {"images": images, "annotations": annotations, "categories": [coco_category()]} | top
        path = tmp_path / "people.json"
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def small_set(tmp_path: Path, write_json: WriteJson) -> Path:
    """The json of 11 pictures of 90×100 pixels, one or two people in each, smooth random colours."""
    rng = np.random.default_rng(5)
    images, annotations = [], []
    (tmp_path / "images").mkdir()
    for n in range(11):
        picture = cv2.resize(rng.integers(0, 255, (10, 9, 3), np.uint8), (90, 100), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "images" / f"{n}.png"), picture)
        images.append({"id": n, "file_name": f"{n}.png", "width": 90, "height": 100})
        annotations.append(person_record(2 * n, n, (10, 20, 40, 70)))
        if n % 2:
            annotations.append(person_record(2 * n + 1, n, (45, 5, 20, 60)))
    return write_json(images, annotations)
