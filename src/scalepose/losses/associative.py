"""The associative-embedding loss: tags of one person are pulled together, those of different people pushed apart.

Section 3.3 of HigherHRNet, after Newell et al. 2017. It reads tags only at labelled keypoints, whose places it is
given. The published code loops over people on the host; here the whole batch is one gather and a few sums, however
many people there are, and nothing waits for the device.
"""

import torch
from torch import Tensor


def associative_loss(tags: Tensor, tag_pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pull and push, each a scalar of at least float32, averaged over the batch.

    tags: (B, K, h, w), or (B, 1, h, w) where all keypoint types share one map. tag_pixels: (B, P, K) int64, the flat
    index y·w + x of each person's keypoints, −1 where one is not labelled; people with none at all do not count.

    With t the tags of a person's labelled keypoints, m their mean and N the people of a picture:
    pull = mean over people of mean (t − m)², push = ½ · Σ over pairs n ≠ n′ of exp(−(m − m′)²) / (N (N − 1)).
    Pull is 0 without people, push with fewer than two.
    """
    B, P, K = tag_pixels.shape
    C, area = tags.shape[1], tags.shape[2] * tags.shape[3]
    tags = tags.to(torch.promote_types(tags.dtype, torch.float32))

    labelled = tag_pixels >= 0
    index = tag_pixels.clamp(min=0)
    if C > 1:  # keypoint type k reads its own map, which begins at k·h·w
        index = index + area * torch.arange(K, device=tags.device)
    t = tags.flatten(1).gather(1, index.flatten(1)).view(B, P, K)  # (B, C·h·w) -> (B, P·K) -> (B, P, K)
    t = torch.where(labelled, t, 0)  # not a product: an unread pixel may hold anything

    joints = labelled.sum(dim=2)  # (B, P)
    person = joints > 0  # (B, P)
    people = person.sum(dim=1)  # (B,)
    m = t.sum(dim=2) / joints.clamp(min=1)  # (B, P)

    spread = torch.where(labelled, t - m[:, :, None], 0).square().sum(dim=2) / joints.clamp(min=1)  # (B, P)
    pull = spread.sum(dim=1) / people.clamp(min=1)  # (B,)

    pairs = person[:, :, None] & person[:, None, :] & ~torch.eye(P, dtype=torch.bool, device=tags.device)
    closeness = torch.exp(-(m[:, :, None] - m[:, None, :]).square())  # (B, P, P)
    push = 0.5 * torch.where(pairs, closeness, 0).sum(dim=(1, 2)) / (people * (people - 1)).clamp(min=1)  # (B,)
    return pull.mean(), push.mean()
