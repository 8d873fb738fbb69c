"""Muon for convolutions: which weights it has, and what it does to them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from scalepose.models import build
from scalepose.models.zoo import find_card
from scalepose.training.optimisers import KernelMuon, make_optimisers
from scalepose.training.parts import Optimiser

SETTINGS = Optimiser("muon", 0.001, None, 0.0, (0.9, 0.99))
CARD = find_card("higherhrnet-w16-384")


def test_every_weight_has_one_optimiser():
    network = build(CARD)
    names = {id(p): name for name, p in network.named_parameters()}
    adam, muon = make_optimisers(network, SETTINGS, 0.001)
    assert isinstance(adam, torch.optim.AdamW)
    assert isinstance(muon, KernelMuon)
    places = {p.data_ptr(): name for name, p in network.named_parameters()}
    inner = [places[p.data_ptr()] for group in muon.param_groups for p in group["params"]]
    rest = [names[id(p)] for group in adam.param_groups for p in group["params"]]
    assert sorted(inner + rest) == sorted(names.values())
    assert {"conv1.weight", "final_layers.0.weight", "final_layers.1.weight"} <= set(rest)
    assert {"conv2.weight", "layer1.0.conv1.weight"} <= set(inner)
    assert not [name for name in rest if ".conv" in name]


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_other_kinds_have_all_weights(kind: str):
    network = build(CARD)
    (adam,) = make_optimisers(network, replace(SETTINGS, kind=kind), 0.001)  # type: ignore[arg-type]
    assert sum(len(group["params"]) for group in adam.param_groups) == len(list(network.parameters()))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_moves_by_a_nearly_orthogonal_matrix(layout: torch.memory_format):
    torch.manual_seed(0)
    layer = nn.Conv2d(12, 16, 3, bias=False).to(memory_format=layout)  # type: ignore[call-overload]
    before = layer.weight.detach().clone()
    muon = KernelMuon([layer.weight], lr=0.01, weight_decay=0.0)
    layer(torch.rand(2, 12, 8, 8)).square().sum().backward()
    muon.step()
    change = (before - layer.weight.detach()).flatten(1)
    stretch = torch.linalg.svdvals(change) / (0.01 * 0.2 * 108**0.5)  # AdamW's size of step: 0.2·√(longer side)
    assert ((stretch > 0.6) & (stretch < 1.3)).all()  # Newton–Schulz of five steps is not exact
    muon.zero_grad()
    assert layer.weight.grad is None


def test_the_layout_in_memory_does_not_matter():
    torch.manual_seed(0)
    start, gradient = torch.randn(8, 6, 3, 3), torch.randn(8, 6, 3, 3)
    ends = []
    for layout in (torch.contiguous_format, torch.channels_last):
        kernel = nn.Parameter(start.to(memory_format=layout, copy=True))
        muon = KernelMuon([kernel], lr=0.01, weight_decay=0.1)
        for _ in range(3):
            kernel.grad = gradient.to(memory_format=layout)
            muon.step()
        ends.append(kernel.detach())
    torch.testing.assert_close(*ends, atol=2e-4, rtol=0)  # its products are in bfloat16, in another order
