"""The kinds of recipes, and which of them a file is: `read_plan`."""

from collections.abc import Mapping
from pathlib import Path

from scalepose.errors import ScaleposeError
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.recipe import Recipe
from scalepose.training.sections import read_file, read_keys
from scalepose.training.upscalerecipe import UpscaleRecipe

AnyRecipe = Recipe | CropRecipe | UpscaleRecipe

KINDS: dict[str | None, type[AnyRecipe]] = {None: Recipe, "crops": CropRecipe, "upscaler": UpscaleRecipe}


def read_plan(path: str | Path, overrides: Mapping[str, str] | None = None) -> AnyRecipe:
    """Read a recipe of any kind, as its key `kind` says; one without trains on whole pictures. See `sections.read_file`.

    Raises ScaleposeError naming the file and the key.
    """
    kind = read_keys(path).get("kind")
    if kind not in KINDS or kind is None and "kind" in read_keys(path):
        known = ", ".join(name for name in KINDS if name)
        raise ScaleposeError(f"{path}: kind must be one of {known}, or the key left out for whole pictures; not {kind!r}")
    return read_file(KINDS[kind], path, overrides)
