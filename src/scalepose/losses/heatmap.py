"""The masked mean squared error between predicted and wanted heatmaps, at one resolution.

It does not know how targets are drawn, nor which resolutions a network has: the training task calls it once for each.
`positive_weight` departs from the paper (there 0): keypoints fill about one pixel in a thousand, and a small network
trained briefly from scratch otherwise learns for a long time that "nothing" is right everywhere.
"""

import torch
from torch import Tensor


def heatmap_loss(
    predicted: Tensor, target: Tensor, mask: Tensor, channels: Tensor, positive_weight: float = 0.0
) -> Tensor:
    """Mean over the batch of the mean over K, h, w of mask · (predicted − target)², a scalar of at least float32.

    predicted: (B, K, h, w), any float type. target: (B, K, h, w), 0 to 1. mask: (B, 1, h, w), 0 where nobody knows
    who is there. channels: (B, K), 0 for keypoint types that the picture's data set never labels; masked pixels and
    channels count in the mean, as in the published code. positive_weight: a pixel's error counts 1 + weight · target
    times.
    """
    precise = torch.promote_types(predicted.dtype, torch.float32)  # squares of bfloat16 keep two digits
    target, mask = target.to(precise), mask.to(precise)
    weight = torch.addcmul(mask, mask, target, value=positive_weight) if positive_weight else mask
    error = (predicted.to(precise) - target).square() * weight
    return (error.mean(dim=(2, 3)) * channels).mean()  # (B, K, h, w) -> (B, K) -> ()
