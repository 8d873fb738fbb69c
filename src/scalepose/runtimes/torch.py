"""Torch: runs a network as it was trained. For .safetensors, for GPUs, and for a model still in training.

On a CUDA GPU convolutions of float32 compute in TF32, as torch does by itself, with channels last in memory. Compiled
there, a network runs as a CUDA graph, which spares the launches of a thousand small kernels; on the CPU compiling takes
minutes and is worth little beside ONNX Runtime. None of this has been run on a GPU yet: the tests know the CPU only.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scalepose.errors import MissingExtra, ScaleposeError

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtra("torch", "torch") from error

from scalepose.models import BottomUp, TopDown, load_model
from scalepose.models.outputs import Outputs
from scalepose.runtimes.ports import check_images, from_names, to_names
from scalepose.runtimes.runtime import first_line, lacks_memory, run_error


class TorchRuntime:
    """A `Runtime` on torch, on the device where `model` lies.

    `model` is not copied: it is put in evaluation mode, and its weights can go on changing.
    bf16: convolutions compute in bfloat16, 8 bits of mantissa. compiled: by torch.compile, when the first pictures come
    and once more when others of another size do.
    """

    concurrent = False  # CUDA graphs are not made for it, and eager threads get in each other's way

    def __init__(self, model: BottomUp | TopDown, bf16: bool = False, compiled: bool = False):
        self._model = model.eval()
        self._device = next(model.parameters()).device
        self._bf16 = bf16
        graphs = "reduce-overhead" if self._device.type == "cuda" else "default"
        self._compiled = torch.compile(self._model, mode=graphs) if compiled else None
        if self._device.type == "cpu":
            where = f"CPU · {torch.get_num_threads()} threads"
        else:
            where = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)
        how = " · compiled" * compiled + " · bf16" * bf16
        self.name = f"torch {torch.__version__} · {where}{how}"

    @property
    def card(self) -> Any:  # ModelCard or CropCard, as the model's
        """Which network it is."""
        return self._model.card

    def __repr__(self) -> str:
        return f"TorchRuntime({self.card.name!r}, {self.name})"

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """As `Runtime` has it. Raises ScaleposeError too when the network cannot be compiled on this machine."""
        check_images(images, self.card)
        try:
            batch = torch.from_numpy(images).to(self._device, memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                maps = to_names(self._model(batch) if self._compiled is None else self._run_compiled(batch))
            # Copied at once: the next run of a CUDA graph writes where this one did.
            return from_names({name: tensor.float().contiguous().cpu().numpy() for name, tensor in maps.items()})
        except RuntimeError as error:  # a GPU's may come as late as the copy
            if str(error).startswith("DataLoader worker"):  # one has died, which interrupts training wherever it is
                raise
            raise run_error(error, self.card, images) from error

    def _run_compiled(self, batch: torch.Tensor) -> Outputs[torch.Tensor]:
        assert self._compiled is not None
        try:
            return self._compiled(batch)
        except (RuntimeError, ImportError) as error:  # what the compiler's errors have in common
            if lacks_memory(error):
                raise
            raise ScaleposeError(
                f"torch cannot compile {self.card.name} here ({first_line(error)}); it needs a C++ compiler, and on a "
                "GPU Triton; use --runtime torch"
            ) from error


def open_torch(path: str | Path, bf16: bool = False, compiled: bool = False) -> TorchRuntime:
    """A .safetensors file on the best device there is: a CUDA GPU, else Apple's, else the CPU."""
    others = "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device("cuda" if torch.cuda.is_available() else others)
    model = load_model(path).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TorchRuntime(model, bf16, compiled)
