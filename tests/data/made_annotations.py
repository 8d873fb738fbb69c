"""Parts of COCO-style files for tests."""

from typing import Any

import numpy as np

from scalepose.skeletons import COCO17

K = len(COCO17)


def coco_category() -> dict[str, Any]:
    return {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints), "skeleton": []}


def person_record(id: int, image_id: int | str, box: tuple[float, ...] = (20, 10, 30, 60), /, **changes: Any) -> dict:
    """A person whose keypoints all lie in the box, each in a place of its own; `changes` overrides fields."""
    x, y, w, h = box
    steps = (np.arange(K) + 1) / (K + 1)
    keypoints = np.stack([x + w * steps, y + h * steps**2, np.full(K, 2)], axis=1).round(2).reshape(-1).tolist()
    record = {
        "id": id, "image_id": image_id, "category_id": 1, "bbox": list(box), "area": w * h / 2, "iscrowd": 0,
        "num_keypoints": K, "keypoints": keypoints,
    }  # fmt: skip
    return {key: value for key, value in (record | changes).items() if value is not ...}
