"""Maps as a perfect network would give them of a known number of people, so that decoding is timed by itself and the
number of people is exact, however good or bad a model is.

People stand in rows and columns that fill the picture; every fourth keypoint of each is hidden, as in photos, so that
the published recovery of missing keypoints has its usual work. A little noise takes the place of a network's.
"""

import math

import numpy as np

from scalepose.geometry import Size
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard
from scalepose.runtimes import Runtime
from scalepose.targets.heatmaps import heatmaps

HIDDEN = 4  # of so many keypoints one is hidden
HEAT_NOISE = 0.02  # most heat where nobody is
TAG_NOISE = 0.02  # standard deviation
APART = 2.0  # between the tags of two people; decoding joins what is closer than 1
SIGMA = 2.0  # of the painted Gaussians, in map pixels, as in training


def crowd(people: int, K: int, size: Size) -> np.ndarray:
    """(people, K, 2) points in a frame of `size` (W, H); NaN where hidden. Each person's K points fill an ellipse."""
    width, height = size
    columns = max(1, round(math.sqrt(people * width / height)))
    rows = math.ceil(people / columns)
    row, column = np.divmod(np.arange(people), columns)
    centres = np.stack([(column + 0.5) * width / columns, (row + 0.5) * height / rows], axis=-1)
    k = np.arange(K)
    radius, angle = np.sqrt((k + 0.5) / K), k * math.pi * (3 - math.sqrt(5))  # a sunflower: nowhere denser
    disc = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)  # (K, 2)
    points = centres[:, None] + disc * (0.45 * width / columns, 0.45 * height / rows)
    if K > 1:
        points[(k + np.arange(people)[:, None]) % HIDDEN == 0] = np.nan
    return points


def painted_heatmaps(points: np.ndarray, size: Size, stride: int) -> np.ndarray:
    """(K, h, w) float32 of people's keypoints (P, K, 2) in an input of `size` (W, H), at `stride`."""
    maps = heatmaps(points, (size[0] // stride, size[1] // stride), stride, SIGMA)
    # No two peaks of real maps are equally high, and the published parser takes its time to order those that are.
    maps *= np.linspace(0.7, 1, maps[0].size, dtype=np.float32).reshape(maps[0].shape)
    noise = np.random.default_rng(0).random(maps.shape, np.float32)
    return np.maximum(maps, HEAT_NOISE * noise)


def painted_tags(points: np.ndarray, size: Size, stride: int) -> np.ndarray:
    """(K, h, w) float32: near a person's keypoints that person's tag, 0 elsewhere."""
    person = _nearby(points, size, stride)
    noise = np.random.default_rng(1).standard_normal(person.shape, np.float32)
    return APART * (person + 1).astype(np.float32) + TAG_NOISE * noise


def painted_offsets(points: np.ndarray, size: Size, stride: int) -> np.ndarray:
    """(K, 2, h, w) float32: near a person's keypoints the way to the mean of them all, in map pixels."""
    person = _nearby(points, size, stride)
    _, h, w = person.shape
    pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1) + 0.5  # (h, w, 2)
    offsets = np.nanmean(points, axis=1)[person] / stride - pixels  # (K, h, w, 2)
    return np.where(person[..., None] >= 0, offsets, 0).transpose(0, 3, 1, 2).astype(np.float32)


def _nearby(points: np.ndarray, size: Size, stride: int) -> np.ndarray:
    """(K, h, w) which person's keypoint is close to a map pixel, -1 where none is."""
    P, K = points.shape[:2]
    h, w = size[1] // stride, size[0] // stride
    person = np.full((K, h, w), -1)
    reach = math.ceil(2 * SIGMA)
    for p in range(P):
        for k in np.flatnonzero(np.isfinite(points[p, :, 0])):
            x, y = (points[p, k] / stride).astype(int)
            person[k, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = p
    return person


class Painted:
    """A `Runtime` that runs a network and then says that there are `people` people: the whole pipeline does exactly
    the work it has with so many. For upright pictures, since it would see them in mirrored ones too.
    """

    concurrent = False

    def __init__(self, runtime: Runtime[ModelCard], people: int):
        self._runtime = runtime
        self._people = people
        self._painted: dict[Size, Outputs[np.ndarray]] = {}

    @property
    def name(self) -> str:
        """That of the runtime."""
        return self._runtime.name

    @property
    def card(self) -> ModelCard:
        """That of the runtime."""
        return self._runtime.card

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """(B, 3, H, W) → maps of the shapes that the network gives, of every picture the same people."""
        outputs = self._runtime(images)
        size = (images.shape[3], images.shape[2])
        if size not in self._painted:
            self._painted[size] = _paint(outputs, self._people, size)
        painted = self._painted[size]

        def batch(maps: np.ndarray) -> np.ndarray:
            return np.broadcast_to(maps, (len(images), *maps.shape))

        return Outputs(
            [batch(maps) for maps in painted.heatmaps],
            None if painted.tags is None else batch(painted.tags),
            None if painted.offsets is None else batch(painted.offsets),
        )


def _paint(outputs: Outputs[np.ndarray], people: int, size: Size) -> Outputs[np.ndarray]:
    """Maps of the shapes in `outputs`, for one picture and so without the first axis."""
    points = crowd(people, outputs.heatmaps[0].shape[1], size)

    def stride(maps: np.ndarray) -> int:
        return size[0] // maps.shape[-1]

    tags, offsets = outputs.tags, outputs.offsets
    return Outputs(
        [painted_heatmaps(points, size, stride(maps)) for maps in outputs.heatmaps],
        None if tags is None else painted_tags(points, size, stride(tags))[: tags.shape[1]],
        None if offsets is None else painted_offsets(points, size, stride(offsets)),
    )
