"""Maps to people: peaks of heatmaps, grouped by their tags.

Only NumPy, SciPy and OpenCV; no network, no files, no image pixels: points are in pixels of the heatmaps.
HigherHRNet, section 3; associative embedding (Newell et al. 2017).
"""

from typing import Literal

import numpy as np

from scalepose.decode.fast import group_fast
from scalepose.decode.paper import group_paper
from scalepose.errors import ScaleposeError
from scalepose.skeletons import Skeleton

Profile = Literal["paper", "fast"]


def group(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    skeleton: Skeleton,
    profile: Profile = "paper",
    *,
    offsets: np.ndarray | None = None,
    recover: bool = True,
    threshold: float = 0.1,
    tag_threshold: float = 1.0,
    person_threshold: float = 0.3,
    most_people: int = 100,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the people in one picture's maps.

    heatmaps: (K, h, w), about 0 to 1. tags: (K, h', w', T), or (1, h', w', T) where all keypoints share one; T is 1,
    or 2 with a mirrored pass. In the fast profile the grid of the tags may be coarser than that of the heatmaps.
    offsets (fast only): (K, 2, h', w'), from every pixel to its person's centre, in pixels of their own grid; the
    second cue beside the tags, for networks that predict them.
    profile: "paper" repeats the published parser, people in the order in which it opens them; "fast" reports people
    best first.
    recover: look for keypoints that have no peak of their own: paper, anywhere in the map, however little heat there
    is; fast, beside the same keypoint of a neighbour.
    threshold: the least heat of a peak. tag_threshold: the tag distance at which a peak belongs to another person.
    person_threshold, most_people (fast only): people whose values sum to less are left out; at most so many are
    reported. The published parser takes at most 30 peaks of a type.

    Returns points (P, K, 2), x and y in pixels of the heatmaps with pixel centres at + 0.5, NaN where a keypoint is
    missing; values (P, K), the heat at each keypoint, 0 where missing; scores (P,): in the paper profile the mean over
    all K values before recovery, in the fast one the OKS that these let expect (`scoring`). All float32.

    Raises ScaleposeError when the shapes do not fit together.
    """
    heatmaps, tags = np.asarray(heatmaps, np.float32), np.asarray(tags, np.float32)
    K = len(skeleton)
    if heatmaps.ndim != 3 or len(heatmaps) != K or not heatmaps.size:
        raise ScaleposeError(f"heatmaps of {skeleton.name} have the shape ({K}, h, w), not {heatmaps.shape}")
    if tags.ndim != 4 or len(tags) not in (1, K) or not tags.size:
        raise ScaleposeError(f"tags of {skeleton.name} have the shape ({K}, h, w, T), not {tags.shape}")
    tags = np.broadcast_to(tags, (K, *tags.shape[1:]))
    if profile == "fast":
        if offsets is not None and (offsets.ndim != 4 or offsets.shape[:2] != (K, 2) or not offsets.size):
            raise ScaleposeError(f"offsets of {skeleton.name} have the shape ({K}, 2, h, w), not {offsets.shape}")
        return group_fast(
            heatmaps, tags, offsets, skeleton, recover, threshold, tag_threshold, person_threshold, most_people
        )
    if profile != "paper":
        raise ScaleposeError(f"the profile is 'paper' or 'fast', not {profile!r}")
    if tags.shape[1:3] != heatmaps.shape[1:]:
        raise ScaleposeError(
            f"the paper profile needs tags as large as the heatmaps, {heatmaps.shape[1:]}, not {tags.shape[1:3]}"
        )
    return group_paper(heatmaps, tags, skeleton.order, recover, threshold, tag_threshold)


__all__ = ["Profile", "group"]
