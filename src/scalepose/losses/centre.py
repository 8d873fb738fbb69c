"""The centre-offset loss: around every labelled keypoint the network should point at the person's centre.

An option of ours beside the published losses (targets as in SPM, Nie et al., ICCV 2019). The error is measured in sizes
of the person, so that a small person counts as much as a large one. One gather for the whole batch.
"""

import torch
from torch import Tensor

REACH = 1  # map pixels around a keypoint where the offset is taught: a peak may lie beside the keypoint


def centre_loss(offsets: Tensor, tag_pixels: Tensor, centres: Tensor) -> Tensor:
    """Mean of |predicted − true offset| / size over x, y and the surroundings of all labelled keypoints: a scalar.

    offsets: (B, K, 2, h, w), map pixels. tag_pixels: (B, P, K) int64, flat index y·w + x of each keypoint, −1 where not
    labelled. centres: (B, P, 3), x and y of the centre and the size of each person, map pixels. 0 without keypoints.
    """
    B, K, _, h, w = offsets.shape
    P = tag_pixels.shape[1]
    step = torch.arange(-REACH, REACH + 1, device=offsets.device)
    x = tag_pixels.remainder(w)[..., None, None] + step  # (B, P, K, 1, n)
    y = tag_pixels.div(w, rounding_mode="floor")[..., None, None] + step[:, None]  # (B, P, K, n, 1)
    x, y = torch.broadcast_tensors(x, y)  # (B, P, K, n, n)
    taught = (tag_pixels >= 0)[..., None, None] & (x >= 0) & (x < w) & (y >= 0) & (y < h)

    place = torch.where(taught, y * w + x, 0)  # flat index into one map
    index = place.permute(0, 2, 1, 3, 4).reshape(B, K, 1, -1).expand(-1, -1, 2, -1)  # (B, K, 2, P·n·n)
    predicted = offsets.flatten(3).float().gather(3, index)  # (B, K, 2, h·w) -> (B, K, 2, P·n·n)
    predicted = predicted.view(B, K, 2, P, -1).permute(0, 3, 1, 4, 2)  # (B, P, K, n·n, 2)

    pixel = torch.stack((x, y), dim=-1).flatten(3, 4) + 0.5  # (B, P, K, n·n, 2), centre of each pixel
    size = centres[:, :, None, None, 2:].clamp(min=1)  # rows of nobody hold 0, whose gradient would be NaN
    error = (predicted - (centres[:, :, None, None, :2] - pixel)).abs() / size
    taught = taught.flatten(3)[..., None]  # (B, P, K, n·n, 1)
    return torch.where(taught, error, 0).sum() / (2 * taught.sum()).clamp(min=1)
