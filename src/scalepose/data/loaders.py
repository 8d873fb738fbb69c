"""Batches for training in an order that is a pure function of the seed and the epoch.

What a sample looks like depends on (seed, epoch, place in the epoch) and on nothing else: not on the number of
workers or processes, nor on where a killed run starts again. So a run that goes on from batch n sees exactly what it
would have seen.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from scalepose.data.batches import Batch, make_batch
from scalepose.data.datasets import Mixture, PoseDataset
from scalepose.data.samples import Sample
from scalepose.errors import ScaleposeError

Key = tuple[int, int, int]  # epoch, place in the epoch, index in the data set

# What a generator is for, beside the seed, so that no two ever give the same numbers.
_ORDER, _WALK, _SAMPLE = 1, 2, 3


class BatchSampler(Sampler[list[Key]]):
    """The batches of one process in one epoch: lists of (epoch, place, index).

    sources: (number of pictures, weight) of each source of the data set. batch_size: per process.
    samples_per_epoch: over all processes, rounded down to whole batches; default: as many as there are pictures.
    rank, world_size: this process among those that train together; each takes its part of every joint batch.

    Each source gets its share of an epoch by weight and is walked through from end to end across the epochs, shuffled
    anew for each round: no picture comes twice before every other one of its source has come once.
    Raises ScaleposeError when an epoch does not fill one batch.
    """

    def __init__(
        self,
        sources: Sequence[tuple[int, float]],
        batch_size: int,
        seed: int,
        samples_per_epoch: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ):
        self.sources = tuple(sources)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.start_batch = 0
        if batch_size < 1 or seed < 0 or not 0 <= rank < world_size:
            given = f"batch size {batch_size}, seed {seed}, rank {rank} of {world_size}"
            raise ScaleposeError(f"{given}: none may be negative, the batch size not 0, the rank below the number")
        wanted = samples_per_epoch or sum(count for count, _ in sources)
        self.samples_per_epoch = wanted - wanted % (batch_size * world_size)
        if not self.samples_per_epoch:
            joint = f"{batch_size} pictures on each of {world_size} processes"
            raise ScaleposeError(f"an epoch of {wanted} pictures does not fill one batch of {joint}")

    def __len__(self) -> int:
        """Batches of a full epoch, also when one starts in the middle: a trainer's count goes on from there."""
        return self.samples_per_epoch // (self.batch_size * self.world_size)

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """`iter` gives the batches of `epoch` from number `start_batch` on, until this is called again: a loader with
        processes asks for them twice before it begins.
        """
        self.epoch = epoch
        self.start_batch = start_batch

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, start = self.epoch, self.start_batch
        places = np.arange(self.samples_per_epoch).reshape(len(self), self.world_size, self.batch_size)
        order = self.order(epoch)
        return ([(epoch, int(p), int(order[p])) for p in batch] for batch in places[start:, self.rank])

    def order(self, epoch: int) -> np.ndarray:
        """(samples_per_epoch,) int64 indices into the data set, for all processes together."""
        total = sum(weight for _, weight in self.sources)
        ends = np.rint(np.cumsum([0.0, *(weight for _, weight in self.sources)]) / total * self.samples_per_epoch)
        quotas = np.diff(ends.astype(np.int64))
        drawn, offset = [], 0
        for source, ((count, _), quota) in enumerate(zip(self.sources, quotas, strict=True)):
            drawn.append(offset + self._walk(source, count, epoch * int(quota), int(quota)))
            offset += count
        return np.random.default_rng([self.seed, _ORDER, epoch]).permutation(np.concatenate(drawn))

    def _walk(self, source: int, count: int, start: int, length: int) -> np.ndarray:
        """(length,) places `start` onwards of an endless walk through `count` pictures, shuffled for every round."""
        rounds = range(start // count, -(-(start + length) // count))
        walk = [np.random.default_rng([self.seed, _WALK, source, r]).permutation(count) for r in rounds]
        first = start - rounds.start * count
        return np.concatenate([*walk, np.empty(0, np.int64)])[first : first + length]


class Drawable(Protocol):
    """What samples are drawn from: `PoseDataset`, `CropDataset`, or a `Mixture` of either."""

    @property
    def sources(self) -> tuple[tuple[int, float], ...]:
        """(number of samples, weight) of each source."""
        ...

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """One sample, changed at random by `rng`."""
        ...


@dataclass
class _Keyed(Dataset[Any]):
    """The data set seen through the sampler's keys; all its randomness is in the key."""

    dataset: Drawable
    seed: int

    def __getitem__(self, key: Key) -> Any:
        epoch, place, index = key
        return self.dataset.sample(index, np.random.default_rng([self.seed, _SAMPLE, epoch, place]))


@dataclass
class _Collate:
    strides: tuple[int, ...]
    sigma: float
    subpixel: bool

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        return make_batch(samples, self.strides, self.sigma, self.subpixel)


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # its thread pool does not survive a fork, and the workers are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the main process saves first, then ends these


def training_loader(
    dataset: PoseDataset | Mixture[Sample],
    batch_size: int,
    seed: int,
    workers: int = 0,
    strides: Sequence[int] = (4, 2),
    sigma: float = 2.0,
    subpixel: bool = False,
    samples_per_epoch: int | None = None,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> DataLoader[Batch]:
    """A torch loader of `Batch`es; `loader.batch_sampler` is the `BatchSampler`, whose `set_epoch(epoch, start_batch)`
    must be called before each epoch's `iter`.

    batch_size, samples_per_epoch, rank, world_size: see `BatchSampler`. workers: processes that read and augment, kept
    from epoch to epoch. strides: input pixels per map pixel of each output, from coarse to fine. sigma, subpixel: see
    `targets.heatmaps`. Lightning must not put in a sampler of its own (`use_distributed_sampler=False`).
    """
    return batch_loader(
        dataset,
        _Collate(tuple(strides), sigma, subpixel),
        batch_size,
        seed,
        workers,
        samples_per_epoch,
        rank,
        world_size,
        pin_memory,
    )


def batch_loader(
    dataset: Drawable,
    collate: Callable[[list[Any]], Any],
    batch_size: int,
    seed: int,
    workers: int = 0,
    samples_per_epoch: int | None = None,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> DataLoader[Any]:
    """As `training_loader`, for samples of any kind: `collate` makes a batch of a list of them."""
    sampler = BatchSampler(dataset.sources, batch_size, seed, samples_per_epoch, rank, world_size)
    return DataLoader[Any](  # of samples, says torch; the collate function makes batches of them
        _Keyed(dataset, seed),
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_start_worker,
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # its own, or every epoch would draw from torch's global one
        pin_memory=pin_memory,
    )
