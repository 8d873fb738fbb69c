"""Where the people are of whom crops are taken: from annotations, or from people found before.

Boxes are x, y, width, height in image pixels. It opens no pictures and cuts nothing; files of boxes are for `boxfiles`.
"""

import math
from dataclasses import dataclass

import numpy as np

from scalepose.data.annotations import Annotations, Problem
from scalepose.geometry import Size
from scalepose.poses import Poses

PADDING = 0.09  # of the longer side: keypoints end inside of a body. Overlaps best (0.74) with 149,813 boxes of COCO
_LARGEST = 20.0  # times the longer side of the picture; nobody's box is larger


@dataclass(frozen=True, eq=False)
class Boxes:
    """The P people to look at in one picture.

    boxes: (P, 4) float32, x, y, width, height in image pixels. scores: (P,) float32, how sure it is that there is
    somebody: the detector's, 1 for annotated people.
    """

    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def usable(self, size: Size) -> tuple["Boxes", list[str]]:
        """Those that a crop can be cut of, in a picture of `size` (w, h); and what is wrong with each of the others."""
        fault = [box_fault(box, size) for box in self.boxes]
        sound = np.array([reason is None for reason in fault], bool)
        reasons = [
            f"box ({', '.join(f'{v:g}' for v in box)}) {reason}"
            for box, reason in zip(self.boxes, fault, strict=True)
            if reason
        ]
        return Boxes(self.boxes[sound], self.scores[sound]), reasons


def box_fault(box: np.ndarray, size: Size) -> str | None:
    """Why no crop can be cut around `box`, (4,) x, y, width, height, in a picture of `size` (w, h); or None."""
    x, y, w, h = map(float, box)
    if not all(map(math.isfinite, (x, y, w, h))):
        return "holds something that is not a finite number"
    if w <= 0 or h <= 0:
        return "has no width or no height"
    if x >= size[0] or y >= size[1] or x + w <= 0 or y + h <= 0:
        return f"lies outside the picture of {size[0]}×{size[1]}"
    if max(w, h) > _LARGEST * max(size):
        return f"is far larger than the picture of {size[0]}×{size[1]}"
    return "is smaller than a pixel" if max(w, h) < 1 else None


def annotated_box(box: np.ndarray, size: Size) -> np.ndarray:
    """An annotated box as the top-down papers take it: from its first to its last pixel within a picture of `size`.

    (4,) → (4,) float32. Sides are one less than the number of pixels.
    """
    x, y, w, h = map(float, box)
    x1, y1 = max(0.0, x), max(0.0, y)
    x2, y2 = min(size[0] - 1, x1 + max(0.0, w - 1)), min(size[1] - 1, y1 + max(0.0, h - 1))
    return np.array([x1, y1, max(0.0, x2 - x1), max(0.0, y2 - y1)], np.float32)


def annotated_boxes(annotations: Annotations) -> tuple[dict[int | str, Boxes], list[Problem]]:
    """Boxes of the people with labelled keypoints, by picture id, score 1; and those that are too small."""
    people: dict[int | str, Boxes] = {}
    problems: list[Problem] = []
    for picture in annotations.pictures:
        boxes = []
        for person in picture.people:
            if person.crowd or not person.labelled:
                continue
            box = annotated_box(person.box, (picture.width, picture.height))
            if box[2:].min() <= 0:
                reason = "bbox is too small for a crop: less than 2 pixels wide or high"
                problems.append(Problem(str(annotations.source), f"annotation {person.id}", reason))
            else:
                boxes.append(box)
        people[picture.id] = Boxes(np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32))
    return people, problems


def pose_boxes(points: np.ndarray, padding: float = PADDING) -> np.ndarray:
    """(P, 4) float32 boxes around people of whom keypoints are known: (P, K, 2), NaN where missing.

    padding: on every side, in parts of the longer side around the keypoints. A person with less than two keypoints has
    a box of NaN.
    """
    known = np.isfinite(points[..., :1]) & np.isfinite(points[..., 1:])  # (P, K, 1)
    low = np.where(known, points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, points, -np.inf).max(axis=1, initial=-np.inf)
    low[known.sum(axis=(1, 2)) < 2] = np.nan
    extent = high - low
    margin = padding * extent.max(axis=1, keepdims=True)
    boxes = np.concatenate([low - margin, extent + 2 * margin], axis=1).astype(np.float32)
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def boxes_of_poses(poses: Poses) -> Boxes:
    """The people of `poses` with at least two keypoints, with their scores."""
    boxes = pose_boxes(poses.keypoints)
    sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    return Boxes(boxes[sound], poses.scores[sound])
