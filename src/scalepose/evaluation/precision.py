"""Average precision and recall of found people, by the protocols of COCO keypoints and of CrowdPose.

Agrees with COCOeval (and its C++ successors) to rounding. Ten OKS thresholds 0.50 … 0.95, 101 recall points, the
twenty best people of each picture; crowds and people without labelled keypoints are ignored. Any skeleton: its sigmas
are used. Source: cocodataset.org, "Keypoint evaluation"; CrowdPose (arXiv 1812.00324) and its evaluation code.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from scalepose.data.annotations import Annotations
from scalepose.errors import ScaleposeError
from scalepose.evaluation.matching import Scene, match, scenes

Protocol = Literal["coco", "crowdpose"]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = np.array([(0, 1e10), (32**2, 96**2), (96**2, 1e10)])  # all, medium, large; square pixels, ends included
METRICS = {
    "coco": ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"),
    "crowdpose": ("AP", "AP50", "AP75", "AR", "AR50", "AR75", "AP_easy", "AP_medium", "AP_hard"),
}
CROWD_INDEX = (0.2, 0.8)  # CrowdPose: easy below, medium below, hard; the paper's text says 0.1, all code says 0.2


def average_precision(
    annotations: Annotations, results: Sequence[Mapping[str, Any]], protocol: Protocol = "coco"
) -> dict[str, float]:
    """Measure a COCO results list.

    Returns the `METRICS` of the protocol, 0 to 1; NaN where there is nobody to find. For crowdpose the annotations must
    state each picture's crowdIndex; that the area of its people is 0.53 of their box is seen to by `read_annotations`.
    Raises ScaleposeError when results do not fit the annotations, or a crowdIndex is missing.
    """
    return measure(scenes(annotations, results), protocol)


def measure(all_scenes: Sequence[Scene], protocol: Protocol = "coco") -> dict[str, float]:
    """`average_precision` of pictures already put together with what was found in them."""
    if protocol not in METRICS:
        raise ScaleposeError(f"no protocol is called {protocol!r}; there are: {', '.join(METRICS)}")
    outside = [(_outside(scene.areas), _outside(scene.found.areas)) for scene in all_scenes]
    precision, recall = precision_recall(all_scenes, outside, len(AREAS))
    values = {
        "AP": precision[0],
        "AP50": precision[0, 0],
        "AP75": precision[0, 5],
        "APM": precision[1],
        "APL": precision[2],
        "AR": recall[0],
        "AR50": recall[0, 0],
        "AR75": recall[0, 5],
        "ARM": recall[1],
        "ARL": recall[2],
    }
    if protocol == "crowdpose":
        for name, subset in zip(("AP_easy", "AP_medium", "AP_hard"), _by_crowd_index(all_scenes), strict=True):
            outside = [(_outside(scene.areas), _outside(scene.found.areas)) for scene in subset]
            values[name] = precision_recall(subset, outside, len(AREAS))[0][0]
    return {name: float(values[name].mean()) for name in METRICS[protocol]}


def precision_recall(
    some_scenes: Sequence[Scene], outside: Sequence[tuple[np.ndarray, np.ndarray]], R: int
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (R, 10, 101) at each threshold and recall point, and the highest recall (R, 10), for R ranges of size.

    outside: for each scene, which annotated (R, G) and which found (R, D) people lie outside each range. Annotated
    ones outside are ignored; found ones outside are left out unless they match somebody within.
    All entries of a range in which nobody is to be found are NaN.
    """
    T = len(THRESHOLDS)
    scores, right, wrong = [np.zeros(0)], [np.zeros((R, T, 0), bool)], [np.zeros((R, T, 0), bool)]
    people = np.zeros(R, np.int64)
    for scene, (truth_outside, found_outside) in zip(some_scenes, outside, strict=True):
        ignored = scene.ignored | truth_outside  # (R, G)
        people += (~ignored).sum(-1)
        if len(scene.found.scores):
            taken = match(scene.similarity, scene.crowd, ignored, THRESHOLDS)  # (R, T, D)
            # A last column for the index -1: nobody, who is not ignored.
            unjudged = np.pad(ignored, ((0, 0), (0, 1)))[np.arange(R)[:, None, None], taken]
            scores.append(scene.found.scores)
            right.append((taken >= 0) & ~unjudged)
            wrong.append((taken < 0) & ~found_outside[:, None])

    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(right, axis=2)[..., order].cumsum(-1)  # (R, T, N)
    faults = np.concatenate(wrong, axis=2)[..., order].cumsum(-1)
    precision, recall = np.zeros((R, T, len(RECALLS))), np.zeros((R, T))
    for r, t in np.ndindex(R, T):
        reached = hits[r, t] / max(people[r], 1)
        exact = hits[r, t] / (hits[r, t] + faults[r, t] + np.spacing(1))
        envelope = np.maximum.accumulate(exact[::-1])[::-1]  # best precision at this recall or a higher one
        at = np.searchsorted(reached, RECALLS, side="left")
        precision[r, t] = np.append(envelope, 0.0)[at]
        recall[r, t] = reached[-1] if len(reached) else 0
    precision[people == 0] = recall[people == 0] = np.nan
    return precision, recall


def _outside(areas: np.ndarray) -> np.ndarray:
    """(3, N) bool: which of N areas lie outside each of `AREAS`."""
    return (areas < AREAS[:, :1]) | (areas > AREAS[:, 1:])


def _by_crowd_index(all_scenes: Sequence[Scene]) -> tuple[list[Scene], list[Scene], list[Scene]]:
    parts: tuple[list[Scene], list[Scene], list[Scene]] = ([], [], [])
    for scene in all_scenes:
        index = scene.picture.crowd_index
        if index is None:
            raise ScaleposeError(
                f"image {scene.picture.id} has no crowdIndex, which the crowdpose protocol needs; use protocol coco"
            )
        parts[int(np.searchsorted(CROWD_INDEX, index, side="right"))].append(scene)
    return parts
