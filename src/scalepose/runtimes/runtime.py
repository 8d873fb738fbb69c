"""A network that can be run, whatever runs it: the `Runtime` protocol, and `open_runtime`, which chooses one.

Knows which files each runtime reads, the fastest first; what is inside of them, the runtimes know themselves.
"""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.models.cropcards import CropCard, find_model
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard

RUNTIMES = ("auto", "onnx", "openvino", "torch")

# Torch in other ways, for GPUs and for many pictures: bf16 is less exact, compiling takes minutes on a CPU.
TORCH_VARIANTS = ("torch-bf16", "torch-compiled", "torch-compiled-bf16")

# What reads a file, the fastest first. On CPUs with AVX512 the two for .onnx differ by less than 10 %, in float32 as
# in int8, mostly in favour of ONNX Runtime; compiled torch is behind both.
_READERS = {".onnx": ("onnx", "openvino"), ".xml": ("openvino",), ".safetensors": ("torch",)}
_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}

# What they say, and CUDA and C++ below them, when memory lacks.
_NO_MEMORY = re.compile(r"out of memory|bad.alloc|(can't|cannot|failed to|unable to) alloc|alloc\w*.failed", re.I)

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

    @property
    def concurrent(self) -> bool:
        """Whether several threads may call it at the same time."""
        ...

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """(B, 3, H, W) float32 normalised RGB → what the network says, float32. H and W are multiples of 32; of crops
        those of the card.

        Raises ScaleposeError for another shape or dtype and when it cannot be run, MemoryError when memory lacks.
        """
        ...


def open_runtime(model: str | Path, runtime: str = "auto") -> Runtime[Any]:
    """Open a network to run it, of either kind: which, its card tells.

    model: a name of the zoo whose weights are shipped, or a file that scalepose wrote: .onnx, .safetensors, or .xml
    with its .bin beside it.
    runtime: one of `RUNTIMES` or `TORCH_VARIANTS`. "auto" takes the fastest that is installed and reads the file: ONNX
    Runtime or else OpenVINO for .onnx, OpenVINO for .xml, torch for .safetensors. Of a name, whose weights may be
    shipped in several forms, it takes the .onnx, or on a GPU that only torch can use the .safetensors. `Runtime.name`
    says which runs.
    Raises ScaleposeError when there is no such model or the runtime cannot open its file, MissingExtra when the runtime
    is not installed.
    """
    if runtime not in (*RUNTIMES, *TORCH_VARIANTS):
        raise ScaleposeError(f"no runtime is called {runtime!r}; there are: {', '.join((*RUNTIMES, *TORCH_VARIANTS))}")
    path = model_file(model, runtime)
    readers = _READERS.get(path.suffix.lower())
    if readers is None:
        raise ScaleposeError(
            f"{path}: is neither .onnx nor .xml nor .safetensors; convert a published checkpoint with: "
            f"scalepose import {path} --model NAME --out {path.stem}.safetensors"
        )
    if runtime == "auto":
        runtime = next((name for name in readers if find_spec(_PACKAGES[name])), readers[0])
    if runtime.partition("-")[0] not in readers:  # the variants read what torch reads
        raise ScaleposeError(f"{path}: {_other_file(path, runtime)}")
    if runtime == "onnx":
        from scalepose.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path)
    if runtime == "openvino":
        from scalepose.runtimes.openvino import OpenvinoRuntime

        return OpenvinoRuntime(path)
    from scalepose.runtimes.torch import open_torch

    return open_torch(path, bf16="bf16" in runtime, compiled="compiled" in runtime)


def run_error(error: Exception, card: ModelCard | CropCard, images: np.ndarray) -> ScaleposeError | MemoryError:
    """What to raise in place of a runtime's own error while it ran on `images`, so that only this picture fails."""
    what = "×".join(map(str, images.shape))
    if lacks_memory(error):
        return MemoryError(
            f"there is not enough memory for {card.name} on {what} values; a smaller picture, scale or batch needs less"
        )
    return ScaleposeError(
        f"{card.name} cannot be run on {what} values ({first_line(error)}); try another --runtime or a smaller picture"
    )


def lacks_memory(error: Exception) -> bool:
    """Whether a runtime failed for lack of memory. They share no class for that, but few words."""
    return isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)) is not None


def first_line(error: Exception) -> str:
    """What a runtime says, without its stack."""
    return str(error).strip().split("\n", 1)[0][:300]


def _other_file(path: Path, runtime: str) -> str:
    """Why `runtime` cannot run this file, and which one to give it."""
    if runtime.startswith("torch"):
        return "torch runs .safetensors only; give the file from which this one was exported"
    if path.suffix.lower() == ".xml":
        return "only OpenVINO runs its own format; use --runtime openvino, or export the model --to onnx"
    return (
        f"{runtime} needs an ONNX file; make one with: "
        f"scalepose export {path} --to onnx --out {path.with_suffix('.onnx').name}"
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
        if not os.path.isfile(path):
            raise ScaleposeError(f"{path}: there is no such file")
        return path
    card = find_model(str(model))
    of_torch, of_others = card.file(".safetensors"), card.file(".onnx")
    if runtime == "auto":
        shipped = of_torch if of_others is None or (of_torch is not None and _gpu_for_torch_only()) else of_others
    else:
        shipped = of_torch if runtime.startswith("torch") else of_others
    if shipped is None and card.weights is not None:
        raise ScaleposeError(f"{card.name!r} is not shipped in a form that {runtime} runs; use --runtime auto")
    if shipped is None:
        raise ScaleposeError(
            f"no weights of {card.name!r} are shipped; bring the published file with: "
            f"scalepose import OFFICIAL.pth --model {card.name} --out {card.name}.safetensors"
        )
    return shipped


def _gpu_for_torch_only() -> bool:
    """There is a CUDA GPU, torch can use it, and ONNX Runtime cannot. Imports torch only beside NVIDIA's driver."""
    if shutil.which("nvidia-smi") is None or find_spec("torch") is None:
        return False
    import torch

    if not torch.cuda.is_available():
        return False
    if find_spec("onnxruntime") is None:
        return True
    import onnxruntime

    return "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
