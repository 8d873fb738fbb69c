"""From a card to its network, whichever kind it is: for whole pictures or for crops."""

from dataclasses import replace

from scalepose.models.bottomup import BottomUp
from scalepose.models.cropcards import CropCard, find_model
from scalepose.models.initialise import initialise
from scalepose.models.topdown import TopDown, topdown
from scalepose.models.zoo import ModelCard
from scalepose.skeletons import Skeleton


def create(name: str, skeleton: Skeleton | None = None) -> BottomUp | TopDown:
    """A network known by name, without trained weights, ready to be trained: its parameters are those of "scratch".

    skeleton: what to predict instead of the keypoints on the card. Raises ScaleposeError for an unknown name.
    """
    card = find_model(name)
    model = construct(card if skeleton is None else replace(card, skeleton=skeleton, weights=None, evidence={}))
    initialise(model, "scratch")
    return model


def construct(card: ModelCard | CropCard) -> BottomUp | TopDown:
    """The network that `card` describes, its weights as torch leaves them: to be filled."""
    return topdown(card) if isinstance(card, CropCard) else BottomUp(card)
