"""Annotated pictures as `Sample`s: one data set, or several mixed by weight.

A data set is told what is random, by a generator; it keeps none, so the same index and the same generator give the
same sample in any process. The order in which samples are drawn is the sampler's business.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

import numpy as np

from scalepose.data.annotations import Annotations, Picture
from scalepose.data.augmentation import Augmentation
from scalepose.data.images import read_image
from scalepose.data.regions import known_mask
from scalepose.data.samples import Sample
from scalepose.errors import ScaleposeError
from scalepose.geometry import Size, View
from scalepose.skeletons import Skeleton

SampleT_co = TypeVar("SampleT_co", covariant=True)


class Source(Protocol[SampleT_co]):
    """A data set that can be mixed with others of its kind: whole pictures here, people in `crops`."""

    skeleton: Skeleton

    @property
    def input_size(self) -> int | Size:
        """Of every sample: one side of a square, or (width, height)."""
        ...

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> SampleT_co:
        """One sample, changed at random by `rng`."""
        ...


class PoseDataset:
    """The pictures of one file of annotations; as published, those without anybody are left out.

    augmentation: applied to every sample. input_size: its width and height, in pixels.
    only_near_people: only the surroundings of labelled people are known; for data sets in which others stand unmarked.
    keep_empty: also use pictures without anybody, to learn where nobody is.
    hidden: share of the keypoints labelled as hidden that are taught, drawn anew for every sample; the others are as if
    not labelled.
    Raises ScaleposeError when no picture is left.
    """

    def __init__(
        self,
        annotations: Annotations,
        augmentation: Augmentation,
        input_size: int,
        only_near_people: bool = False,
        keep_empty: bool = False,
        hidden: float = 1,
    ):
        self.skeleton: Skeleton = annotations.skeleton
        self.augmentation = augmentation
        self.input_size = input_size
        self.only_near_people = only_near_people
        self.hidden = hidden
        self.pictures = tuple(p for p in annotations.pictures if p.people or keep_empty)
        if not self.pictures:
            raise ScaleposeError(f"{annotations.source}: no picture with people is left to train on")

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def channels(self) -> np.ndarray:
        """(K,) bool, False for keypoint types that are labelled nowhere in this data set."""
        labelled = np.zeros(len(self.skeleton), bool)
        for picture in self.pictures:
            for person in picture.people:
                labelled |= person.keypoints[:, 2] > 0
        return labelled

    def load(self, index: int) -> Sample:
        """The picture as it is in the file, in its own pixels."""
        picture = self.pictures[index]
        image = read_image(picture.path)
        h, w = image.shape[:2]
        if (w, h) != (picture.width, picture.height):
            stated = f"the annotations say {picture.width}×{picture.height}"
            raise ScaleposeError(f"{picture.path}: has {w}×{h} pixels, {stated}")
        keypoints, hidden, boxes = _people(picture, len(self.skeleton))
        return Sample(
            image=image,
            view=View((w, h), (w, h), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))),
            keypoints=keypoints,
            hidden=hidden,
            boxes=boxes,
            mask=known_mask(picture, self.only_near_people) > 0,
            channels=self.channels,
            image_id=picture.id,
        )

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The picture as the network will see it, changed at random by `rng`."""
        return self.augmentation(self.load(index).with_hidden(self.hidden, rng), self.skeleton, self.input_size, rng)

    @property
    def sources(self) -> tuple[tuple[int, float], ...]:
        """(number of pictures, weight) of each source: one here."""
        return ((len(self), 1.0),)


class Mixture(Generic[SampleT_co]):
    """Several data sets as one; `weights` are their shares of the samples drawn (default: by number of samples).

    Indices run through the data sets one after the other.
    Raises ScaleposeError when skeletons or input sizes differ or a weight is not positive.
    """

    def __init__(self, datasets: Sequence[Source[SampleT_co]], weights: Sequence[float] | None = None):
        if not datasets:
            raise ScaleposeError("a mixture needs at least one data set")
        weights = [len(dataset) for dataset in datasets] if weights is None else weights
        if len(weights) != len(datasets) or not all(0 < weight < float("inf") for weight in weights):
            raise ScaleposeError(f"{len(datasets)} data sets need as many positive weights, not {list(weights)}")
        first = datasets[0]
        for other in datasets[1:]:
            if other.skeleton.keypoints != first.skeleton.keypoints:
                raise ScaleposeError(f"cannot mix the skeletons {first.skeleton.name!r} and {other.skeleton.name!r}")
            if other.input_size != first.input_size:
                raise ScaleposeError(f"cannot mix inputs of {first.input_size} and {other.input_size} pixels")
        self.datasets = tuple(datasets)
        self.weights = tuple(float(weight) for weight in weights)
        self.skeleton = first.skeleton
        self.input_size = first.input_size
        self._ends = list(accumulate(len(dataset) for dataset in datasets))

    def __len__(self) -> int:
        return self._ends[-1]

    def sample(self, index: int, rng: np.random.Generator) -> SampleT_co:
        """One sample of the data set that `index` falls into."""
        source = int(np.searchsorted(self._ends, index, side="right"))
        dataset = self.datasets[source]
        return dataset.sample(index - self._ends[source] + len(dataset), rng)

    @property
    def sources(self) -> tuple[tuple[int, float], ...]:
        """(number of samples, weight) of each source, in order."""
        return tuple((len(dataset), weight) for dataset, weight in zip(self.datasets, self.weights, strict=True))


def _people(picture: Picture, K: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P, K, 2) keypoints with NaN for unlabelled ones, (P, K) which of them are hidden, and (P, 4) boxes as corners,
    of the people with any."""
    people = [person for person in picture.people if person.labelled]
    keypoints = np.array([person.keypoints for person in people], np.float32).reshape(-1, K, 3)
    boxes = np.array([person.box for person in people], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.float32(np.nan)), keypoints[..., 2] == 1, boxes
