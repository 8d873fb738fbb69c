"""Crops of people for training, as batches with what a head should say about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from scalepose.data.annotations import read_annotations
from scalepose.data.cropaugmentation import CropAugmentation
from scalepose.data.crops import CropDataset, CropSample
from scalepose.data.datasets import Mixture
from scalepose.data.degrade import Degradation
from scalepose.data.loaders import batch_loader
from scalepose.geometry import Alignment, Size
from scalepose.losses.crops import CropTargets
from scalepose.models.cropcards import CropCard
from scalepose.skeletons import Skeleton
from scalepose.targets.crops import encode
from scalepose.training.croprecipe import CropData, CropSource
from scalepose.training.parts import Plan
from scalepose.training.processes import Processes


@dataclass(repr=False, eq=False)
class CropBatch:
    """B crops of H×W pixels. images: (B, 3, H, W) uint8 RGB, not normalised. targets: of the same crops, or None where
    nothing is said about keypoints.
    """

    images: Tensor
    targets: CropTargets | None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "CropBatch":
        """The same batch on `device`."""
        targets = self.targets and self.targets.to(device, non_blocking)
        return CropBatch(self.images.to(device, non_blocking=non_blocking), targets)

    def pin_memory(self) -> "CropBatch":
        """The same batch in page-locked memory; torch's loader calls it before a copy to a GPU."""
        return CropBatch(self.images.pin_memory(), self.targets and self.targets.pin_memory())


@dataclass(frozen=True)
class CollateCrops:
    """Makes a batch of samples. card: whose head they are for; None for crops alone. factor: how many times larger than
    the samples the network's crops are, in which targets are measured.
    """

    card: CropCard | None = None
    factor: int = 1

    def __call__(self, samples: Sequence[CropSample]) -> CropBatch:
        """One batch of the samples, in their order."""
        images = torch.from_numpy(np.stack([sample.image for sample in samples]))  # (B, H, W, 3)
        return CropBatch(images.permute(0, 3, 1, 2), self._targets(samples))

    def _targets(self, samples: Sequence[CropSample]) -> CropTargets | None:
        card = self.card
        if card is None:
            return None
        return CropTargets.stack(
            [
                encode(card.network.head, enlarged(sample.keypoints, self.factor), card.crop_size, card.sigma)
                for sample in samples
            ]
        )


def enlarged(keypoints: np.ndarray, factor: int) -> np.ndarray:
    """(K, 3) of a crop → of the same crop with every pixel turned into factor × factor. The middle of pixel i is at i,
    so that pixel 0 reaches from -0.5 to 0.5.
    """
    points = (keypoints[:, :2] + 0.5) * factor - 0.5
    return np.concatenate([points, keypoints[:, 2:]], axis=1)


class CropSets:
    """Data sets that are open, so that several runs of one process need not read and cut the same pictures again.

    They hold no randomness, so a run does not depend on those before it. The `most` recently used ones are kept.
    """

    def __init__(self, most: int = 4):
        self._most = most
        self._open: dict[tuple[Any, ...], CropDataset] = {}

    def get(self, key: tuple[Any, ...], make: Callable[[], CropDataset]) -> CropDataset:
        """The data set of `key`, which says all that it depends on; made if it is not open."""
        dataset = self._open.pop(key, None) or make()
        self._open[key] = dataset
        while len(self._open) > self._most:
            del self._open[next(iter(self._open))]
        return dataset


@dataclass(frozen=True)
class Cut:
    """How training crops are cut: see `CropDataset`."""

    skeleton: Skeleton
    crop_size: Size
    alignment: Alignment
    augmentation: CropAugmentation
    low_res: Degradation | None = None


def open_crops(
    plan: Plan,
    data: CropData,
    cut: Cut,
    collate: CollateCrops,
    processes: Processes,
    pin_memory: bool,
    datasets: CropSets,
) -> DataLoader[CropBatch]:
    """The training sets of a recipe, mixed by weight.

    People who cannot be used are left out and counted for people to see. Raises ScaleposeError when a set cannot be
    used at all.
    """
    opened = []
    for source in data.train:
        dataset = datasets.get((source, cut, data.cache_megabytes), lambda s=source: _open(s, cut, data, processes))
        processes.say(f"training on {len(dataset)} people of {source.annotations}")
        opened.append(dataset)
    return batch_loader(
        Mixture(opened, [source.weight for source in data.train]),
        collate,
        plan.batch_size,
        plan.seed,
        data.workers,
        data.samples_per_epoch,
        processes.rank,
        processes.world_size,
        pin_memory,
    )


def _open(source: CropSource, cut: Cut, data: CropData, processes: Processes) -> CropDataset:
    annotations = read_annotations(source.annotations, source.images, cut.skeleton)
    room = data.cache_megabytes << 20
    dataset = CropDataset(annotations, cut.crop_size, cut.alignment, cut.augmentation, cut.low_res, room)
    problems = [*annotations.problems, *dataset.problems]
    if problems:
        processes.say(f"{source.annotations}: {len(problems)} records left out, the first: {problems[0]}")
    return dataset
