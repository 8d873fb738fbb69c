"""The exponential moving average of the weights, which is validated and shipped in place of the weights themselves."""

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class AveragedWeights(WeightAveraging):
    """After every update that changed the weights: average ← d · average + (1 − d) · weights.

    decay: the final d. At first the average is short, d = (1 + n) / (10 + n) after n updates, so that it forgets the
    random weights at the start. The running statistics of the batch norms are averaged too.
    """

    def __init__(self, decay: float):
        @torch.no_grad()
        def average(averaged: tuple[Tensor, ...], current: tuple[Tensor, ...], n: Tensor) -> None:
            if averaged[0].is_floating_point():
                d = min(decay, float((1 + n) / (10 + n)))
                torch._foreach_lerp_(averaged, current, 1 - d)  # pyright: ignore[reportPrivateImportUsage]
            else:  # the norms' counters
                torch._foreach_copy_(averaged, current)  # pyright: ignore[reportPrivateImportUsage]

        super().__init__(multi_avg_fn=average)
