"""The trunk against the counts and names of the collections that publish ImageNet weights."""

import pytest
import torch
from torch import Tensor

from scalepose.models.bottomup import macs
from scalepose.models.resnet import BLOCKS, ResNet


class Trunk(ResNet):
    def forward(self, images: Tensor) -> Tensor:
        return self.features(images)


def without_memory(name: str) -> Trunk:
    with torch.device("meta"):
        return Trunk(BLOCKS[name]).eval()


# As published with the ImageNet weights, without the 2,049,000 parameters of the classifier.
@pytest.mark.parametrize(
    ("name", "parameters", "gigamacs"),
    [
        ("resnet50", 25_557_032, 4.089),  # 3.86 if the stride lay on the 1×1 convolution
        ("resnet101", 44_549_160, None),
        ("resnet152", 60_192_808, None),
    ],
)
def test_published_counts(name, parameters, gigamacs):
    trunk = without_memory(name)
    assert sum(p.numel() for p in trunk.parameters()) == parameters - 2_049_000
    if gigamacs is not None:
        assert macs(trunk, 224) / 1e9 == pytest.approx(gigamacs - 0.002, abs=0.001)


def test_the_usual_names():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv1.weight", *(f"bn1.{leaf}" for leaf in norm)}
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            at = f"layer{layer}.{block}"
            for i in (1, 2, 3):
                expected |= {f"{at}.conv{i}.weight", *(f"{at}.bn{i}.{leaf}" for leaf in norm)}
        expected |= {f"layer{layer}.0.downsample.0.weight", *(f"layer{layer}.0.downsample.1.{leaf}" for leaf in norm)}
    names = set(without_memory("resnet50").state_dict())
    assert names == expected
    assert len(names) == 318  # of the 320 tensors in the published file, fc has two


def test_features_lie_at_stride_32():
    trunk = Trunk((1, 2, 1, 1)).eval()
    features = trunk(torch.randn(2, 3, 64, 96))
    assert features.shape == (2, 2048, 2, 3)
    assert features.min() >= 0
