"""Weights of networks for crops through files: ours, and those of the codes that train such networks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from scalepose.errors import ScaleposeError
from scalepose.models import (
    CROP_MODELS,
    CropCard,
    CropNetwork,
    ModelCard,
    TopDown,
    build,
    build_crops,
    import_official,
    load_model,
    load_weights,
    save_weights,
)
from scalepose.models.resnet import BLOCKS
from scalepose.skeletons import CROWDPOSE14

NETWORK = CropNetwork(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1)
CARD = CropCard("small", NETWORK, crop_size=(96, 128), evidence={"AP": 0.1})


def trained(card: CropCard) -> TopDown:
    """A network no tensor of which has its initial value."""
    torch.manual_seed(0)
    model = build_crops(card).eval()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape) + 0.5 if tensor.is_floating_point() else tensor + 3)
    return model


def with_head(head) -> CropCard:
    return replace(CARD, network=replace(NETWORK, head=head))


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def short_resnet(monkeypatch):
    """ResNet-50 of one block a layer: 8 M parameters instead of 24."""
    monkeypatch.setitem(BLOCKS, "resnet50", (1, 1, 1, 1))


@pytest.mark.parametrize("head", ["heatmap", "udp-offset", "cal", "cal-light"])
def test_a_saved_model_comes_back_whole(head, tmp_path):
    model = trained(with_head(head))
    path = tmp_path / "model.safetensors"
    save_weights(model, path)
    loaded = load_model(path)
    assert isinstance(loaded, TopDown)
    assert loaded.card == model.card
    assert not loaded.training
    assert same(loaded.state_dict(), model.state_dict())


WRAPS: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "plain": lambda s: s,
    "distributed": lambda s: {f"module.{k}": v for k, v in s.items()},
    "official training checkpoint": lambda s: {
        "epoch": 210,
        "model": "pose_hrnet",
        "state_dict": {f"module.{k}": v for k, v in s.items()},
        "best_state_dict": s,
        "perf": 0.7,
    },
    "mmpose 0.x": lambda s: {"meta": {}, "state_dict": {mmpose("keypoint_head", k): v for k, v in s.items()}},
    "mmpose 1.x": lambda s: {"meta": {}, "state_dict": {mmpose("head", k): v for k, v in s.items()}},
}


def mmpose(head: str, key: str) -> str:
    return f"{head if key.startswith(('final_', 'deconv_')) else 'backbone'}.{key}"


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS.keys())
@pytest.mark.usefixtures("short_resnet")
@pytest.mark.parametrize(
    "card", [CARD, replace(CARD, network=CropNetwork("resnet50"))], ids=["pose_hrnet", "pose_resnet"]
)
def test_official_files_load_however_wrapped(card, wrap, tmp_path):
    model = trained(card)
    torch.save(wrap(model.state_dict()), tmp_path / "official.pth.tar")
    other = build_crops(card)
    report = load_weights(other, tmp_path / "official.pth.tar")
    assert report.complete
    assert not report.unexpected
    assert same(other.state_dict(), model.state_dict())


def imagenet_hrnet(model: TopDown) -> dict[str, Tensor]:
    heads = ("final_", "head_", "transition3_om", "stage4_om")
    trunk = {k: v for k, v in model.state_dict().items() if not k.startswith(heads)}
    classifier = {
        "incre_modules.0.0.conv1.weight": torch.zeros(4, 8, 1, 1),
        "final_layer.0.weight": torch.zeros(4, 4, 1, 1),
        "classifier.weight": torch.zeros(1000, 4),
    }
    return trunk | classifier


@pytest.mark.parametrize("head", ["heatmap", "cal"])
def test_an_imagenet_hrnet_fills_the_trunk(head, tmp_path):
    content = imagenet_hrnet(trained(with_head(head)))
    torch.save(content, tmp_path / "hrnet.pth")
    model = build_crops(with_head(head))
    report = load_weights(model, tmp_path / "hrnet.pth")
    assert set(report.unexpected) == {"incre_modules.0.0.conv1.weight", "final_layer.0.weight", "classifier.weight"}
    assert {name.split(".")[0] for name in report.missing} == (
        {"final_layer"} if head == "heatmap" else {"transition3_om", "stage4_om", "head_hm", "head_om"}
    )
    assert all(torch.equal(model.state_dict()[name], content[name]) for name in report.matched)


@pytest.mark.usefixtures("short_resnet")
def test_an_imagenet_resnet_fills_the_trunk(tmp_path):
    card = replace(CARD, network=CropNetwork("resnet50"))
    content = {k: v for k, v in trained(card).state_dict().items() if not k.startswith(("deconv_", "final_"))}
    torch.save(content | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}, tmp_path / "resnet.pth")
    report = load_weights(build_crops(card), tmp_path / "resnet.pth")
    assert set(report.matched) == set(content)
    assert report.unexpected == ("fc.weight", "fc.bias")
    assert {name.split(".")[0] for name in report.missing} == {"deconv_layers", "final_layer"}


def test_fine_tuning_to_another_skeleton_keeps_the_new_head(tmp_path):
    save_weights(trained(CARD), tmp_path / "coco.safetensors")
    report = load_weights(build_crops(replace(CARD, skeleton=CROWDPOSE14)), tmp_path / "coco.safetensors")
    assert report.mismatched == {
        "final_layer.weight": ((17, 8, 1, 1), (14, 8, 1, 1)),
        "final_layer.bias": ((17,), (14,)),
    }


def test_a_network_for_crops_lends_its_trunk_to_one_for_pictures(tmp_path):
    model = trained(CARD)
    save_weights(model, tmp_path / "crops.safetensors")
    report = load_weights(build(ModelCard("pictures", NETWORK.trunk)), tmp_path / "crops.safetensors")
    assert {name.split(".")[0] for name in report.missing} == {"final_layers", "deconv_layers"}
    assert set(report.mismatched) == {"final_layers.0.weight", "final_layers.0.bias"}  # 17 heatmaps, no tags


def test_a_description_larger_than_the_file_takes_no_memory(tmp_path):
    card = replace(CARD, network=replace(NETWORK, width=1024, blocks=8))  # 8 GB, were it built
    save_weights(trained(CARD), tmp_path / "liar.safetensors", card)
    with pytest.raises(ScaleposeError, match="is not a whole small"):
        load_model(tmp_path / "liar.safetensors")


@pytest.fixture
def two_models(monkeypatch):
    """No models for crops but two small ones."""
    for name in tuple(CROP_MODELS):
        monkeypatch.delitem(CROP_MODELS, name)
    for head in ("cal", "heatmap"):
        monkeypatch.setitem(CROP_MODELS, f"small-{head}", replace(with_head(head), name=f"small-{head}"))


@pytest.mark.usefixtures("two_models")
def test_import_writes_a_file_that_knows_what_it_is(tmp_path):
    model = trained(with_head("cal"))
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "official.pth")
    assert import_official(tmp_path / "official.pth", "small-cal", tmp_path / "small.safetensors").complete
    loaded = load_model(tmp_path / "small.safetensors")
    assert loaded.card == CROP_MODELS["small-cal"]
    assert same(loaded.state_dict(), model.state_dict())


@pytest.mark.usefixtures("two_models")
def test_import_under_the_wrong_name_tells_the_right_one(tmp_path):
    torch.save(trained(with_head("cal")).state_dict(), tmp_path / "official.pth")
    with pytest.raises(ScaleposeError, match=r"is not a whole small-heatmap \(the file fits small-cal\)"):
        import_official(tmp_path / "official.pth", "small-heatmap", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_network_with_another_branch_is_not_taken_for_its_smaller_twin(tmp_path):
    larger = trained(replace(CARD, network=replace(NETWORK, head="cal")))
    torch.save(larger.state_dict(), tmp_path / "larger.pth")
    smaller = build_crops(replace(CARD, network=replace(larger.card.network, branches=3), crop_size=(48, 64)))
    report = load_weights(smaller, tmp_path / "larger.pth")  # a start for training
    assert report.complete
    save_weights(larger, tmp_path / "liar.safetensors", smaller.card)
    with pytest.raises(ScaleposeError, match="is not a whole small"):
        load_model(tmp_path / "liar.safetensors")


def test_a_name_without_shipped_weights_says_how_to_bring_them():
    with pytest.raises(ScaleposeError, match=r"scalepose import OFFICIAL\.pth --model cal-w32-128x96 --out"):
        load_model("cal-w32-128x96")
