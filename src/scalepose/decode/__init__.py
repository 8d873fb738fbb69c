"""Maps to people: peaks of heatmaps, grouped by their tags.

Only NumPy, SciPy and OpenCV; no network, no files. HigherHRNet, section 3; associative embedding (Newell et al. 2017).
"""

from typing import Literal

import numpy as np

from scalepose.decode.fast import group_robust
from scalepose.decode.paper import group_published
from scalepose.errors import ScaleposeError
from scalepose.skeletons import Skeleton

Profile = Literal["paper", "fast"]


def group(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    skeleton: Skeleton,
    profile: Profile = "paper",
    recover: bool = True,
    threshold: float = 0.1,
    tag_threshold: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """draft"""
    if profile == "fast":
        return group_robust(heatmaps, tags, skeleton, recover, threshold, tag_threshold, 0.2, 100)
    return group_published(heatmaps, tags, skeleton.order, recover, threshold, tag_threshold)


__all__ = ["Profile", "ScaleposeError", "group"]
