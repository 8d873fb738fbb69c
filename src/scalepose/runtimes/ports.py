"""What goes into an exported network and what comes out, by name: the one place where `Outputs` and names meet.

Every runtime gives its arrays by these names and checks a file's graph here against the card inside of the file, before
anything runs. Knows no runtime.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.models.cropcards import CropCard, card_from_json
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard

METADATA_KEY = "scalepose"  # under which the card lies in a file
INPUT = "images"
MAX_BYTES = 2 << 30  # what one protobuf, and so one .onnx file, can hold
STRIDE = 32  # of HRNet's coarsest branch: the sides of the input must be multiples of it

Array = TypeVar("Array")


def output_channels(card: ModelCard | CropCard) -> dict[str, tuple[int, ...]]:
    """Name → channels (what stands between batch and sides of the shape) of all outputs, heatmaps coarse to fine."""
    K = len(card.skeleton)
    if isinstance(card, CropCard):
        return {"heatmaps_0": (K,)} | ({"offsets": (K, 2)} if card.network.has_offsets else {})
    channels: dict[str, tuple[int, ...]] = {f"heatmaps_{level}": (K,) for level in range(card.network.deconvs + 1)}
    channels["tags"] = (K,) if card.network.tag_per_keypoint else (1,)
    if card.network.centre_offsets:
        channels["offsets"] = (K, 2)
    return channels


def to_names(outputs: Outputs[Array]) -> dict[str, Array]:
    """Outputs → name → array, in the order of `output_channels`."""
    arrays = {f"heatmaps_{level}": maps for level, maps in enumerate(outputs.heatmaps)}
    if outputs.tags is not None:
        arrays["tags"] = outputs.tags
    if outputs.offsets is not None:
        arrays["offsets"] = outputs.offsets
    return arrays


def from_names(arrays: Mapping[str, Array]) -> Outputs[Array]:
    """Name → array, in any order, back to Outputs."""
    levels = sum(name.startswith("heatmaps_") for name in arrays)
    return Outputs([arrays[f"heatmaps_{level}"] for level in range(levels)], arrays.get("tags"), arrays.get("offsets"))


def output_strides(names: list[str]) -> dict[str, int]:
    """Name → input pixels per map pixel. Each level of heatmaps doubles the resolution; all else is at 4."""
    return {name: 4 >> int(name.removeprefix("heatmaps_")) if "_" in name else 4 for name in names}


def check_images(images: np.ndarray, card: ModelCard | CropCard) -> None:
    """Raise ScaleposeError unless `images` is what the network of `card` takes."""
    if images.dtype != np.float32 or images.ndim != 4 or images.shape[1] != 3:
        raise ScaleposeError(
            f"{card.name} takes (B, 3, H, W) float32 images, not {images.shape} {images.dtype}; "
            "scalepose.models.normalise makes them from (H, W, 3) uint8 RGB"
        )
    B, _, H, W = images.shape
    if isinstance(card, CropCard):
        if B < 1 or card.crop_size != (W, H):
            width, height = card.crop_size
            raise ScaleposeError(f"{card.name} takes crops of {width}×{height} pixels, not {W}×{H} (batch of {B})")
    elif min(B, H, W) < 1 or H % STRIDE or W % STRIDE:
        raise ScaleposeError(
            f"{card.name} takes sides that are multiples of {STRIDE} pixels, not {W}×{H} (batch of {B}); "
            "scalepose.View.fit resizes and pads"
        )


def check_file(path: Path) -> None:
    """Raise ScaleposeError when there is no file, an empty one, or one larger than a network's file can be."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    if not 0 < size < MAX_BYTES:
        raise ScaleposeError(f"{path}: has {size} bytes, so it is no whole model file; fetch or export it again")


def read_card(text: str | None, path: Path) -> ModelCard | CropCard:
    """The card inside of a file. Raises ScaleposeError when there is none."""
    if not text:
        raise ScaleposeError(
            f"{path}: carries no description of its network, so scalepose did not write it; "
            "make one from weights with: scalepose export MODEL --to onnx --out PATH"
        )
    return card_from_json(text, str(path))


def check_graph(
    card: ModelCard | CropCard, inputs: list[str], outputs: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """Raise ScaleposeError unless what goes in and out of a graph (name → channels) is what the card says."""
    expected = output_channels(card)
    if inputs != [INPUT] or outputs != expected:
        raise ScaleposeError(
            f"{path}: does not hold the network it describes: {card.name} gives {expected} from [{INPUT!r}], "
            f"the file gives {dict(outputs)} from {inputs}; export it again"
        )
