"""Eager torch: runs a network as it was trained. For .safetensors, for GPUs, and for a model still in training."""

from pathlib import Path

import numpy as np

from scalepose.errors import MissingExtra

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtra("torch", "torch") from error

from scalepose.models import BottomUp, CropCard, TopDown, load_model
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard
from scalepose.runtimes.ports import check_images, from_names, to_names


class TorchRuntime:
    """A `Runtime` on torch, on the device where `model` lies.

    `model` is not copied: it is put in evaluation mode, and its weights can go on changing.
    """

    def __init__(self, model: BottomUp | TopDown):
        self._model = model.eval()
        self._device = next(model.parameters()).device
        if self._device.type == "cpu":
            where = f"CPU · {torch.get_num_threads()} threads"
        else:
            where = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)
        self.name = f"torch {torch.__version__} · {where}"

    @property
    def card(self) -> ModelCard | CropCard:
        """Which network it is."""
        return self._model.card

    def __repr__(self) -> str:
        return f"TorchRuntime({self.card.name!r}, {self.name})"

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """As `Runtime` has it."""
        check_images(images, self.card)
        with torch.inference_mode():
            batch = torch.from_numpy(images).to(self._device, memory_format=torch.channels_last)
            outputs = self._model(batch)
        maps = to_names(outputs).items()
        return from_names({name: tensor.float().contiguous().cpu().numpy() for name, tensor in maps})


def open_torch(path: str | Path) -> TorchRuntime:
    """A .safetensors file on the best device there is: a CUDA GPU, else Apple's, else the CPU."""
    others = "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device("cuda" if torch.cuda.is_available() else others)
    return TorchRuntime(load_model(path).to(device=device, memory_format=torch.channels_last))  # type: ignore[call-overload]
