"""`CropBatch`: crops with what the network should say about them, as tensors; and the loader that makes them.

The order is that of `loaders`: a pure function of the seed and the epoch, which a resumed run continues.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalepose.data.crops import CropDataset, CropSample
from scalepose.data.datasets import Mixture
from scalepose.data.loaders import BatchSampler, keyed_loader
from scalepose.errors import MissingExtra
from scalepose.losses.crops import CropTargets
from scalepose.targets.crops import Head, encode

try:
    import torch
    from torch import Tensor
    from torch.utils.data import DataLoader
except ModuleNotFoundError as error:
    raise MissingExtra("torch", "train") from error


@dataclass(frozen=True, repr=False, eq=False)
class CropBatch:
    """B crops of H×W pixels with K keypoint types.

    crops: (B, 3, H, W) uint8 RGB, not normalised. keypoints: (B, K, 3) float32, x and y in crop pixels and visibility.
    targets: of one head. image_ids, person_ids: B of each, as in the annotations.
    """

    crops: Tensor
    keypoints: Tensor
    targets: CropTargets
    image_ids: list[int | str]
    person_ids: list[int]

    def __len__(self) -> int:
        return len(self.crops)

    def __repr__(self) -> str:
        return f"CropBatch(crops={'×'.join(map(str, self.crops.shape))}, {self.targets})"

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "CropBatch":
        """The same batch on `device`."""
        crops, keypoints = (tensor.to(device, non_blocking=non_blocking) for tensor in (self.crops, self.keypoints))
        return replace(self, crops=crops, keypoints=keypoints, targets=self.targets.to(device, non_blocking))

    def pin_memory(self) -> "CropBatch":
        """The same batch in page-locked memory; torch's loader calls it before a copy to a GPU."""
        crops, keypoints = self.crops.pin_memory(), self.keypoints.pin_memory()
        return replace(self, crops=crops, keypoints=keypoints, targets=self.targets.pin_memory())


def make_crop_batch(samples: Sequence[CropSample], head: Head, sigma: float) -> CropBatch:
    """Crops of one size with the targets of `head`; sigma: see `targets.crops.encode`."""
    H, W = samples[0].image.shape[:2]
    return CropBatch(
        torch.from_numpy(np.stack([sample.image.transpose(2, 0, 1) for sample in samples])),
        torch.from_numpy(np.stack([sample.keypoints for sample in samples])),
        CropTargets.stack([encode(head, sample.keypoints, (W, H), sigma) for sample in samples]),
        [sample.image_id for sample in samples],
        [sample.person_id for sample in samples],
    )


def crop_loader(
    dataset: CropDataset | Mixture[CropSample],
    head: Head,
    sigma: float,
    batch_size: int,
    seed: int,
    workers: int = 0,
    samples_per_epoch: int | None = None,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> DataLoader[Any]:
    """A torch loader of `CropBatch`es; everything else as in `loaders.training_loader`."""
    sampler = BatchSampler(dataset.sources, batch_size, seed, samples_per_epoch, rank, world_size)
    return keyed_loader(dataset, sampler, _Collate(head, sigma), workers, pin_memory)


@dataclass
class _Collate:
    head: Head
    sigma: float

    def __call__(self, samples: Sequence[CropSample]) -> CropBatch:
        return make_crop_batch(samples, self.head, self.sigma)
