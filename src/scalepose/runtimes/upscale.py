"""Super-resolution of crops without training: `open_upscaler`, what `data.degrade` takes for `enlarge`; and its export.

An .onnx file runs on ONNX Runtime, a .safetensors file on torch. Files are not trusted: what goes in and comes out is
compared with the card inside of the file. It knows no people and no poses.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from scalepose.data.degrade import Enlarge
from scalepose.errors import MissingExtra, ScaleposeError
from scalepose.geometry import Size
from scalepose.models.upscalercard import UpscalerCard
from scalepose.runtimes.ports import METADATA_KEY, check_file

INPUT, OUTPUT = "crops", "enlarged"
TOLERANCE = 1e-4  # largest difference between torch and an exported file; pixels are 0 to 1

Network = Callable[[np.ndarray], np.ndarray]
"""(B, 3, h, w) float32 RGB, 0 to 1 → (B, 3, factor·h, factor·w) float32."""


def open_upscaler(path: str | Path) -> Enlarge:
    """What enlarges crops by the up-scaler in a .onnx or .safetensors file.

    A crop that must become larger than by the up-scaler's factor goes through it again; one that must become less large
    is then averaged down. Raises ScaleposeError when the file is none that scalepose wrote.
    """
    path = Path(path)
    card, network = _open_onnx(path) if path.suffix.lower() == ".onnx" else _open_torch(path)
    return Enlarger(card, network)


class Enlarger:
    """An `Enlarge` from a network. card: what the network is."""

    def __init__(self, card: UpscalerCard, network: Network):
        self.card = card
        self._network = network

    def __repr__(self) -> str:
        return f"Enlarger({self.card.name!r}, ×{self.card.factor})"

    def __call__(self, image: np.ndarray, size: Size) -> np.ndarray:
        """(h, w, 3) uint8 RGB → (H, W, 3) uint8 RGB of `size` (W, H)."""
        while image.shape[1] < size[0] or image.shape[0] < size[1]:
            crops = image.transpose(2, 0, 1)[None].astype(np.float32) / 255
            enlarged = self._network(np.ascontiguousarray(crops))[0]
            image = np.rint(255 * enlarged.clip(0, 1)).astype(np.uint8).transpose(1, 2, 0)
        if image.shape[1::-1] == size:
            return np.ascontiguousarray(image)
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def export_upscaler(weights: str | Path, path: str | Path) -> float:
    """Write the up-scaler of a .safetensors file as .onnx: any batch, any size. Gives the largest difference to torch.

    Raises ScaleposeError when it cannot be written or gives other values than torch, and then leaves no file.
    """
    from scalepose.runtimes.trace import trace_module  # first, for it says which extra is missing

    # isort: split
    import torch

    from scalepose.models.upscale import load_upscaler
    from scalepose.runtimes.export import written_in_one_piece

    model, dim = load_upscaler(weights), torch.export.Dim
    sides = {2: dim("rows", min=4), 3: dim("columns", min=4)}
    with written_in_one_piece(Path(path)) as partial:
        proto = trace_module(model, torch.zeros(2, 3, 24, 16), INPUT, [OUTPUT], sides, model.card.to_json())
        partial.write_bytes(proto.SerializeToString(deterministic=True))
        crops = np.random.default_rng(0).random((3, 3, 20, 28), np.float32)
        with torch.inference_mode():
            expected = model(torch.from_numpy(crops)).numpy()
        difference = float(np.abs(_open_onnx(partial)[1](crops) - expected).max())
        if not difference <= TOLERANCE:  # NaN too
            raise ScaleposeError(f"{path}: not written, since its pixels would differ from torch by {difference:.1e}")
    return difference


def _open_onnx(path: Path) -> tuple[UpscalerCard, Network]:
    import onnxruntime

    from scalepose.runtimes.onnx import session_options

    check_file(path)
    try:
        session = onnxruntime.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions share no base class
        raise ScaleposeError(f"{path}: is no ONNX file that can be run") from error
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if not text:
        raise ScaleposeError(f"{path}: carries no description of its network, so scalepose did not write it")
    card = UpscalerCard.from_json(text, str(path))
    names = [node.name for node in (*session.get_inputs(), *session.get_outputs())]
    if names != [INPUT, OUTPUT]:
        raise ScaleposeError(f"{path}: does not hold the up-scaler it describes; export it again")

    def network(crops: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([OUTPUT], {INPUT: crops})[0])

    return card, network


def _open_torch(path: Path) -> tuple[UpscalerCard, Network]:
    try:
        from scalepose.models.upscale import load_upscaler, numpy_network
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "torch") from error
    model = load_upscaler(path)
    return model.card, numpy_network(model)
