"""Every person's keypoints in a picture, however small, crowded or blurred.

>>> from scalepose import Predictor
>>> poses = Predictor()("photo.jpg")   # Poses(P=…, K=17): .keypoints (P, K, 2), .keypoint_scores (P, K), .scores (P,)

Importing the package loads neither torch nor a runtime; the parts load when they are first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Read once, when torch is loaded. Its threads would otherwise spin while they wait for each other: where another
# process takes one of their cores, a network was measured 80 times as slow. A value set by the user stays.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A net under `data.images.MAX_PIXELS`, should a file's header deceive it: OpenCV decodes no picture of more pixels.
# Read once, when cv2 is loaded; where that came first, its own limit holds, five times as many. The user's stays.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "200000000")

if TYPE_CHECKING:
    from scalepose.crops import CropPredictor as CropPredictor
    from scalepose.errors import ScaleposeError as ScaleposeError
    from scalepose.geometry import View as View
    from scalepose.poses import Poses as Poses
    from scalepose.predictor import Predictor as Predictor
    from scalepose.secondlook import SecondLook as SecondLook
    from scalepose.skeletons import COCO17 as COCO17
    from scalepose.skeletons import CROWDPOSE14 as CROWDPOSE14
    from scalepose.skeletons import Skeleton as Skeleton

_HOME = {
    "CropPredictor": "crops",
    "ScaleposeError": "errors",
    "View": "geometry",
    "Poses": "poses",
    "Predictor": "predictor",
    "SecondLook": "secondlook",
    "COCO17": "skeletons",
    "CROWDPOSE14": "skeletons",
    "Skeleton": "skeletons",
}
_PARTS = ("data", "decode", "evaluation", "losses", "models", "runtimes", "targets", "training")

__all__ = ["COCO17", "CROWDPOSE14", "CropPredictor", "Poses", "Predictor", "ScaleposeError", "SecondLook", "Skeleton"]
__all__ += ["View", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"scalepose.{_HOME[name]}"), name)
    if name in _PARTS:
        return import_module(f"scalepose.{name}")
    raise AttributeError(f"module 'scalepose' has no attribute {name!r}")
