"""The kinds of recipes, and which of them a file is: `read_plan`."""

from collections.abc import Mapping
from pathlib import Path

from scalepose.errors import ScaleposeError
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.recipe import Recipe
from scalepose.training.sections import read_file, read_keys
from scalepose.training.upscalerecipe import UpscaleRecipe

AnyRecipe = Recipe | CropRecipe | UpscaleRecipe

WHOLE_PICTURES = ""  # their recipes have no key `kind`

KINDS: dict[str, type[AnyRecipe]] = {WHOLE_PICTURES: Recipe, "crops": CropRecipe, "upscaler": UpscaleRecipe}


def read_plan(path: str | Path, overrides: Mapping[str, str] | None = None) -> AnyRecipe:
    """Read a recipe of the kind that its key `kind` says; one without it trains on whole pictures.

    overrides: see `sections.read_file`. Raises ScaleposeError naming the file and the key.
    """
    content = read_keys(path)
    kind = content.get("kind") if "kind" in content else WHOLE_PICTURES
    if not isinstance(kind, str) or kind not in KINDS:
        known = ", ".join(name for name in KINDS if name != WHOLE_PICTURES)
        raise ScaleposeError(f"{path}: kind must be one of {known}, not {kind!r}; recipes for whole pictures have none")
    return read_file(KINDS[kind], path, overrides)
