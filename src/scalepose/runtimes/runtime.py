"""A network that can be run, whatever runs it: the `Runtime` protocol, and `open_runtime`, which chooses one.

Knows which file each runtime reads; what is inside of the files, the runtimes know themselves.
"""

import os
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.models.cropcards import CropCard, find_model
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard

RUNTIMES = ("auto", "onnx", "openvino", "torch")

Card = TypeVar("Card", bound=ModelCard | CropCard, covariant=True)


class Runtime(Protocol[Card]):
    """A network with its weights, ready to run: `Runtime[ModelCard]` for pictures, `Runtime[CropCard]` for crops."""

    @property
    def name(self) -> str:
        """What runs it and where, for people, such as "onnxruntime 1.31.1 · CPUExecutionProvider · 2 threads"."""
        ...

    @property
    def card(self) -> Card:
        """Which network it is."""
        ...

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """(B, 3, H, W) float32 normalised RGB → what the network says, float32. H and W are multiples of 32; of crops
        those of the card.

        Raises ScaleposeError for another shape or dtype.
        """
        ...


def open_runtime(model: str | Path, runtime: str = "auto") -> Runtime[Any]:
    """Open a network to run it, of either kind: which, its card tells.

    model: a name of the zoo whose weights are shipped, or a file that scalepose wrote: .onnx or .safetensors.
    runtime: one of `RUNTIMES`. "auto" takes ONNX Runtime for .onnx, torch for .safetensors.
    Raises ScaleposeError when there is no such model or the runtime cannot open its file, MissingExtra when the runtime
    is not installed.
    """
    if runtime not in RUNTIMES:
        raise ScaleposeError(f"no runtime is called {runtime!r}; there are: {', '.join(RUNTIMES)}")
    path = model_file(model, runtime)
    suffix = path.suffix.lower()
    if suffix == ".onnx" and runtime in ("auto", "onnx"):
        from scalepose.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path)
    if suffix == ".onnx" and runtime == "openvino":
        from scalepose.runtimes.openvino import OpenvinoRuntime

        return OpenvinoRuntime(path)
    if suffix == ".safetensors" and runtime in ("auto", "torch"):
        from scalepose.runtimes.torch import open_torch

        return open_torch(path)
    if suffix == ".onnx":
        raise ScaleposeError(f"{path}: torch cannot run an ONNX file; give the .safetensors that it was exported from")
    if suffix == ".safetensors":
        raise ScaleposeError(
            f"{path}: {runtime} needs an ONNX file; make one with: "
            f"scalepose export {path} --to onnx --out {path.with_suffix('.onnx').name}"
        )
    raise ScaleposeError(
        f"{path}: is neither .onnx nor .safetensors; convert a published checkpoint with: "
        f"scalepose import {path} --model NAME --out {path.stem}.safetensors"
    )


def cores() -> int:
    """How many threads to compute with: OMP_NUM_THREADS if set, else the cores this process may use."""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    if wish.isdecimal() and int(wish) > 0:
        return int(wish)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model_file(model: str | Path, runtime: str) -> Path:
    """The file that `open_runtime` opens: `model` itself, or the weights shipped under that name."""
    path = Path(model)
    if path.suffix:  # no name of the zoo has a dot
        if not path.is_file():
            raise ScaleposeError(f"{path}: there is no such file")
        return path
    card = find_model(str(model))
    shipped = card.file(".safetensors" if runtime == "torch" else ".onnx")
    if shipped is None and runtime == "auto":
        shipped = card.file(".safetensors")
    if shipped is None and card.weights is not None:
        raise ScaleposeError(f"{card.name!r} is not shipped in a form that {runtime} runs; use --runtime auto")
    if shipped is None:
        raise ScaleposeError(
            f"no weights of {card.name!r} are shipped; bring the published file with: "
            f"scalepose import OFFICIAL.pth --model {card.name} --out {card.name}.safetensors"
        )
    return shipped
