"""People in the training pictures whom nobody labelled: where a model finds one, the loss is not to look.

Unlabelled people are negatives to the loss: it teaches the network not to see them. COCO marks them as regions to be
ignored; data sets that do not can be completed with what a trained model finds in them.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scalepose.data.annotations import load_json, read_annotations, save_json
from scalepose.data.boxes import Boxes
from scalepose.data.boxfiles import read_boxes
from scalepose.errors import ScaleposeError
from scalepose.geometry import AREA_OF_BOX

SCORE = 0.2  # everybody counts whom `scalepose predict` reports by default
APART = 0.3  # of the smaller of two boxes, one found and one labelled, the part that they may share


def ignore_unlabelled(
    annotations: str | Path, found: str | Path, out: str | Path, score: float = SCORE
) -> tuple[int, int]:
    """Write to `out` the annotations with a region to be ignored for everybody found whom they do not have.

    annotations: a COCO-style json. found: people in the same pictures, as `scalepose predict --json` writes them.
    Somebody found is unlabelled when scored `score` or more and when the box around them shares with no annotation's
    box more than 0.3 of the smaller of the two. The region is that box, an annotation without keypoints. Returns how
    many regions were added, and to how many pictures. Raises ScaleposeError when a file cannot be read or written, or
    `found` is of other pictures; `out` may be neither of them.
    """
    known = read_annotations(annotations)
    boxes = read_boxes(found)
    pictures = [(picture.path, picture.id) for picture in known.pictures]
    ids = boxes.match(pictures) if boxes.people else [None] * len(pictures)
    content = load_json(Path(annotations))
    category = _category(content)
    free = max((a["id"] for a in content["annotations"] if isinstance(a, dict) and type(a.get("id")) is int), default=0)
    added: list[dict[str, Any]] = []
    for picture, id in zip(known.pictures, ids, strict=True):
        if id is None or id not in boxes.people:
            continue
        labelled = np.array([person.box for person in picture.people], np.float32).reshape(-1, 4)
        for box in _apart(boxes.people[id], labelled, score):
            added.append(
                {
                    "id": free + len(added) + 1,
                    "image_id": picture.id,
                    "category_id": category,
                    "bbox": [round(float(v), 2) for v in box],
                    "area": round(float(AREA_OF_BOX * box[2] * box[3]), 2),
                    "iscrowd": 0,
                    "num_keypoints": 0,
                    "keypoints": [0] * 3 * len(known.skeleton),
                }
            )
    content["annotations"] += added
    save_json(content, Path(out), (Path(annotations), Path(found)))
    return len(added), len({region["image_id"] for region in added})


def _category(content: dict[str, Any]) -> Any:
    """The id of the category with keypoints."""
    described = [c for c in content.get("categories") or [] if isinstance(c, dict) and c.get("keypoints")]
    return described[0].get("id") if described else 1


def _apart(found: Boxes, labelled: np.ndarray, score: float) -> Iterator[np.ndarray]:
    """The boxes (4,) of those found who are none of the labelled (P, 4); all boxes are x, y, width, height."""
    for box, certain in zip(found.boxes, found.scores, strict=True):
        low = np.maximum(box[:2], labelled[:, :2])
        high = np.minimum(box[:2] + box[2:], labelled[:, :2] + labelled[:, 2:])
        shared = (high - low).clip(0).prod(1)  # (P,) square pixels
        apart = shared <= APART * np.minimum(box[2:].prod(), labelled[:, 2:].prod(1))
        if certain >= score and apart.all():
            yield box


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scalepose.data.unlabelled",
        description="Add to annotations, as regions to be ignored, people whom a model found and nobody labelled.",
    )
    parser.add_argument("annotations", type=Path, help="a COCO-style json")
    parser.add_argument("--found", type=Path, required=True, help="what `scalepose predict --json` wrote")
    parser.add_argument("--out", type=Path, required=True, help="the json to write")
    parser.add_argument("--score", type=float, default=SCORE, help="leave alone who is scored below (default 0.2)")
    arguments = parser.parse_args()
    try:
        regions, pictures = ignore_unlabelled(arguments.annotations, arguments.found, arguments.out, arguments.score)
    except ScaleposeError as error:
        print(f"scalepose: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {regions} regions to be ignored added to {pictures} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
