"""ResNet-50, 101 and 152 (He et al., CVPR 2016) without their classifier: the backbone of SimpleBaseline.

Knows no keypoints. Tensors have the names that all collections of ImageNet weights use (conv1, bn1, layer1.0.conv1, …),
so such files load as they are; their `fc` is left over. The stride lies on the 3×3 convolution, as in those files and
in SimpleBaseline's own, not on the 1×1 before it as in the paper.
"""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from scalepose.models.hrnet import Bottleneck

BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}  # of layers 1 to 4
FEATURES = 2048  # channels that come out


class ResNet(nn.Module):
    """The trunk.

    blocks: bottlenecks of each of the four layers, as in `BLOCKS`.
    """

    def __init__(self, blocks: tuple[int, int, int, int]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _layer(64, 64, blocks[0], stride=1)
        self.layer2 = _layer(256, 128, blocks[1], stride=2)
        self.layer3 = _layer(512, 256, blocks[2], stride=2)
        self.layer4 = _layer(1024, 512, blocks[3], stride=2)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB, H and W multiples of 32 → (B, 2048, H/32, W/32), not negative."""
        x = relu(self.bn1(self.conv1(images)), inplace=True)  # (B, 64, H/2, W/2)
        x = max_pool2d(x, 3, stride=2, padding=1)  # (B, 64, H/4, W/4)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def _layer(channels: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """(B, channels, h, w) → (B, 4·planes, h/stride, w/stride)."""
    return nn.Sequential(
        Bottleneck(channels, planes, stride), *(Bottleneck(4 * planes, planes) for _ in range(blocks - 1))
    )
