"""The first training pictures of a recipe as one picture for people: what the network will be taught."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2

from scalepose.data.preview import preview
from scalepose.errors import ScaleposeError
from scalepose.training.processes import Processes
from scalepose.training.recipe import read_recipe
from scalepose.training.stream import Stream, open_training_data


def preview_command(recipe: Path, overrides: Mapping[str, str], count: int, out: Path) -> int:
    """Write a grid of `count` augmented pictures with their targets as a PNG file. Returns the exit status, 0.

    They are drawn as training draws them: same mixture, augmentation and seed.
    Raises ScaleposeError when recipe or data cannot be used or `out` cannot be written.
    """
    if out.suffix.lower() != ".png":
        raise ScaleposeError(f"{out}: the preview is a PNG file; give a name that ends in .png")
    if count < 1:
        raise ScaleposeError(f"--count {count}: at least one picture is needed")
    plan = read_recipe(recipe, overrides)
    plan = replace(plan, batch_size=count, data=replace(plan.data, workers=0, samples_per_epoch=count))
    card = plan.card()
    loader = open_training_data(plan, card, Processes(), pin_memory=False)
    grid = preview(next(iter(Stream(loader, epochs=1))), card.skeleton)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(cv2.imencode(".png", cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))[1].tobytes())
    except OSError as error:
        raise ScaleposeError(f"{out}: cannot be written ({error.strerror})") from error
    print(f"{out}: {count} training pictures; striped parts are left out of the loss, glowing ones are the heatmaps")
    return 0
