"""Pictures of "people" of three coloured dots, and a stand-in for a network for whole pictures that sees the dots."""

import numpy as np

from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard, Network
from scalepose.skeletons import Skeleton


class Dots:
    """A runtime that sees a person where the picture is bright: one keypoint type a colour channel, at stride 2."""

    name = "dots"
    concurrent = False

    def __init__(self, flip_pairs=()):
        network = Network(tag_per_keypoint=True)
        skeleton = Skeleton("rgb", ("red", "green", "blue"), ((0, 1), (1, 2)), flip_pairs)
        self.card = ModelCard("dots", network, skeleton, input_size=128)
        self.seen: list[tuple[int, int]] = []

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        B, _, H, W = images.shape
        self.seen.append((W, H))
        light = images - images.min(axis=(2, 3), keepdims=True)
        light = light / np.maximum(light.max(axis=(2, 3), keepdims=True), 1e-6)
        fine = light.reshape(B, 3, H // 2, 2, W // 2, 2).mean(axis=(3, 5))
        coarse = light.reshape(B, 3, H // 4, 4, W // 4, 4).mean(axis=(3, 5))
        return Outputs([coarse, fine], np.zeros_like(coarse))


def dotted(w: int, h: int, points: list[tuple[float, float]], radius: float = 6) -> np.ndarray:
    """A black picture with a soft red, a green and a blue dot at three points (x, y)."""
    x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    dots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2)) for px, py in points]
    return np.rint(255 * np.stack(dots, axis=-1)).astype(np.uint8)
