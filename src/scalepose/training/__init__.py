"""Make a model: a recipe (one complete yaml file), the task (losses, updates, averaged weights), and the run.

Importing this folder loads nothing heavy; `train` loads torch and Lightning, which takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalepose.training.recipe import Recipe as Recipe
    from scalepose.training.recipe import read_recipe as read_recipe
    from scalepose.training.run import train as train

_HOME = {"Recipe": "recipe", "read_recipe": "recipe", "train": "run"}

__all__ = ["Recipe", "read_recipe", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
