"""`Batch`: samples with what the network should say about them, as tensors. No limit on the number of people."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from scalepose.data.samples import Sample
from scalepose.errors import MissingExtra
from scalepose.targets.centres import centres
from scalepose.targets.heatmaps import heatmaps
from scalepose.targets.tags import tag_pixels

try:
    import torch
    from torch import Tensor
except ModuleNotFoundError as error:
    raise MissingExtra("torch", "train") from error


@dataclass(repr=False, eq=False)
class Batch:
    """B pictures of H×W pixels, K keypoint types, P the most people in any one of them (at least 1).

    images: (B, 3, H, W) uint8 RGB, not normalised. heatmaps: (B, K, h, w) float32 each, coarse to fine.
    masks: (B, 1, h, w) float32 each, 1 where it is known who is there. channels: (B, K) float32, 0 for keypoint types
    that the picture's data set never labels. tag_pixels: (B, P, K) int64, flat index y·w + x into the coarsest map, −1
    where not labelled or outside. centres: (B, P, 3) float32, centre x, y and size of each of these people in pixels of
    the coarsest map, 0 for none. image_ids: B of them, as in the annotations.
    """

    images: Tensor
    heatmaps: list[Tensor]
    masks: list[Tensor]
    channels: Tensor
    tag_pixels: Tensor
    centres: Tensor
    image_ids: list[int | str]

    def __len__(self) -> int:
        return len(self.image_ids)

    def __repr__(self) -> str:
        def shape(tensor: Tensor) -> str:
            return "×".join(map(str, tensor.shape))

        maps = ", ".join(shape(heatmap) for heatmap in self.heatmaps)
        return f"Batch(images={shape(self.images)}, heatmaps=[{maps}], tag_pixels={shape(self.tag_pixels)})"

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The same batch on `device`."""
        return Batch(
            self.images.to(device, non_blocking=non_blocking),
            [maps.to(device, non_blocking=non_blocking) for maps in self.heatmaps],
            [mask.to(device, non_blocking=non_blocking) for mask in self.masks],
            self.channels.to(device, non_blocking=non_blocking),
            self.tag_pixels.to(device, non_blocking=non_blocking),
            self.centres.to(device, non_blocking=non_blocking),
            self.image_ids,
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory; torch's loader calls it before a copy to a GPU."""
        return Batch(
            self.images.pin_memory(),
            [maps.pin_memory() for maps in self.heatmaps],
            [mask.pin_memory() for mask in self.masks],
            self.channels.pin_memory(),
            self.tag_pixels.pin_memory(),
            self.centres.pin_memory(),
            self.image_ids,
        )


def make_batch(
    samples: Sequence[Sample], strides: Sequence[int] = (4, 2), sigma: float = 2.0, subpixel: bool = False
) -> Batch:
    """Samples of one size with their targets at each output stride of the network, coarse to fine."""
    H, W = samples[0].image.shape[:2]
    coarse = (W // strides[0], H // strides[0])
    places = [tag_pixels(s.keypoints, coarse, strides[0]) for s in samples]
    middles = [centres(s.keypoints, coarse, strides[0]) for s in samples]
    here = [(p >= 0).any(axis=1) for p in places]  # people who were cropped away do not count
    P, K = max(1, *(int(h.sum()) for h in here)), samples[0].keypoints.shape[1]
    tags, people = np.full((len(samples), P, K), -1, np.int64), np.zeros((len(samples), P, 3), np.float32)
    for b, seen in enumerate(here):
        tags[b, : seen.sum()], people[b, : seen.sum()] = places[b][seen], middles[b][seen]
    sizes = [(W // stride, H // stride) for stride in strides]
    maps = [
        np.stack([heatmaps(s.keypoints, size, stride, sigma, subpixel) for s in samples])
        for size, stride in zip(sizes, strides, strict=True)
    ]
    masks = [np.stack([_shrunk(s.mask, size) for s in samples])[:, None] for size in sizes]  # (B, 1, h, w)
    images = np.stack([s.image.transpose(2, 0, 1) for s in samples])  # (B, 3, H, W)
    return Batch(
        torch.from_numpy(images),
        [torch.from_numpy(m) for m in maps],
        [torch.from_numpy(m) for m in masks],
        torch.from_numpy(np.stack([s.channels for s in samples]).astype(np.float32)),
        torch.from_numpy(tags),
        torch.from_numpy(people),
        [s.image_id for s in samples],
    )


def _shrunk(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32 0 or 1: a map pixel is known when more than half of the input pixels under it are."""
    return (cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)
