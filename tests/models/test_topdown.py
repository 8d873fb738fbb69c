"""Top-down networks against what is published of them: counts, costs, and names of tensors."""

import functools
import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from scalepose.models.bottomup import BottomUp, macs
from scalepose.models.cropcards import CROP_MODELS, HEADS, CropCard, CropNetwork, Head
from scalepose.models.topdown import TopDown, build_crops, topdown
from scalepose.models.zoo import ModelCard
from scalepose.skeletons import CROWDPOSE14

SMALL = CropNetwork(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1)


@functools.cache
def without_memory(name: str) -> TopDown:
    with torch.device("meta"):
        return topdown(CROP_MODELS[name]).eval()


def small(head: Head, branches: int = 4) -> TopDown:
    size = (96, 128) if branches == 4 else (48, 64)
    return build_crops(CropCard("small", replace(SMALL, head=head, branches=branches), crop_size=size)).eval()


# HRNet-W32 is the bottom-up baseline (28,536,674) without its 17 tag maps of 33 parameters. The rest as published.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("hrnet-w32-128x96", 28_536_674 - 17 * 33),
        ("udp-offset-w32-256x192", 28_536_674 + 17 * 33),
        ("cal-w32-128x96", 49.3e6),
        ("cal-w32-64x48", 17.8e6),
        ("cal-w48-128x96", 110.3e6),
        ("simplebaseline-r50-256x192", 34.0e6),
        ("simplebaseline-r101-256x192", 53.0e6),
        ("simplebaseline-r152-256x192", 68.6e6),
    ],
)
def test_parameter_counts(name, parameters):
    count = sum(p.numel() for p in without_memory(name).parameters())
    assert count == parameters if isinstance(parameters, int) else abs(count - parameters) < 0.05e6


@pytest.mark.parametrize(("name", "gigamacs"), [("w32-128x96", 2.70), ("w32-64x48", 0.58), ("w48-128x96", 5.69)])
def test_multiply_adds_of_cal(name, gigamacs):
    name = f"cal-{name}"
    assert macs(without_memory(name), CROP_MODELS[name].crop_size) / 1e9 == pytest.approx(gigamacs, abs=0.005)


def test_multiply_adds_of_hrnet():
    # The paper's "GFLOPs" are of 2^30: 7.1 at 256×192, and so 1.8 at 128×96, where CAL is compared with it.
    assert macs(without_memory("hrnet-w32-128x96"), (192, 256)) / 2**30 == pytest.approx(7.1, abs=0.05)


def test_multiply_adds_of_simple_baseline():
    # The same units; and its counter takes a deconvolution at its output pixels, four times the truth.
    deconvolutions = 16 * 256 * (2048 * 8 * 6 + 256 * 16 * 12 + 256 * 32 * 24)  # weights × input pixels
    counted = macs(without_memory("simplebaseline-r50-256x192"), (192, 256)) + 3 * deconvolutions
    assert counted / 2**30 == pytest.approx(8.9, abs=0.1)


def test_light_cal_costs_as_much_as_plain_heatmaps():
    plain, light = (macs(without_memory(f"{name}-w16-64x48"), (48, 64)) for name in ("hrnet", "cal-light"))
    assert light / plain - 1 == pytest.approx(2 * 17 * 16 * 16 * 12 / plain, rel=1e-6)  # 34 more maps of 16 channels
    assert light / plain < 1.01


def trunk_of_the_paper(shared, name: str) -> set[str]:
    published = json.loads((shared / "reference/checkpoints.json").read_text())[name]["keys"]
    return {key for key in published if not key.startswith(("final_", "deconv_"))}


def test_hrnet_has_the_published_names(shared):
    trunk = trunk_of_the_paper(shared, "higherhrnet-w32-512")
    for name in ("hrnet-w32-128x96", "udp-offset-w32-256x192"):
        assert set(without_memory(name).state_dict()) == trunk | {"final_layer.weight", "final_layer.bias"}


def test_cal_has_the_published_names(shared):
    trunk = trunk_of_the_paper(shared, "higherhrnet-w48-640")
    twins = {
        key.replace(part, part + "_om", 1)
        for key in trunk
        for part in ("transition3", "stage4")
        if key.startswith(part)
    }
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    heads = {
        f"head_{maps}.{block}.{leaf}"
        for maps in ("hm", "om")
        for block in ("final_block1", f"final_block_{maps}")
        for i in (1, 2)
        for leaf in (f"conv{i}.weight", *(f"bn{i}.{n}" for n in norm))
    } | {f"head_{maps}.final_layer_{maps}.{leaf}" for maps in ("hm", "om") for leaf in ("weight", "bias")}
    assert set(without_memory("cal-w48-128x96").state_dict()) == trunk | twins | heads


def test_simple_baseline_has_the_published_names():
    names = without_memory("simplebaseline-r50-256x192").state_dict()
    assert [name for name in names if name.startswith(("deconv_", "final_")) and name.endswith(".weight")] == [
        *(f"deconv_layers.{i}.weight" for i in (0, 1, 3, 4, 6, 7)),
        "final_layer.weight",
    ]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("branches", [3, 4])
def test_every_head_gives_its_maps_at_stride_4(head, branches):
    model = small(head, branches)
    w, h = model.card.map_size
    with torch.no_grad():
        outputs = model(torch.randn(2, 3, 4 * h, 4 * w))
    assert [tuple(maps.shape) for maps in outputs.heatmaps] == [(2, 17, h, w)]
    assert outputs.tags is None
    if head in ("udp-offset", "cal", "cal-light"):
        assert outputs.offsets.shape == (2, 17, 2, h, w)
    else:
        assert outputs.offsets is None


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("branches", [3, 4])
def test_every_parameter_is_used(head, branches):
    model = small(head, branches).train()
    width, height = model.card.crop_size
    outputs = model(torch.randn(2, 3, height, width))
    total = outputs.heatmaps[0].square().sum()
    (total if outputs.offsets is None else total + outputs.offsets.square().sum()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_hrnet_is_the_trunk_of_the_bottom_up_network():
    model = small("heatmap")
    other = BottomUp(ModelCard("other", replace(SMALL.trunk, deconvs=0, aggregate=False))).eval()
    weights = model.state_dict()
    final = {f"final_layers.0.{leaf}": torch.cat([weights[f"final_layer.{leaf}"]] * 2) for leaf in ("weight", "bias")}
    other.load_state_dict({k: v for k, v in weights.items() if not k.startswith("final")} | final)
    crops = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        torch.testing.assert_close(model(crops).heatmaps[0], other(crops).heatmaps[0])


@pytest.mark.parametrize("head", ["udp-offset", "cal-light"])
def test_channels_of_one_trunk_lie_as_udp_has_them(head):
    model = small(head)
    with torch.no_grad():
        model.final_layer.weight.zero_()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        model.final_layer.bias.copy_(torch.arange(51.0))  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        outputs = model(torch.zeros(1, 3, 128, 96))
    assert outputs.offsets is not None
    assert outputs.heatmaps[0][0, :, 0, 0].tolist() == list(range(0, 51, 3))
    assert outputs.offsets[0, :, 0, 0, 0].tolist() == list(range(1, 51, 3))
    assert outputs.offsets[0, :, 1, 0, 0].tolist() == list(range(2, 51, 3))


def test_channels_of_cal_lie_as_published():
    model = small("cal")
    with torch.no_grad():
        for name, channels in (("hm", 17), ("om", 34)):
            final = model.get_submodule(f"head_{name}.final_layer_{name}")
            assert isinstance(final, nn.Conv2d)
            assert final.bias is not None
            final.weight.zero_()
            final.bias.copy_(torch.arange(float(channels)))
        outputs = model(torch.zeros(1, 3, 128, 96))
    assert outputs.offsets is not None
    assert outputs.heatmaps[0][0, :, 5, 5].tolist() == list(range(17))
    assert outputs.offsets[0, :, :, 5, 5].flatten().tolist() == list(range(34))  # x and y of each keypoint in turn


def test_the_branches_of_cal_share_three_stages_and_no_more():
    model = small("cal").train()
    outputs = model(torch.randn(2, 3, 128, 96))
    outputs.heatmaps[0].square().sum().backward()
    touched = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert {"conv1", "stage2", "stage3", "transition3", "stage4", "head_hm"} <= touched
    assert not {"transition3_om", "stage4_om", "head_om"} & touched


def test_simple_baseline_runs():
    model = build_crops(CropCard("baseline", CropNetwork("resnet50", head="cal-light"), CROWDPOSE14, (64, 96))).eval()
    with torch.no_grad():
        outputs = model(torch.randn(2, 3, 96, 64))
    assert repr(outputs) == "Outputs(heatmaps=[2×14×24×16], tags=None, offsets=2×14×2×24×16)"


@pytest.mark.parametrize("head", HEADS)
def test_fresh_networks_say_little(head):
    torch.manual_seed(0)
    model = small(head).train()
    crops = nn.functional.interpolate(torch.randn(4, 3, 16, 12), size=(128, 96), mode="bicubic")
    with torch.no_grad():
        outputs = model(crops)
    assert 0 < outputs.heatmaps[0].std() < 0.2
    if outputs.offsets is not None:
        assert 0 < outputs.offsets.std() < 0.2
