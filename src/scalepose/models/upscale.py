"""Super-resolution of crops: ESPCN (Shi et al., CVPR 2016), three convolutions on the small crop, and channels become
pixels. It is what CAL is compared with: enlarge first, then look.

Departures: colours instead of luminance alone, ReLU instead of tanh, and what the convolutions give is added to the
crop with every pixel repeated, so that an untrained network already enlarges.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, relu

from scalepose.errors import ScaleposeError
from scalepose.models.upscalercard import UpscalerCard
from scalepose.models.weights import METADATA_KEY, read_tensors


class Upscaler(nn.Module):
    """card: what it was built from."""

    def __init__(self, card: UpscalerCard):
        super().__init__()
        self.card = card
        first, second = card.channels
        self.conv1 = nn.Conv2d(3, first, 5, padding=2)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.conv3 = nn.Conv2d(second, 3 * card.factor**2, 3, padding=1)
        nn.init.zeros_(self.conv3.weight)
        nn.init.zeros_(self.conv3.bias)  # type: ignore[arg-type]

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, h, w) float32 RGB, 0 to 1 → (B, 3, factor·h, factor·w), about 0 to 1."""
        x = relu(self.conv1(crops))
        x = relu(self.conv2(x))
        detail = self.conv3(x)  # (B, 3·factor², h, w)
        return pixel_shuffle(detail + crops.repeat_interleave(self.card.factor**2, dim=1), self.card.factor)


def load_upscaler(path: str | Path) -> Upscaler:
    """An up-scaler with its weights, in evaluation mode on the CPU, from a .safetensors file that scalepose wrote.

    Raises ScaleposeError when the file is none or not whole.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path)
    if METADATA_KEY not in metadata:
        raise ScaleposeError(f"{path}: carries no description of its network, so scalepose did not write it")
    model = Upscaler(UpscalerCard.from_json(metadata[METADATA_KEY], str(path)))
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ScaleposeError(f"{path}: does not hold the up-scaler it describes; train it again")
    model.load_state_dict(tensors)
    return model.eval()


def numpy_network(model: Upscaler) -> Callable[[np.ndarray], np.ndarray]:
    """`model` for NumPy arrays, wherever it is: (B, 3, h, w) float32 → (B, 3, factor·h, factor·w) float32."""

    def network(crops: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(crops).to(model.conv1.weight.device)).float().cpu().numpy()

    return network
