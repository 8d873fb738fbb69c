"""What a network says about a batch of pictures: `Outputs`. The arrays are torch tensors inside a network and NumPy
arrays outside of it; nothing here needs either.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Array = TypeVar("Array")


@dataclass
class Outputs(Generic[Array]):
    """Maps of one batch of B pictures of H×W pixels.

    heatmaps: (B, K, h, w) each, from coarse (stride 4) to fine; no activation, about 0 to 1.
    tags: (B, K, h, w) at the size of the coarsest heatmaps, or (B, 1, h, w) where all keypoints share one.
    offsets: (B, K, 2, h, w), x and y, or None. Whole pictures: at the size of the tags, from a keypoint to its person's
    centre, in map pixels. Crops: at the size of the heatmaps, from a pixel to the keypoint nearby, in units of
    `targets.crops.OFFSET_UNITS`.
    """

    heatmaps: list[Array]
    tags: Array | None = None
    offsets: Array | None = None

    def __repr__(self) -> str:
        def shape(array: Any) -> str:
            return "×".join(map(str, array.shape)) if array is not None else "None"

        maps = ", ".join(shape(heatmap) for heatmap in self.heatmaps)
        return f"Outputs(heatmaps=[{maps}], tags={shape(self.tags)}, offsets={shape(self.offsets)})"
