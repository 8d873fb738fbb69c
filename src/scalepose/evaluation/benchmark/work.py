"""The pieces of work that are timed: the network alone, a picture part by part, a folder, a picture with a known number
of people, grouping alone.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scalepose.data.images import read_image
from scalepose.decode import Profile, group
from scalepose.evaluation.benchmark.configurations import Configuration
from scalepose.evaluation.benchmark.crowds import Painted, crowd, painted_heatmaps, painted_offsets, painted_tags
from scalepose.evaluation.benchmark.timing import Work
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard
from scalepose.predictor import Predictor
from scalepose.runtimes import Runtime
from scalepose.skeletons import COCO17, Skeleton

PARTS = ("read", "prepare", "network", "decode")
NETWORK_CPU = "network cpu"
# Ways to group, by name: profile, and whether the network gives centre offsets too.
GROUPINGS: Mapping[str, tuple[Profile, bool]] = {
    "paper": ("paper", False),
    "fast": ("fast", False),
    "fast, centre offsets": ("fast", True),
}
DECODED = (704, 512)  # width and height of the network input whose maps `decode_work` takes


class Stopwatch:
    """A `Runtime` that notes when another one runs.

    began: when it first ran since `start`; ended: when it last stopped. Both as `time.perf_counter` counts. cpu:
    processor time that it took, summed up.
    """

    concurrent = False

    def __init__(self, runtime: Runtime[ModelCard]):
        self._runtime = runtime
        self.began = self.ended = self.cpu = 0.0

    @property
    def name(self) -> str:
        """That of the runtime."""
        return self._runtime.name

    @property
    def card(self) -> ModelCard:
        """That of the runtime."""
        return self._runtime.card

    def start(self) -> None:
        """Forget what was noted."""
        self.began = 0.0

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """What the runtime says."""
        self.began = self.began or time.perf_counter()
        cpu = time.process_time()
        outputs = self._runtime(images)
        self.ended = time.perf_counter()
        self.cpu += time.process_time() - cpu
        return outputs


def network_work(configuration: Configuration, size: int) -> Work:
    """The network alone on one picture of size×size pixels."""
    images = np.random.default_rng(0).standard_normal((1, 3, size, size), np.float32)

    def work() -> None:
        configuration.runtime(images)

    return work


def picture_work(configuration: Configuration, pictures: Sequence[Path]) -> Work:
    """Read each picture and find its people, one after the other, by `PARTS`: reading the file, picture to network
    input, the network, maps to people in the picture's pixels. `NETWORK_CPU` is the network's processor time.
    """
    watch = Stopwatch(configuration.runtime)
    predictor = Predictor(watch)

    def work() -> Mapping[str, float]:
        marks = np.zeros((len(pictures), len(PARTS) + 1))
        watch.cpu = 0.0
        for row, path in zip(marks, pictures, strict=True):
            start = time.perf_counter()
            picture = read_image(path, exif=True)
            read = time.perf_counter()
            watch.start()
            predictor(picture)
            row[:] = start, read, watch.began, watch.ended, time.perf_counter()
        return {**dict(zip(PARTS, np.diff(marks, axis=1).sum(axis=0).tolist(), strict=True)), NETWORK_CPU: watch.cpu}

    return work


def folder_work(configuration: Configuration, pictures: Sequence[Path]) -> Work:
    """All pictures from files to people, as a folder is predicted."""
    predictor = Predictor(configuration.runtime)

    def work() -> None:
        for _ in predictor.predict_many(pictures):
            pass

    return work


def people_work(configuration: Configuration, picture: np.ndarray, people: int) -> Work:
    """A picture in memory through the whole pipeline, with maps that hold exactly so many people."""
    return _one_picture(Predictor(Painted(configuration.runtime, people)), picture)


def mosaic_work(configuration: Configuration, picture: np.ndarray) -> Work:
    """A picture in memory through the whole pipeline, with the people that the model finds in it."""
    return _one_picture(Predictor(configuration.runtime), picture)


def decode_work(people: int, grouping: str, skeleton: Skeleton = COCO17) -> Work:
    """Grouping alone, one of `GROUPINGS`, on painted maps of an input of `DECODED` pixels: as the profile has it,
    projected to input size with the tags of two passes (paper), or at half and a quarter of it (fast).
    """
    profile, with_offsets = GROUPINGS[grouping]
    points = crowd(people, len(skeleton), DECODED)
    if profile == "paper":
        heatmaps, tags = painted_heatmaps(points, DECODED, 1), painted_tags(points, DECODED, 1)
        tags = np.moveaxis(np.stack([tags, tags]), 0, -1)  # each channel in one piece, as averaging leaves them
    else:
        heatmaps, tags = painted_heatmaps(points, DECODED, 2), painted_tags(points, DECODED, 4)[..., None]
    offsets = painted_offsets(points, DECODED, 4) if with_offsets else None

    def work() -> None:
        group(heatmaps, tags, skeleton, profile=profile, offsets=offsets)

    return work


def _one_picture(predictor: Predictor, picture: np.ndarray) -> Work:
    def work() -> None:
        predictor(picture)

    return work
