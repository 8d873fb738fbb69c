"""The first training pictures of a recipe as one picture for people: what the network will be taught."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from scalepose.data.preview import preview, preview_crops
from scalepose.errors import ScaleposeError
from scalepose.models.upscale import load_upscaler
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.cropstream import CropSets
from scalepose.training.jobs import open_training_crops
from scalepose.training.kinds import read_plan
from scalepose.training.processes import Processes
from scalepose.training.recipe import Recipe
from scalepose.training.stream import Stream, open_training_data


def preview_command(recipe: Path, overrides: Mapping[str, str], count: int, out: Path) -> int:
    """Write a grid of `count` augmented pictures or crops with their targets as a PNG file. Returns the exit status, 0.

    They are drawn as training draws them: same mixture, augmentation and seed.
    Raises ScaleposeError when recipe or data cannot be used or `out` cannot be written.
    """
    if out.suffix.lower() != ".png":
        raise ScaleposeError(f"{out}: the preview is a PNG file; give a name that ends in .png")
    if count < 1:
        raise ScaleposeError(f"--count {count}: at least one picture is needed")
    plan = read_plan(recipe, overrides)
    if isinstance(plan, CropRecipe):
        grid, legend = _crops(plan, count), "glowing parts are the heatmaps"
    elif isinstance(plan, Recipe):
        grid, legend = _pictures(plan, count), "striped parts are left out of the loss, glowing ones are the heatmaps"
    else:
        raise ScaleposeError(f"{recipe}: an up-scaler is taught crops themselves; there is nothing to draw over them")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(cv2.imencode(".png", cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))[1].tobytes())
    except OSError as error:
        raise ScaleposeError(f"{out}: cannot be written ({error.strerror})") from error
    print(f"{out}: {count} training pictures; {legend}")
    return 0


def _pictures(plan: Recipe, count: int) -> np.ndarray:
    plan = replace(plan, batch_size=count, data=replace(plan.data, workers=0, samples_per_epoch=count))
    card = plan.card()
    loader = open_training_data(plan, card, Processes(), pin_memory=False)
    return preview(next(iter(Stream(loader, epochs=1))), card.skeleton)


def _crops(plan: CropRecipe, count: int) -> np.ndarray:
    plan = replace(plan, batch_size=count, data=replace(plan.data, workers=0, samples_per_epoch=count))
    upscaler = None if plan.model.upscaler is None else load_upscaler(plan.model.upscaler)
    loader = open_training_crops(plan, upscaler, Processes(), False, CropSets())
    batch = next(iter(Stream(loader, epochs=1)))
    targets = batch.targets
    assert targets is not None  # crops of networks have them
    return preview_crops(
        batch.images.permute(0, 2, 3, 1).numpy(),
        targets.heatmaps.numpy(),
        targets.places.numpy(),
        targets.weights.numpy() > 0,
        plan.card().skeleton,
    )
