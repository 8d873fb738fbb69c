"""A training run of a network for one person's crop as one complete yaml file (`kind: crops`): `CropRecipe`.

All top-down methods train by it, on equal terms: SimpleBaseline and HRNet, DARK, UDP, CAL with its two stages, and any
of them behind an up-scaler that enlarges small crops first (super-resolution).
"""

from dataclasses import dataclass
from typing import Literal

from scalepose.data.cropaugmentation import CropAugmentation
from scalepose.data.degrade import Degradation
from scalepose.models.cropcards import CropCard, CropNetwork
from scalepose.skeletons import SKELETONS, Skeleton
from scalepose.training.parts import Plan, Validation, check


@dataclass(frozen=True)
class CropModel:
    """What is trained. skeleton: "coco17", "crowdpose14" or a skeleton file. crop_size: width and height of the network
    input. sigma: of the target's Gaussians, map pixels. upscaler: the model file of an up-scaler (see `upscalerecipe`)
    which enlarges crops to `crop_size`, or null where they are cut at that size.
    """

    skeleton: str
    crop_size: tuple[int, int]
    sigma: float
    upscaler: str | None
    network: CropNetwork


@dataclass(frozen=True)
class CropSource:
    """One training set of annotated people. weight: its share of the crops drawn, relative to the other sets."""

    images: str
    annotations: str
    weight: float

    def __post_init__(self) -> None:
        check(self.weight > 0, "weight must be above 0; leave the set out instead")


@dataclass(frozen=True)
class CropData:
    """train: the training sets. val: the validation set, its people taken by their annotated boxes, or null. workers:
    loading processes per device, 0 loads in the training process. samples_per_epoch: crops drawn per epoch, or null
    for as many as there are people. cache_megabytes: of memory, per loading process and set, for what surrounds people.
    """

    train: tuple[CropSource, ...]
    val: Validation | None
    workers: int
    samples_per_epoch: int | None
    cache_megabytes: int

    def __post_init__(self) -> None:
        check(len(self.train) > 0, "train must name at least one set")
        check(self.workers >= 0, "workers must be 0 or more")
        check(self.samples_per_epoch is None or self.samples_per_epoch > 0, "samples_per_epoch must be above 0")
        check(self.cache_megabytes >= 0, "cache_megabytes must be 0 or more")


@dataclass(frozen=True)
class SecondStage:
    """CAL's second stage: the mixture of Gaussians that weights the offset loss, and when it takes over.

    components, steps, regularise: see `losses.mixture.fit_mixture`. carry: every fit starts from the mixture of the
    batch before (with one component there is nothing to start from: the fit has a closed form).
    The static mask serves until either has come: the epoch `from_epoch`, or a mean distance between predicted and true
    coarse positions below `below_error` map pixels (a running mean over about fifty updates). null: not for that
    reason. Once begun, the stage lasts.
    """

    components: int
    steps: int
    regularise: float
    carry: bool
    from_epoch: float | None
    below_error: float | None

    def __post_init__(self) -> None:
        check(1 <= self.components <= 64, "components must be 1 to 64")
        check(self.steps > 0, "steps must be above 0")
        check(self.regularise > 0, "regularise must be above 0")
        check(self.from_epoch is None or self.from_epoch >= 0, "from_epoch must be 0 or more")
        check(self.below_error is None or self.below_error > 0, "below_error must be above 0")
        check(
            self.from_epoch is not None or self.below_error is not None,
            "from_epoch or below_error must say when it begins; for one stage only give second_stage: null",
        )


@dataclass(frozen=True)
class CropLoss:
    """offset: weight of the offset loss beside that of the heatmaps, for heads that have offsets (published: 0.7 or 1).
    second_stage: for the heads cal and cal-light; null keeps the static mask to the end.
    """

    offset: float
    second_stage: SecondStage | None

    def __post_init__(self) -> None:
        check(self.offset >= 0, "offset must be 0 or more")


@dataclass(frozen=True)
class CropRecipe(Plan):
    """A training run of a top-down network. low_res: crops are made worse at random, up to this; null: never."""

    kind: Literal["crops"]
    model: CropModel
    data: CropData
    augmentation: CropAugmentation
    low_res: Degradation | None
    loss: CropLoss

    def __post_init__(self) -> None:
        super().__post_init__()
        head = self.model.network.head
        mixes = head in ("cal", "cal-light")
        check(mixes or self.loss.second_stage is None, f"loss.second_stage is for cal and cal-light, not for {head}")
        both = self.low_res is not None and self.model.upscaler is not None
        check(not both, "low_res and model.upscaler both say how crops become small; give one of them")
        _ = self.card()  # raises for sizes that no network takes

    def card(self) -> CropCard:
        """The network to build. Raises ScaleposeError when the skeleton's file is none."""
        skeleton = self.model.skeleton
        return CropCard(
            name=self.name,
            network=self.model.network,
            skeleton=SKELETONS[skeleton] if skeleton in SKELETONS else Skeleton.load(skeleton),
            crop_size=self.model.crop_size,
            sigma=self.model.sigma,
        )
