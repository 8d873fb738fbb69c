"""The trunk against the published list of tensors, and at sizes nobody published."""

import json

import pytest
import torch

from scalepose.models.hrnet import HRNet
from scalepose.models.zoo import Network

SMALL = Network(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1)


@pytest.mark.parametrize(("width", "name"), [(32, "higherhrnet-w32-512"), (48, "higherhrnet-w48-640")])
def test_every_tensor_has_its_published_name_and_shape(shared, width, name):
    published = json.loads((shared / "reference/checkpoints.json").read_text())[name]["keys"]
    trunk = {k: tuple(shape) for k, (shape, _) in published.items() if not k.startswith(("final_", "deconv_"))}
    with torch.device("meta"):
        ours = HRNet(Network(width=width)).state_dict()
    assert {k: tuple(t.shape) for k, t in ours.items()} == trunk
    assert len(trunk) == 1752  # as many as the ImageNet files share with it


@pytest.mark.parametrize(
    "network",
    [
        SMALL,
        Network(width=18, stem=64, layer1=1, modules=(1, 1, 1), blocks=2),  # HRNet-W18-small of the ImageNet zoo
        Network(width=5, stem=3, layer1=3, modules=(2, 1, 2), blocks=1),
    ],
    ids=["small", "w18-small", "odd"],
)
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_features_lie_at_stride_4(network, size):
    images = torch.randn(2, 3, *size)
    features = HRNet(network).eval().features(images)
    assert features.shape == (2, network.width, size[0] // 4, size[1] // 4)
    assert features.min() >= 0


def test_every_parameter_is_used():
    trunk = HRNet(Network(width=4, stem=4, layer1=2, modules=(2, 2, 2), blocks=1))
    trunk.features(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in trunk.named_parameters() if p.grad is None] == []


def test_coarse_branches_see_the_whole_picture():
    # The stride-4 map at one corner depends on the opposite one, 256 pixels away: context comes through the exchange.
    trunk = HRNet(SMALL).eval()
    images = torch.randn(1, 3, 256, 256, requires_grad=True)
    trunk.features(images)[0, :, 0, 0].sum().backward()
    assert images.grad is not None
    seen = images.grad[0].abs().sum(0) > 0
    assert seen[:96, :96].any()
    assert seen.nonzero().max() > 128
