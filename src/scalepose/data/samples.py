"""`Sample`: one picture with what is known about it, before or after augmentation."""

from dataclasses import dataclass, replace

import numpy as np

from scalepose.geometry import View


@dataclass(frozen=True, repr=False, eq=False)
class Sample:
    """One picture of H×W pixels with its P people. Points and boxes are in its pixels (centres at integers + 0.5).

    image: (H, W, 3) uint8 RGB; after augmentation the network input. view: how it came from the file's pixels.
    keypoints: (P, K, 2) float32; NaN where unlabelled. Points outside of the picture stay what they are.
    hidden: (P, K) bool, labelled although something is in front (v = 1).
    boxes: (P, 4) float32, x1, y1, x2, y2 around each person; after a rotation, around the turned box.
    mask: (H, W) bool, False where nobody knows who is there (crowds, unlabelled people, outside the file's picture).
    channels: (K,) bool, False for keypoint types that this data set never labels.
    image_id: as in the annotations.
    """

    image: np.ndarray
    view: View
    keypoints: np.ndarray
    hidden: np.ndarray
    boxes: np.ndarray
    mask: np.ndarray
    channels: np.ndarray
    image_id: int | str

    def with_hidden(self, share: float, rng: np.random.Generator) -> "Sample":
        """The same, but of the hidden keypoints only a `share`, 0 to 1, drawn by `rng`, is labelled."""
        if share == 1:
            return self
        forgotten = self.hidden & (rng.random(self.hidden.shape) >= share)
        return replace(self, keypoints=np.where(forgotten[..., None], np.float32(np.nan), self.keypoints))

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"Sample({self.image_id}, {w}×{h}, P={len(self.keypoints)}, K={self.keypoints.shape[1]})"
