"""The losses of all top-down heads: between a batch of crops' maps and their targets (`targets.crops`).

heatmap, dark, udp: half the mean squared error. udp-offset: the same for the disc and, inside of it, for x and for y.
cal: the same for the heatmaps; for the offsets the L1 error, weighted pixel by pixel (CAL, Wang et al. 2022). Where the
weights of the second stage come from is told in `losses.mixture`.

As published, every mean is over all pixels and keypoints, also over those that do not count. One departure: CAL's
offsets count inside the disc only, whatever the weights; the official code also pulls the four corners of the mixture's
7×7 window to zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scalepose.models.outputs import Outputs
from scalepose.targets.crops import OFFSET_UNITS, CropTarget, Head


@dataclass(frozen=True, repr=False, eq=False)
class CropTargets:
    """The targets of B crops as tensors: the fields of `CropTarget` with a batch in front.

    heatmaps: (B, K, h, w). offsets: (B, K, 2, h, w) or None. disc: (B, K, h, w) bool or None. static_mask:
    (B, K, h, w) or None. weights: (B, K). places: (B, K, 2) int64.
    """

    heatmaps: Tensor
    offsets: Tensor | None
    disc: Tensor | None
    static_mask: Tensor | None
    weights: Tensor
    places: Tensor

    @classmethod
    def stack(cls, targets: Sequence[CropTarget]) -> "CropTargets":
        """Targets of one head and size, side by side."""

        def stacked(arrays: list[np.ndarray | None]) -> Tensor | None:
            present = [array for array in arrays if array is not None]
            return torch.from_numpy(np.stack(present)) if present else None

        heatmaps, weights, places = (
            torch.from_numpy(np.stack(arrays))
            for arrays in zip(*((t.heatmaps, t.weights, t.places) for t in targets), strict=True)
        )
        return cls(
            heatmaps,
            stacked([t.offsets for t in targets]),
            stacked([t.disc for t in targets]),
            stacked([t.static_mask for t in targets]),
            weights,
            places,
        )

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        return f"CropTargets(heatmaps={'×'.join(map(str, self.heatmaps.shape))})"

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "CropTargets":
        """The same targets on `device`."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "CropTargets":
        """The same targets in page-locked memory, from which they are copied to a GPU faster."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> "CropTargets":
        optional = (self.offsets, self.disc, self.static_mask)
        offsets, disc, static_mask = (None if tensor is None else change(tensor) for tensor in optional)
        return CropTargets(change(self.heatmaps), offsets, disc, static_mask, change(self.weights), change(self.places))


def crop_loss(
    head: Head, outputs: Outputs[Tensor], targets: CropTargets, offset_weights: Tensor | None = None
) -> dict[str, Tensor]:
    """The parts of the loss before their factors, scalars of at least float32: "heatmap", and "offset" where the head
    has offsets. What is minimised is heatmap + λ · offset; λ is 1 for UDP, and 0.7 (W32 up to 128×96) or 1 for CAL.

    outputs: heatmaps [(B, K, h, w)] and offsets (B, K, 2, h, w) or None, any float type.
    offset_weights: (B, K, h, w) for CAL's second stage; None takes the targets' static mask. UDP has no weights.
    """
    heatmaps = outputs.heatmaps[-1]
    heatmaps = heatmaps.to(torch.promote_types(heatmaps.dtype, torch.float32))
    counts = targets.weights[:, :, None, None]  # (B, K, 1, 1)
    parts = {"heatmap": 0.5 * (counts * (heatmaps - targets.heatmaps)).square().mean()}
    if head not in OFFSET_UNITS:
        return parts

    offsets, disc = outputs.offsets, targets.disc
    assert offsets is not None
    assert targets.offsets is not None
    assert disc is not None
    error = offsets.to(torch.promote_types(offsets.dtype, torch.float32)) - targets.offsets  # (B, K, 2, h, w)
    if head == "udp-offset":
        parts["offset"] = (disc[:, :, None] * error).square().mean()  # half of x's and half of y's
    else:
        weights = targets.static_mask if offset_weights is None else offset_weights
        assert weights is not None
        weights = weights * disc  # (B, K, h, w); the disc of a keypoint that does not count is empty
        parts["offset"] = (weights[:, :, None] * error.abs()).mean()
    return parts
