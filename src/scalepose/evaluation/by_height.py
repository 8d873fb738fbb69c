"""Average precision by how tall people are in the picture, because published figures say nothing of small people.

COCO's own ranges leave out everybody below 32² square pixels. Here the height of the annotated box decides, from below
32 pixels to above 256, and each range is measured in the manner in which COCO measures its ranges of area:

- people whose box height lies outside the range are ignored: finding them is neither right nor wrong;
- a found person that matches nobody counts against the range that its own height lies in: the vertical extent of its
  found keypoints, which is a little less than that of a box (a head ends above the eyes, a foot below the ankle);
- everything else is the coco protocol. The lower end of a range belongs to it, the upper end to the next.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalepose.data.annotations import Annotations
from scalepose.evaluation.matching import Scene, scenes
from scalepose.evaluation.precision import precision_recall

LIMITS = (32, 64, 128, 256)  # pixels of the file
RANGES = ("<32", "32-64", "64-128", "128-256", ">256")


def precision_by_height(
    annotations: Annotations, results: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float | int]]:
    """AP, AP50, AR (0 to 1, NaN where there is nobody) and the number of people to find, for each of `RANGES`.

    Raises ScaleposeError when the results do not fit the annotations.
    """
    return measure_by_height(scenes(annotations, results))


def measure_by_height(all_scenes: Sequence[Scene]) -> dict[str, dict[str, float | int]]:
    """`precision_by_height` of pictures already put together with what was found in them."""
    outside = [(_outside(scene.boxes[:, 3]), _outside(_heights(scene.found.keypoints))) for scene in all_scenes]
    precision, recall = precision_recall(all_scenes, outside, len(RANGES))
    people = np.zeros(len(RANGES), np.int64)
    for scene, (truth_outside, _) in zip(all_scenes, outside, strict=True):
        people += (~(scene.ignored | truth_outside)).sum(-1)
    return {
        name: {
            "AP": float(precision[r].mean()),
            "AP50": float(precision[r, 0].mean()),
            "AR": float(recall[r].mean()),
            "people": int(people[r]),
        }
        for r, name in enumerate(RANGES)
    }


def _heights(keypoints: np.ndarray) -> np.ndarray:
    """(D,) vertical extent of (D, K, 3) keypoints; those at 0, 0, 0 are missing and do not count."""
    y, missing = keypoints[..., 1], ~keypoints.any(-1)
    highest = np.where(missing, -np.inf, y).max(-1, initial=-np.inf)
    lowest = np.where(missing, np.inf, y).min(-1, initial=np.inf)
    return np.maximum(highest - lowest, 0)


def _outside(heights: np.ndarray) -> np.ndarray:
    """(5, N) bool: in which ranges each height is not."""
    return np.searchsorted(LIMITS, heights, side="right") != np.arange(len(RANGES))[:, None]
