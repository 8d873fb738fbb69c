"""Average precision of groups of pictures, by the coco protocol, for sets that say which pictures belong together.

The scale benchmark (`data/synthetic/benchmark.py`) groups its pictures by how tall people are and how crowded they
stand. Here a group is a text.
"""

from collections.abc import Sequence

import numpy as np

from scalepose.evaluation.matching import Scene
from scalepose.evaluation.precision import precision_recall

Figures = dict[str, float | int]


def measure_by_group(all_scenes: Sequence[Scene]) -> dict[str, dict[str, Figures]]:
    """kind → group → AP, AP50, AR (0 to 1, NaN where there is nobody) and the number of people to find.

    Groups whose names are numbers come in their order, others as the pictures do.
    """
    members: dict[str, dict[str, list[Scene]]] = {}
    for scene in all_scenes:
        for kind, group in scene.picture.groups:
            members.setdefault(kind, {}).setdefault(group, []).append(scene)
    return {
        kind: {name: _figures(groups[name]) for name in sorted(groups, key=_number)} for kind, groups in members.items()
    }


def _figures(some_scenes: Sequence[Scene]) -> Figures:
    within = [(np.zeros((1, len(s.ignored)), bool), np.zeros((1, len(s.found.scores)), bool)) for s in some_scenes]
    precision, recall = precision_recall(some_scenes, within, 1)
    return {
        "AP": float(precision[0].mean()),
        "AP50": float(precision[0, 0].mean()),
        "AR": float(recall[0].mean()),
        "people": int(sum((~scene.ignored).sum() for scene in some_scenes)),
    }


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return float("inf")
