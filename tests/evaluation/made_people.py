"""Annotations and results for the tests, and the same measured by faster-coco-eval, the independent truth."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval.core.coco import COCO
from faster_coco_eval.core.faster_eval_api import COCOeval_faster

from scalepose.data.annotations import Annotations, Person, Picture
from scalepose.skeletons import COCO17, Skeleton


def person(
    id: int = 1,
    at: tuple[float, float] = (100, 100),
    size: float = 100,
    visible: bool | list[int] = True,
    crowd: bool = False,
    skeleton: Skeleton = COCO17,
    area: float | None = None,
) -> Person:
    """A made-up person whose keypoints lie on a spiral within a box of `size` pixels."""
    K = len(skeleton)
    turn, radius = np.arange(K) * 2.4, np.sqrt((np.arange(K) + 0.5) / K) * size / 2
    keypoints = np.zeros((K, 3), np.float32)
    keypoints[:, 0] = at[0] + size / 2 + radius * np.cos(turn)
    keypoints[:, 1] = at[1] + size / 2 + radius * np.sin(turn)
    keypoints[:, 2] = np.asarray(visible) * 2
    box = np.array([*at, size, size], np.float32)
    return Person(id, keypoints, box, size * size * 0.5 if area is None else area, crowd, None)


def picture(id: int, *people: Person, crowd_index: float | None = None) -> Picture:
    return Picture(id, Path(f"{id}.png"), 640, 480, people, crowd_index)


def annotations(*pictures: Picture, skeleton: Skeleton = COCO17) -> Annotations:
    return Annotations(skeleton, pictures, (), Path("people.json"))


def result(image_id: int | str, someone: Person, score: float = 1.0, shift: float = 0.0) -> dict[str, Any]:
    """`someone` found, `shift` pixels to the right."""
    rows = someone.keypoints.astype(float)
    rows[:, 0] += shift
    rows[:, 2] = score
    return {"image_id": image_id, "category_id": 1, "keypoints": rows.reshape(-1).tolist(), "score": score}


def coco_json(truth: Annotations) -> dict[str, Any]:
    return {
        "images": [
            {"id": p.id, "width": p.width, "height": p.height, "file_name": p.path.name, "crowdIndex": p.crowd_index}
            for p in truth.pictures
        ],
        "annotations": [
            {
                "id": someone.id,
                "image_id": p.id,
                "category_id": 1,
                "keypoints": someone.keypoints.astype(float).reshape(-1).tolist(),
                "num_keypoints": int((someone.keypoints[:, 2] > 0).sum()),
                "bbox": someone.box.astype(float).tolist(),
                "area": someone.area,
                "iscrowd": int(someone.crowd),
            }
            for p in truth.pictures
            for someone in p.people
        ],
        "categories": [truth.skeleton.to_category()],
    }


def write(truth: Annotations, folder: Path) -> Path:
    file = folder / "truth.json"
    file.write_text(json.dumps(coco_json(truth)))
    return file


def reference(file: Path, results: list[dict[str, Any]], skeleton: Skeleton, crowd: bool = False) -> dict[str, float]:
    """What faster-coco-eval measures on the annotations `file`; NaN for its -1."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(str(file))
        dt = gt.loadRes(json.loads(json.dumps(results)))
        run = COCOeval_faster(
            gt,
            dt,
            "keypoints_crowd" if crowd else "keypoints",
            kpt_oks_sigmas=list(skeleton.sigmas),
            use_area=not crowd,
        )
        run.run()
    names = (
        "AP AP50 AP75 AR AR50 AR75 AP_easy AP_medium AP_hard" if crowd else "AP AP50 AP75 APM APL AR AR50 AR75 ARM ARL"
    ).split()
    return {name: float(v) if v != -1 else np.nan for name, v in zip(names, run.all_stats, strict=True)}
