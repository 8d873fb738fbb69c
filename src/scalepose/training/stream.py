"""The training batches of a whole run in one row, from any of them on."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from torch.utils.data import DataLoader

from scalepose.data.annotations import read_annotations
from scalepose.data.batches import Batch
from scalepose.data.datasets import Mixture, PoseDataset
from scalepose.data.loaders import BatchSampler, training_loader
from scalepose.data.synthetic import RenderedPeople
from scalepose.errors import ScaleposeError
from scalepose.models.zoo import ModelCard
from scalepose.skeletons import COCO17
from scalepose.training.processes import Processes
from scalepose.training.recipe import Recipe, Rendered
from scalepose.training.task import map_strides

BatchT = TypeVar("BatchT")  # `Batch` or `CropBatch`


class Stream(Generic[BatchT]):
    """`epochs` epochs of `loader`, one after the other. What a batch holds depends on its number alone.

    start: number of the first batch that `iter` gives. The length is that of the whole run, whatever the start.
    """

    def __init__(self, loader: DataLoader[BatchT], epochs: int, start: int = 0):
        self._loader = loader
        self._epochs = epochs
        self._start = start

    def __len__(self) -> int:
        return self._epochs * len(self._loader)

    def __iter__(self) -> Iterator[BatchT]:
        sampler = self._loader.batch_sampler
        assert isinstance(sampler, BatchSampler)
        first, within = divmod(self._start, len(self._loader))
        for epoch in range(first, self._epochs):
            sampler.set_epoch(epoch, within if epoch == first else 0)
            try:
                yield from self._loader
            except ScaleposeError as error:  # from a worker process it brings the text of a traceback
                reason = str(error).strip().splitlines()[-1]
                raise ScaleposeError(reason.removeprefix("scalepose.errors.ScaleposeError: ")) from error


def open_training_data(recipe: Recipe, card: ModelCard, processes: Processes, pin_memory: bool) -> DataLoader[Batch]:
    """The training sets of a recipe, mixed by weight, with targets for the network of `card`.

    Records that cannot be used are left out and counted for people to see. Raises ScaleposeError when a set cannot be
    used at all.
    """
    datasets: list[PoseDataset | RenderedPeople] = []
    for source in recipe.data.train:
        if isinstance(source, Rendered):
            datasets.append(_rendered(source, recipe, card))
            processes.say("training on rendered people")
            continue
        annotations = read_annotations(source.annotations, source.images, card.skeleton)
        dataset = PoseDataset(
            annotations,
            recipe.augmentation,
            recipe.model.view_size,
            source.only_near_people,
            source.keep_empty,
            source.hidden,
        )
        processes.say(f"training on {len(dataset)} pictures of {source.annotations}")
        if annotations.problems:
            processes.say(f"  left out: {len(annotations.problems)} records, the first: {annotations.problems[0]}")
        datasets.append(dataset)
    mixture = Mixture(datasets, [source.weight for source in recipe.data.train])
    return training_loader(
        mixture,
        recipe.batch_size,
        recipe.seed,
        recipe.data.workers,
        map_strides(card.network),
        recipe.targets.sigma,
        recipe.targets.subpixel,
        recipe.data.samples_per_epoch,
        processes.rank,
        processes.world_size,
        pin_memory,
    )


def _rendered(source: Rendered, recipe: Recipe, card: ModelCard) -> RenderedPeople:
    if card.skeleton.keypoints != COCO17.keypoints:
        raise ScaleposeError(f"rendered people have the keypoints of coco17, not those of {card.skeleton.name!r}")
    size = recipe.model.view_size
    return RenderedPeople(
        recipe.augmentation, size, source.size, source.people, source.backgrounds, source.scenes, source.hidden
    )
