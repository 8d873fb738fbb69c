"""First weights of a network that has none: as published, or for training from scratch.

The published values are small everywhere and meant to be overlaid with an ImageNet trunk (HigherHRNet, section 4.1 and
official code). "scratch" is ours, for networks that start with nothing: He et al. 2015 for the convolutions, Goyal et
al. 2017 (section 5.1) for the residual blocks. Knows no files and no training.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from scalepose.models.hrnet import BasicBlock, Bottleneck

Start = Literal["published", "scratch"]


def initialise(model: nn.Module, start: Start) -> None:
    """Fill all parameters and running statistics of `model` in place, from torch's random generator.

    "published": every (transposed) convolution N(0, 0.001), biases 0, batch norms 1 and 0.
    "scratch": outputs vary by about 0.05, so heatmaps start near 0 and tags differ; activations keep their size
    through the depth of the network, because every residual block starts as the identity.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if start == "published":
                nn.init.normal_(module.weight, std=0.001)
            elif isinstance(module, nn.ConvTranspose2d):
                _upsampling(module.weight)
            elif module.bias is not None:  # only predictions have a bias: no batch norm follows
                nn.init.normal_(module.weight, std=0.02 / module.in_channels**0.5)
            else:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if start == "scratch":
        for module in model.modules():
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


def _upsampling(weight: Tensor) -> None:
    """(inputs, outputs, 4, 4), stride 2: mix the channels at random and interpolate linearly, so no chequerboard."""
    triangle = torch.tensor([0.25, 0.75, 0.75, 0.25])
    mix = torch.randn(*weight.shape[:2], 1, 1) * (2 / weight.shape[0]) ** 0.5
    with torch.no_grad():
        weight.copy_(mix * triangle[:, None] * triangle)
