"""The networks. `zoo`, `cropcards`, `outputs` and `normalise` need no torch; the rest loads it when it is first used.

>>> from scalepose.models import create
>>> outputs = create("higherhrnet-w32-512")(images)   # images (B, 3, H, W) → Outputs: heatmaps, tags
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scalepose.errors import MissingExtra
from scalepose.models.cropcards import CROP_MODELS, CropCard, CropNetwork
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import MODELS, ModelCard, Network

if TYPE_CHECKING:
    from scalepose.models.bottomup import BottomUp as BottomUp
    from scalepose.models.bottomup import build as build
    from scalepose.models.construct import create as create
    from scalepose.models.topdown import TopDown as TopDown
    from scalepose.models.topdown import build_crops as build_crops
    from scalepose.models.weights import import_official as import_official
    from scalepose.models.weights import load_model as load_model
    from scalepose.models.weights import load_weights as load_weights
    from scalepose.models.weights import save_weights as save_weights

_HOME = {
    "BottomUp": "bottomup",
    "build": "bottomup",
    "TopDown": "topdown",
    "build_crops": "topdown",
    "create": "construct",
    "import_official": "weights",
    "load_model": "weights",
    "load_weights": "weights",
    "save_weights": "weights",
}

__all__ = ["CROP_MODELS", "MODELS", "BottomUp", "CropCard", "CropNetwork", "ModelCard", "Network", "Outputs", "TopDown"]
__all__ += ["build", "build_crops", "create", "import_official", "load_model", "load_weights", "save_weights"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'scalepose.models' has no attribute {name!r}")
    try:
        return getattr(import_module(f"scalepose.models.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "safetensors"):
            raise MissingExtra(error.name, "torch") from None
        raise
