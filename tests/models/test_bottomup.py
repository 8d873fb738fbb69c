"""The whole network against the official one: tensors, counts, cost and outputs."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from scalepose.errors import ScaleposeError
from scalepose.models import MODELS, BottomUp, ModelCard, Network, build, create
from scalepose.models.bottomup import macs
from scalepose.skeletons import COCO17, CROWDPOSE14, Skeleton

SMALL = Network(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1, deconv_blocks=1)


def without_memory(card: ModelCard) -> BottomUp:
    with torch.device("meta"):
        return BottomUp(card)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("higherhrnet-w32-512", 28_645_331),
        ("higherhrnet-w48-640", 63_827_139),
        ("higherhrnet-w32-512-crowdpose", 28_641_962),
        ("hrnet-ae-w32-512", 28_536_674),
    ],
)
def test_parameter_counts_of_the_paper(name, parameters):
    assert sum(p.numel() for p in without_memory(MODELS[name]).parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "size", "gigamacs"),
    [("higherhrnet-w32-512", 512, 46.20), ("higherhrnet-w32-640", 640, 72.19), ("higherhrnet-w48-640", 640, 149.47)],
)
def test_multiply_adds(name, size, gigamacs):
    assert macs(without_memory(MODELS[name]), size) / 1e9 == pytest.approx(gigamacs, abs=0.005)


def test_counting_leaves_the_network_alone():
    model = build(ModelCard("small", SMALL))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert macs(model, 64) > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", ["higherhrnet-w32-512", "higherhrnet-w48-640", "higherhrnet-w32-512-crowdpose"])
def test_every_tensor_has_its_published_name_shape_and_place(shared, name):
    published = json.loads((shared / "reference/checkpoints.json").read_text())[name]["keys"]
    ours = without_memory(MODELS[name]).state_dict()
    assert [[k, list(t.shape), str(t.dtype).removeprefix("torch.")] for k, t in ours.items()] == [
        [k, shape, dtype] for k, (shape, dtype) in published.items()
    ]


def published_fill(key: str, shape: list[int], dtype: str) -> torch.Tensor:
    """The recipe with which the official network was filled: every tensor a function of its name alone."""
    if dtype == "int64":
        return torch.zeros(shape, dtype=torch.int64)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))
    match key.rsplit(".", 1)[1]:
        case "running_var":
            return 1 + noise.abs() / 10
        case "running_mean" | "bias":
            return noise / 20
        case _ if len(shape) == 1:
            return 1 + noise / 10
    return noise / np.prod(shape[1:]) ** 0.5


def test_outputs_equal_those_of_the_official_network(shared):
    name = "higherhrnet-w32-512"
    published = json.loads((shared / "reference/checkpoints.json").read_text())[name]["keys"]
    expected = np.load(shared / f"reference/parity/forward_{name}.npz")
    model = without_memory(MODELS[name]).to_empty(device="cpu").eval()
    model.load_state_dict({key: published_fill(key, *rest) for key, rest in published.items()})
    images = torch.randn(1, 3, 128, 192, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        outputs = model(images)
    assert outputs.tags is not None
    stages = [torch.cat((outputs.heatmaps[0], outputs.tags), 1), outputs.heatmaps[1]]
    for i, stage in enumerate(stages):
        assert list(stage.shape) == expected[f"shape{i}"].tolist()
        error = np.abs(stage.numpy().ravel()[expected[f"idx{i}"]] - expected[f"val{i}"]).max()
        assert error < 1e-4 * stage.std().item()


@pytest.mark.parametrize(
    ("change", "strides", "tags"),
    [
        ({}, [4, 2], 17),
        ({"deconvs": 0}, [4], 17),
        ({"deconvs": 2}, [4, 2, 1], 17),
        ({"deconvs": 2, "concat": False}, [4, 2, 1], 17),
        ({"concat": False}, [4, 2], 17),
        ({"deconv_blocks": 0}, [4, 2], 17),
        ({"deconv_blocks": 3}, [4, 2], 17),
        ({"multi_resolution": False, "aggregate": False}, [4, 2], 17),
        ({"aggregate": False}, [4, 2], 17),
        ({"tag_per_keypoint": False}, [4, 2], 1),
        ({"tag_per_keypoint": False, "deconvs": 2}, [4, 2, 1], 1),
        ({"mix": 24}, [4, 2], 17),
        ({"mix": 24, "centre_offsets": True}, [4, 2], 17),
        ({"centre_offsets": True, "deconvs": 0}, [4], 17),
    ],
    ids=str,
)
def test_every_ablation_switch(change, strides, tags):
    model = build(ModelCard("small", replace(SMALL, **change))).eval()
    outputs = model(torch.randn(2, 3, 64, 96))
    assert [tuple(h.shape) for h in outputs.heatmaps] == [(2, 17, 64 // s, 96 // s) for s in strides]
    assert outputs.tags.shape == (2, tags, 16, 24)
    total = torch.stack([h.sum() for h in outputs.heatmaps]).sum()
    assert (outputs.offsets is not None) == ("centre_offsets" in change)
    if outputs.offsets is not None:
        assert outputs.offsets.shape == (2, 17, 2, 16, 24)
        total = total + outputs.offsets.sum()
    total.backward()
    unused = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert unused == set()


def test_supervision_changes_no_tensor():
    shapes = [
        {name: t.shape for name, t in without_memory(ModelCard("x", network)).state_dict().items()}
        for network in (SMALL, replace(SMALL, multi_resolution=False, aggregate=False))
    ]
    assert shapes[0] == shapes[1]


def test_concat_feeds_the_coarse_prediction_to_the_finer_one():
    images = torch.randn(1, 3, 64, 64)
    for concat in (True, False):
        model = build(ModelCard("small", replace(SMALL, concat=concat))).eval()
        with torch.no_grad():
            before = model(images).heatmaps[1]
            model.final_layers[0].bias.add_(1.0)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
            after = model(images).heatmaps[1]
        assert torch.equal(before, after) != concat


def test_another_skeleton_changes_the_heads():
    hands = Skeleton("hand", tuple(f"joint {k}" for k in range(21)))
    model = create("hrnet-ae-w32-512", hands)
    assert model.card.skeleton == hands
    assert model.card.weights is None
    assert model.state_dict()["final_layers.0.weight"].shape == (42, 32, 1, 1)
    assert create("hrnet-ae-w32-512").card.skeleton == COCO17
    assert without_memory(MODELS["higherhrnet-w32-512-crowdpose"]).card.skeleton == CROWDPOSE14


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ScaleposeError, match="higherhrnet-w32-512"):
        create("higherhrnet-w99")


@pytest.mark.parametrize(
    "change", [{"width": 10**9}, {"width": "32"}, {"blocks": True}, {"modules": (1, 4)}, {"deconvs": 3}, {"layer1": 0}]
)
def test_a_network_that_cannot_be_is_refused(change):
    with pytest.raises(ScaleposeError, match="network: "):
        Network(**change)
