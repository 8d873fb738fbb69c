"""A training run of an up-scaler of crops as one complete yaml file (`kind: upscaler`): `UpscaleRecipe`."""

from dataclasses import dataclass
from typing import Literal

from scalepose.data.cropaugmentation import CropAugmentation
from scalepose.models.upscalercard import UpscalerCard
from scalepose.skeletons import SKELETONS, Skeleton
from scalepose.training.croprecipe import CropData
from scalepose.training.parts import Plan, check


@dataclass(frozen=True)
class UpscaleModel:
    """What is trained. skeleton: of the people in the training sets. crop_size: width and height of the small crops.
    factor: how many times larger they become, along each side. channels: of the two hidden layers.
    """

    skeleton: str
    crop_size: tuple[int, int]
    factor: int
    channels: tuple[int, int]

    def __post_init__(self) -> None:
        check(all(4 <= side <= 1024 for side in self.crop_size), "crop_size must be two numbers from 4 to 1024")


@dataclass(frozen=True)
class UpscaleRecipe(Plan):
    """A training run on crops of people `factor` times the size, averaged down. Nothing is known of keypoints."""

    kind: Literal["upscaler"]
    model: UpscaleModel
    data: CropData
    augmentation: CropAugmentation

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.init.pretrained is None, "init.pretrained must be null; an up-scaler begins as plain enlargement")
        check(self.data.val is None, "data.val must be null; no keypoints are found here that could be measured")
        _ = self.card()  # raises for values of which no up-scaler can be built

    def card(self) -> UpscalerCard:
        """The network to build."""
        return UpscalerCard(self.name, self.model.factor, self.model.channels)

    def skeleton(self) -> Skeleton:
        """Of the people in the training sets. Raises ScaleposeError when its file is none."""
        name = self.model.skeleton
        return SKELETONS[name] if name in SKELETONS else Skeleton.load(name)
