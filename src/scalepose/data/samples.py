"""The two nouns of training data: `Sample`, one picture as the network will see it, and `Batch`, many of them."""

from dataclasses import dataclass

import numpy as np

from scalepose.geometry import View


@dataclass(frozen=True, repr=False, eq=False)
class Sample:
    """One picture after augmentation, with what is known about it.

    image: (H, W, 3) uint8 RGB, network input. view: how it came from the file's pixels.
    keypoints: (P, K, 2) float32, network-input pixels (centres at + 0.5); NaN where unlabelled.
    mask: (H, W) bool, False where nobody knows who is there (crowds, unlabelled people, outside the picture).
    channels: (K,) bool, False for keypoint types that this data set never labels.
    image_id: as in the annotations.
    """

    image: np.ndarray
    view: View
    keypoints: np.ndarray
    mask: np.ndarray
    channels: np.ndarray
    image_id: int | str

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"Sample({self.image_id}, {w}×{h}, P={len(self.keypoints)}, K={self.keypoints.shape[1]})"
