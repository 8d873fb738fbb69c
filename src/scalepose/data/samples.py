"""`Sample`: one picture with what is known about it, before or after augmentation."""

from dataclasses import dataclass

import numpy as np

from scalepose.geometry import View


@dataclass(frozen=True, repr=False, eq=False)
class Sample:
    """One picture of H×W pixels with its P people. Points and boxes are in its pixels (centres at integers + 0.5).

    image: (H, W, 3) uint8 RGB; after augmentation the network input. view: how it came from the file's pixels.
    keypoints: (P, K, 2) float32; NaN where unlabelled. Points outside of the picture stay what they are.
    boxes: (P, 4) float32, x1, y1, x2, y2 around each person; after a rotation, around the turned box.
    mask: (H, W) bool, False where nobody knows who is there (crowds, unlabelled people, outside the file's picture).
    channels: (K,) bool, False for keypoint types that this data set never labels.
    image_id: as in the annotations.
    """

    image: np.ndarray
    view: View
    keypoints: np.ndarray
    boxes: np.ndarray
    mask: np.ndarray
    channels: np.ndarray
    image_id: int | str

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"Sample({self.image_id}, {w}×{h}, P={len(self.keypoints)}, K={self.keypoints.shape[1]})"
