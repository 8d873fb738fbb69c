"""A training run of a network for whole pictures as one complete yaml file: `Recipe`.

Every key must be there and nothing else may be: a recipe means the same next year, whatever defaults the code has
then. Recipes know neither torch nor pictures; they check that the file says something, the run does the rest.
Paths in a recipe are relative to the current folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scalepose.data.augmentation import Augmentation
from scalepose.models.zoo import ModelCard, Network
from scalepose.skeletons import SKELETONS, Skeleton
from scalepose.training.parts import Plan, Validation, check
from scalepose.training.sections import read_file


@dataclass(frozen=True)
class Model:
    """What is trained. skeleton: "coco17", "crowdpose14" or a skeleton file. input_size: pixels of the short side of
    pictures in use. train_size: side of the square views that it is trained on; null: input_size.
    """

    skeleton: str
    input_size: int
    train_size: int | None
    network: Network

    def __post_init__(self) -> None:
        check(self.input_size > 0 and self.input_size % 32 == 0, "input_size must be a multiple of 32")
        check(self.view_size > 0 and self.view_size % 32 == 0, "train_size must be a multiple of 32, or null")

    @property
    def view_size(self) -> int:
        """Side of the square views that it is trained on."""
        return self.input_size if self.train_size is None else self.train_size


@dataclass(frozen=True)
class Source:
    """One training set. weight: its share of the pictures drawn, relative to the other sets. only_near_people: the
    loss looks only around annotated people, for sets that leave others unmarked. keep_empty: pictures without anybody
    are drawn too. hidden: share of the keypoints labelled as hidden (v = 1) that are taught; the others are as if not
    labelled.
    """

    images: str
    annotations: str
    weight: float
    only_near_people: bool
    keep_empty: bool
    hidden: float

    def __post_init__(self) -> None:
        check(self.weight > 0, "weight must be above 0; leave the set out instead")
        check(0 <= self.hidden <= 1, "hidden must be from 0 to 1")


@dataclass(frozen=True)
class Rendered:
    """A training set without files: people rendered while the network trains. data: says so. size: width and height in
    pixels before augmentation. people: in every picture, or null for as many as photos show. backgrounds: a folder of
    photos to stand behind them, or null for drawn places. scenes: how many there are, each drawn once and kept in
    memory, or null for no picture twice. weight, hidden: as for `Source`. Rendered people have labels wherever joints
    are; photos mostly where one would guess them.
    """

    data: Literal["synthetic"]
    size: tuple[int, int]
    people: int | None
    backgrounds: str | None
    scenes: int | None
    weight: float
    hidden: float

    def __post_init__(self) -> None:
        check(self.weight > 0, "weight must be above 0; leave the set out instead")
        check(0 <= self.hidden <= 1, "hidden must be from 0 to 1")
        check(self.scenes is None or self.scenes > 0, "scenes must be above 0")


@dataclass(frozen=True)
class Data:
    """train: the training sets. val: the validation set, or null. workers: loading processes per device, 0 loads in
    the training process. samples_per_epoch: pictures drawn per epoch, or null for as many as there are.
    """

    train: tuple[Source | Rendered, ...]
    val: Validation | None
    workers: int
    samples_per_epoch: int | None

    def __post_init__(self) -> None:
        check(len(self.train) > 0, "train must name at least one set")
        check(self.workers >= 0, "workers must be 0 or more")
        check(self.samples_per_epoch is None or self.samples_per_epoch > 0, "samples_per_epoch must be above 0")
        endless = any(isinstance(source, Rendered) and source.scenes is None for source in self.train)
        check(not (endless and self.samples_per_epoch is None), "rendered people have no end; give samples_per_epoch")


@dataclass(frozen=True)
class Targets:
    """sigma: of the Gaussian, map pixels at every resolution. subpixel: its centre is exact, not a whole pixel."""

    sigma: float
    subpixel: bool

    def __post_init__(self) -> None:
        check(self.sigma > 0, "sigma must be above 0")


@dataclass(frozen=True)
class Loss:
    """heatmap: one weight per supervised resolution, coarse to fine. positive_weight: see `heatmap_loss`. pull, push:
    weights of the two halves of the associative loss. offsets: weight of the centre-offset loss, for networks that
    predict them.
    """

    heatmap: tuple[float, ...]
    positive_weight: float
    pull: float
    push: float
    offsets: float

    def __post_init__(self) -> None:
        weights = (*self.heatmap, self.positive_weight, self.pull, self.push, self.offsets)
        check(all(weight >= 0 for weight in weights), "weights must be 0 or more")


@dataclass(frozen=True)
class Recipe(Plan):
    """A training run of a network for whole pictures."""

    model: Model
    data: Data
    augmentation: Augmentation
    targets: Targets
    loss: Loss

    def __post_init__(self) -> None:
        super().__post_init__()
        network = self.model.network
        maps = network.deconvs + 1 if network.multi_resolution else 1
        weights = len(self.loss.heatmap)
        check(weights == maps, f"loss.heatmap has {weights} weights; the network is supervised at {maps} resolutions")

    def card(self) -> ModelCard:
        """The network to build. Raises ScaleposeError when the skeleton's file is none."""
        skeleton = self.model.skeleton
        return ModelCard(
            name=self.name,
            network=self.model.network,
            skeleton=SKELETONS[skeleton] if skeleton in SKELETONS else Skeleton.load(skeleton),
            input_size=self.model.input_size,
        )


def read_recipe(path: str | Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe for whole pictures; see `sections.read_file`. `kinds.read_plan` reads all kinds."""
    return read_file(Recipe, path, overrides)
