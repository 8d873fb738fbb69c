"""HRNet (section 3.1 of HigherHRNet; Sun et al., CVPR 2019): parallel branches at strides 4, 8, 16 and 32 which keep
exchanging what they know. The stride-4 branch comes out, or by choice a mix of all of them.

Knows no keypoints and no tasks: a network with heads inherits from `HRNet` and starts from `features`. Inheriting, not
holding, keeps every tensor's published name, so ImageNet and official checkpoints load as they are. Where the official
code has None (a branch that passes through), this one has an identity; neither has tensors.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

from scalepose.models.zoo import Network


class HRNet(nn.Module):
    """The trunk.

    network: its width, stem, layer1, modules, blocks and mix are read; the heads' fields are not.
    branches: of the last stage, 4, or 3 for pictures so small that none of stride 32 is wanted.
    """

    def __init__(self, network: Network, branches: int = 4):
        super().__init__()
        stem = network.stem
        widths = [network.width * 2**i for i in range(branches)]  # channels of the branches at stride 4, 8, 16, 32

        self.conv1 = _conv3x3(3, stem, stride=2)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = _conv3x3(stem, stem, stride=2)
        self.bn2 = nn.BatchNorm2d(stem)
        self.layer1 = nn.Sequential(
            Bottleneck(stem, stem), *(Bottleneck(4 * stem, stem) for _ in range(network.layer1 - 1))
        )

        self.transition1 = Transition([4 * stem], widths[:2])
        self.stage2 = nn.Sequential(*(Exchange(widths[:2], network.blocks) for _ in range(network.modules[0])))
        self.transition2 = Transition(widths[:2], widths[:3])
        self.stage3 = nn.Sequential(*(Exchange(widths[:3], network.blocks) for _ in range(network.modules[1])))
        self.transition3 = Transition(widths[:3], widths)
        self.stage4 = last_stage(widths, network)
        self.mix = Mix(widths, network.mix) if network.mix else None

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB, H and W multiples of 32 → (B, width or mix, H/4, W/4), not negative."""
        branches = self.stage4(self.transition3(self.three_stages(images)))
        return branches[0] if self.mix is None else self.mix(branches)

    def three_stages(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) → the branches before the last stage: (B, width·2^i, H/4/2^i, W/4/2^i) for i of 0, 1, 2."""
        x = relu(self.bn1(self.conv1(images)), inplace=True)  # (B, stem, H/2, W/2)
        x = relu(self.bn2(self.conv2(x)), inplace=True)  # (B, stem, H/4, W/4)
        x = self.layer1(x)  # (B, 4·stem, H/4, W/4)
        branches = self.stage2(self.transition1([x]))
        return self.stage3(self.transition2(branches))


def last_stage(widths: Sequence[int], network: Network) -> nn.Sequential:
    """Stage 4. Where only the stride-4 branch leaves the trunk, the last exchange brings nothing to the others."""
    return nn.Sequential(
        *(Exchange(widths, network.blocks) for _ in range(network.modules[2] - 1)),
        Exchange(widths, network.blocks, outputs=None if network.mix else 1),
    )


class Exchange(nn.Module):
    """Residual blocks on each branch, then every branch receives the sum of all of them, brought to its size.

    widths: channels of the branches, each at half the resolution of the one before. outputs: how many branches, from
    the finest, receive; None for all.
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int | None = None):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(width) for _ in range(blocks))) for width in widths)
        self.fuse_layers = nn.ModuleList(Fusion(widths, i) for i in range(len(widths) if outputs is None else outputs))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """(B, widths[i], h/2^i, w/2^i) each → the same of the receiving branches."""
        branches = [blocks(x) for blocks, x in zip(self.branches, branches, strict=True)]
        return [fusion(branches) for fusion in self.fuse_layers]


class Fusion(nn.ModuleList):
    """What branch `target` receives: layer j brings branch j to its resolution and channels; their sum is rectified."""

    def __init__(self, widths: Sequence[int], target: int):
        super().__init__(_resample(widths, source, target) for source in range(len(widths)))

    def forward(self, branches: list[Tensor]) -> Tensor:
        """All branches → (B, widths[target], h/2^target, w/2^target)."""
        brought = [layer(x) for layer, x in zip(self, branches, strict=True)]
        total = brought[0]
        for x in brought[1:]:
            total = total + x
        return relu(total, inplace=True)


class Mix(nn.ModuleList):
    """All branches in one map at stride 4: each through a 1×1 convolution and up; their sum is rectified."""

    def __init__(self, widths: Sequence[int], channels: int):
        ups = (nn.Upsample(scale_factor=2**i, mode="nearest") if i else nn.Identity() for i in range(len(widths)))
        super().__init__(nn.Sequential(*_conv_bn(width, channels), up) for width, up in zip(widths, ups, strict=True))

    def forward(self, branches: list[Tensor]) -> Tensor:
        """(B, widths[i], h/2^i, w/2^i) each → (B, channels, h, w)."""
        total = self[0](branches[0])
        for layer, x in zip(list(self)[1:], branches[1:], strict=True):
            total = total + layer(x)
        return relu(total, inplace=True)


class Transition(nn.ModuleList):
    """Opens one more branch at half the resolution of the last; the first transition also narrows the stride-4 map.

    With as many branches after as before, it passes them on.
    """

    def __init__(self, before: Sequence[int], after: Sequence[int]):
        super().__init__()
        for i, width in enumerate(after):
            if i >= len(before):  # the new branch; wrapped once more, as in the published names
                self.append(nn.Sequential(_conv_bn_relu(before[-1], width, stride=2)))
            elif len(before) == 1:
                self.append(_conv_bn_relu(before[0], width, stride=1))
            else:
                self.append(nn.Identity())

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """n branches → n + 1, or the same n."""
        return [layer(branches[min(i, len(branches) - 1)]) for i, layer in enumerate(self)]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around which the input passes unchanged."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = _conv3x3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) → the same shape."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        return relu(self.bn2(self.conv2(y)) + x, inplace=True)


class Bottleneck(nn.Module):
    """1×1 down to `planes`, 3×3, 1×1 up to 4·planes; the input passes around, projected where its shape differs."""

    def __init__(self, channels: int, planes: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        same = channels == 4 * planes and stride == 1
        self.downsample = nn.Identity() if same else _conv_bn(channels, 4 * planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) → (B, 4·planes, h/stride, w/stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        return relu(self.bn3(self.conv3(y)) + self.downsample(x), inplace=True)


def _resample(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """Branch `source` at the resolution and channels of branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            *_conv_bn(widths[source], widths[target]), nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        )
    halvings = [_conv_bn_relu(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    last = nn.Sequential(_conv3x3(widths[source], widths[target], stride=2), nn.BatchNorm2d(widths[target]))
    return nn.Sequential(*halvings, last)


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def _conv_bn(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _conv_bn_relu(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
