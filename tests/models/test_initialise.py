"""Fresh networks by their statistics."""

import pytest
import torch
from torch import nn

from scalepose.models import BottomUp, ModelCard, Network
from scalepose.models.hrnet import Exchange
from scalepose.models.initialise import initialise

SMALL = Network(width=16, stem=16, layer1=1, modules=(1, 3, 2), blocks=2, deconv_blocks=2)


def fresh(start, network: Network = SMALL) -> BottomUp:
    model = BottomUp(ModelCard("small", network))
    torch.manual_seed(0)
    initialise(model, start)
    return model


def pictures() -> torch.Tensor:
    """(4, 3, 128, 128): as smooth, about, as photos."""
    coarse = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return nn.functional.interpolate(coarse, size=(128, 128), mode="bicubic")


def test_published_values():
    model = fresh("published", Network())  # the large one: enough weights for sharp statistics
    weights = torch.cat([m.weight.flatten() for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)])
    assert weights.mean().item() == pytest.approx(0, abs=1e-6)
    assert weights.std().item() == pytest.approx(0.001, rel=1e-3)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(torch.equal(m.weight, torch.ones_like(m.weight)) and not m.bias.any() for m in norms)
    assert not any(p.any() for name, p in model.final_layers.named_parameters() if name.endswith("bias"))


def test_scratch_keeps_activations_alive_through_the_depth():
    model = fresh("scratch").train()
    spreads: list[float] = []
    for module in model.modules():
        if isinstance(module, Exchange):
            module.register_forward_hook(lambda _m, _i, branches: spreads.extend(b.std().item() for b in branches))
    model(pictures())
    assert len(spreads) == 2 + 3 * 3 + 4 + 1
    assert min(spreads) > 0.3
    assert max(spreads) < 5


@pytest.mark.parametrize("network", [SMALL, Network()], ids=["small", "w32"])
def test_scratch_outputs_start_small_but_tags_differ(network):
    with torch.no_grad():
        outputs = fresh("scratch", network).train()(pictures())
    for heatmaps in outputs.heatmaps:
        assert heatmaps.abs().max() < 1
        assert heatmaps.std() < 0.15
    assert 0.005 < outputs.tags.std() < 0.2


def test_scratch_gradients_reach_the_first_layer_in_proportion():
    model = fresh("scratch").train()
    outputs = model(pictures())
    loss = sum(((h - 0.1) ** 2).mean() for h in outputs.heatmaps) + outputs.tags.var()
    loss.backward()
    steps = {
        name: (p.grad.norm() / p.norm()).item()
        for name, p in model.named_parameters()
        if p.ndim == 4 and p.grad is not None
    }
    fused = [step for name, step in steps.items() if "fuse_layers" in name]
    assert min(fused) > 0
    assert 0.01 < steps["conv1.weight"] / (sum(fused) / len(fused)) < 100


def test_scratch_residual_blocks_start_as_the_identity():
    model = fresh("scratch").eval()
    block = model.deconv_layers[0][1][0]  # pyright: ignore[reportIndexIssue]
    x = torch.rand(1, 16, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_scratch_deconvolution_interpolates_without_chequerboard():
    model = fresh("scratch")
    deconv = model.deconv_layers[0][0][0]  # pyright: ignore[reportIndexIssue]
    flat = deconv(torch.ones(1, deconv.in_channels, 8, 8))[..., 2:-2, 2:-2]
    torch.testing.assert_close(flat, flat[..., :1, :1].expand_as(flat))


def test_the_same_seed_gives_the_same_network():
    first, second = fresh("scratch").state_dict(), fresh("scratch").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_initialising_again_forgets_what_was_learnt():
    model = fresh("scratch").train()
    model(pictures())
    torch.manual_seed(0)
    initialise(model, "scratch")
    expected = fresh("scratch").state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
