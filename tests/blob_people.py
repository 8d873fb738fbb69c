"""Pictures of "people" of three blobs, and a stand-in for a network that reads them perfectly.

A red blob above, and two below, green and blue: which of those is right and which is left their places say, as with
people who face the camera. So the stand-in is right about mirrored crops too.
"""

from typing import Any

import numpy as np

from scalepose.models.cropcards import CropCard, CropNetwork
from scalepose.models.normalise import MEAN, STD
from scalepose.models.outputs import Outputs
from scalepose.skeletons import Skeleton
from scalepose.targets.crops import Head, encode

BLOBS = Skeleton("blobs", ("top", "left_foot", "right_foot"), flip_pairs=((1, 2),))


def blob_person(box: tuple[float, float, float, float]) -> np.ndarray:
    """(3, 2) keypoints of the person in a box x, y, width, height."""
    x, y, w, h = box
    return np.array([(x + 0.53 * w, y + 0.12 * h), (x + 0.8 * w, y + 0.88 * h), (x + 0.17 * w, y + 0.81 * h)])


def blob_picture(size: tuple[int, int], *boxes: tuple[float, float, float, float]) -> np.ndarray:
    """(H, W, 3) uint8; the middle of pixel i lies at i, as in the top-down papers."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    image = np.zeros((size[1], size[0], 3))
    for box in boxes:
        for channel, (cx, cy) in zip((0, 1, 2), blob_person(box), strict=True):
            image[..., channel] += 250 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * (box[3] / 14) ** 2))
    return np.rint(np.minimum(image, 255)).astype(np.uint8)


class BlobRuntime:
    """A `Runtime` whose maps are the targets of the blobs it sees in a crop."""

    name = "blobs"
    concurrent = False

    def __init__(self, head: Head, crop_size: tuple[int, int] = (96, 128), sigma: float = 1.5):
        self.card = CropCard("blobs", CropNetwork(head=head, branches=3), BLOBS, crop_size, sigma)
        self.batches: list[int] = []

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        self.batches.append(len(images))
        targets = []
        for image in images:
            pixels = image * np.array(STD)[:, None, None] + np.array(MEAN)[:, None, None]  # (3, H, W), 0 to 1
            y, x = np.mgrid[: image.shape[1], : image.shape[2]]
            pixels = np.where(pixels > 0.05, pixels, 0)
            total = np.maximum(pixels.sum(axis=(1, 2)), 1e-6)
            points = np.stack([(pixels * x).sum(axis=(1, 2)) / total, (pixels * y).sum(axis=(1, 2)) / total], axis=1)
            if points[1, 0] < points[2, 0]:
                points[[1, 2]] = points[[2, 1]]
            seen = np.where(total > 0.5, 2, 0)[:, None]
            keypoints = np.concatenate([points, seen], axis=1)
            targets.append(encode(self.card.network.head, keypoints, self.card.crop_size, self.card.sigma))
        heatmaps = np.stack([target.heatmaps for target in targets])
        offsets: Any = [target.offsets for target in targets]
        return Outputs([heatmaps], offsets=None if offsets[0] is None else np.stack(offsets))
