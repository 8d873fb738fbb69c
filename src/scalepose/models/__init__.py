"""The networks. `zoo`, `outputs` and `normalise` need no torch; the names below load it when they are first used.

>>> from scalepose.models import create
>>> outputs = create("higherhrnet-w32-512")(images)   # images (B, 3, H, W) → Outputs: heatmaps, tags
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scalepose.errors import MissingExtra
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import MODELS, ModelCard, Network

if TYPE_CHECKING:
    from scalepose.models.bottomup import BottomUp as BottomUp
    from scalepose.models.bottomup import build as build
    from scalepose.models.bottomup import create as create
    from scalepose.models.weights import import_official as import_official
    from scalepose.models.weights import load_model as load_model
    from scalepose.models.weights import load_weights as load_weights
    from scalepose.models.weights import save_weights as save_weights

_HOME = {
    "BottomUp": "bottomup",
    "build": "bottomup",
    "create": "bottomup",
    "import_official": "weights",
    "load_model": "weights",
    "load_weights": "weights",
    "save_weights": "weights",
}

__all__ = ["MODELS", "BottomUp", "ModelCard", "Network", "Outputs", "build", "create", "import_official"]
__all__ += ["load_model", "load_weights", "save_weights"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'scalepose.models' has no attribute {name!r}")
    try:
        return getattr(import_module(f"scalepose.models.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "safetensors"):
            raise MissingExtra(error.name, "torch") from None
        raise
