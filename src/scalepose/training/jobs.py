"""What differs between the kinds of training, put together from a recipe: `open_job`."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from scalepose.data.annotations import Annotations, read_annotations
from scalepose.data.boxes import annotated_boxes
from scalepose.models.bottomup import BottomUp
from scalepose.models.initialise import initialise
from scalepose.models.topdown import TopDown, topdown
from scalepose.models.upscale import Upscaler, load_upscaler
from scalepose.models.weights import load_weights, weights_file
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.cropstream import CollateCrops, CropBatch, CropSets, Cut, open_crops
from scalepose.training.croptask import CropTask
from scalepose.training.kinds import AnyRecipe
from scalepose.training.parts import Plan
from scalepose.training.processes import Processes
from scalepose.training.recipe import Recipe
from scalepose.training.stream import open_training_data
from scalepose.training.task import PoseTask
from scalepose.training.updates import Task
from scalepose.training.upscalerecipe import UpscaleRecipe
from scalepose.training.upscaletask import UpscaleTask


@dataclass(frozen=True)
class Job:
    """network: what is trained, with its first weights. loader: of the training batches. task: how they are learned.
    val: what is measured while training, or None.
    """

    network: BottomUp | TopDown | Upscaler
    loader: DataLoader[Any]
    task: Task[Any, Any]
    val: Annotations | None


def open_job(recipe: AnyRecipe, processes: Processes, pin_memory: bool, datasets: CropSets | None = None) -> Job:
    """Network, data and task of a recipe. datasets: those that earlier runs opened, for crops.

    Raises ScaleposeError when one of them cannot be used.
    """
    datasets = datasets or CropSets()
    if isinstance(recipe, CropRecipe):
        return _crops(recipe, processes, pin_memory, datasets)
    if isinstance(recipe, UpscaleRecipe):
        return _upscaler(recipe, processes, pin_memory, datasets)
    return _pictures(recipe, processes, pin_memory)


def _pictures(recipe: Recipe, processes: Processes, pin_memory: bool) -> Job:
    card = recipe.card()
    network = BottomUp(card)
    _begin(network, recipe, processes)
    loader = open_training_data(recipe, card, processes, pin_memory)
    val = recipe.data.val and read_annotations(recipe.data.val.annotations, recipe.data.val.images, card.skeleton)
    return Job(network, loader, PoseTask(network, recipe, len(loader)), val)


def _crops(recipe: CropRecipe, processes: Processes, pin_memory: bool, datasets: CropSets) -> Job:
    card = recipe.card()
    network = topdown(card)
    _begin(network, recipe, processes)
    upscaler = None if recipe.model.upscaler is None else load_upscaler(recipe.model.upscaler)
    loader = open_training_crops(recipe, upscaler, processes, pin_memory, datasets)
    val = recipe.data.val and read_annotations(recipe.data.val.annotations, recipe.data.val.images, card.skeleton)
    boxes = annotated_boxes(val)[0] if val else None
    return Job(network, loader, CropTask(network, recipe, len(loader), upscaler, boxes), val)


def open_training_crops(
    recipe: CropRecipe, upscaler: Upscaler | None, processes: Processes, pin_memory: bool, datasets: CropSets
) -> DataLoader[CropBatch]:
    """The training crops of a recipe, before its `upscaler` enlarges them, with targets for the network."""
    card = recipe.card()
    factor = 1 if upscaler is None else upscaler.card.factor
    W, H = card.crop_size
    return open_crops(
        recipe,
        recipe.data,
        Cut(card.skeleton, (W // factor, H // factor), card.alignment, recipe.augmentation, recipe.low_res),
        CollateCrops(card, factor),
        processes,
        pin_memory,
        datasets,
    )


def _upscaler(recipe: UpscaleRecipe, processes: Processes, pin_memory: bool, datasets: CropSets) -> Job:
    network = Upscaler(recipe.card())
    _lay_out(network, recipe)
    w, h = recipe.model.crop_size
    factor = recipe.model.factor
    loader = open_crops(
        recipe,
        recipe.data,
        Cut(recipe.skeleton(), (factor * w, factor * h), "plain", recipe.augmentation),
        CollateCrops(),
        processes,
        pin_memory,
        datasets,
    )
    return Job(network, loader, UpscaleTask(network, recipe, len(loader)), None)


def _begin(network: BottomUp | TopDown, recipe: Recipe | CropRecipe, processes: Processes) -> None:
    """Fill the weights as the recipe says."""
    initialise(network, recipe.init.scheme)
    if recipe.init.pretrained is not None:
        weights = weights_file(recipe.init.pretrained)
        processes.say(f"{weights}: {load_weights(network, weights)}")
    _lay_out(network, recipe)


def _lay_out(network: nn.Module, recipe: Plan) -> None:
    if recipe.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
