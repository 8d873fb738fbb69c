"""Weights through files: ours, everybody else's, and files that are none."""

import json
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

import scalepose.models.weights as weights
from scalepose.errors import ScaleposeError
from scalepose.models import (
    MODELS,
    BottomUp,
    ModelCard,
    Network,
    build,
    import_official,
    load_model,
    load_weights,
    save_weights,
)
from scalepose.skeletons import CROWDPOSE14

NETWORK = Network(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1, deconv_blocks=1)
CARD = ModelCard("small", NETWORK, input_size=192, evidence={"AP": 0.1})


@pytest.fixture
def trained() -> BottomUp:
    """A network no tensor of which has its initial value."""
    torch.manual_seed(0)
    model = build(CARD).eval()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape) + 0.5 if tensor.is_floating_point() else tensor + 3)
    return model


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- our own files


def test_a_saved_model_comes_back_whole(trained, tmp_path):
    path = tmp_path / "new" / "model.safetensors"
    save_weights(trained, path)
    loaded = load_model(path)
    assert loaded.card == CARD
    assert not loaded.training
    assert same(loaded.state_dict(), trained.state_dict())
    assert all(p.requires_grad for p in loaded.parameters())
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(loaded(images).heatmaps[1], trained(images).heatmaps[1])
    assert list(path.parent.iterdir()) == [path]


def test_the_card_can_be_renewed_while_saving(trained, tmp_path):
    card = replace(CARD, evidence={"AP": 0.5, "seed": 1})
    save_weights(trained, tmp_path / "model.safetensors", card)
    assert load_model(tmp_path / "model.safetensors").card == card


def test_half_files_are_half_as_large_and_load_as_float32(trained, tmp_path):
    trained.bn1.running_var.fill_(1e6)  # beyond float16
    trained.to(memory_format=torch.channels_last)
    save_weights(trained, tmp_path / "full.safetensors")
    save_weights(trained, tmp_path / "half.safetensors", half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.65 * (tmp_path / "full.safetensors").stat().st_size
    loaded = load_model(tmp_path / "half.safetensors").state_dict()
    for name, tensor in trained.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        torch.testing.assert_close(loaded[name], tensor, rtol=2**-11, atol=0)


def test_saving_needs_the_right_suffix(trained, tmp_path):
    with pytest.raises(ScaleposeError, match=r"\.safetensors"):
        save_weights(trained, tmp_path / "model.pth")


def test_a_written_file_may_be_read_by_those_who_may_read_others(trained, tmp_path):
    path, other = tmp_path / "mine.safetensors", tmp_path / "other"
    save_weights(trained, path)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_saving_where_nothing_can_be_written(trained, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ScaleposeError, match="cannot be written"):
        save_weights(trained, tmp_path / "file" / "model.safetensors")


# ---- other people's files

WRAPS: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "plain": lambda s: s,
    "distributed": lambda s: {f"module.{k}": v for k, v in s.items()},
    "official FP16 run": lambda s: {f"1.{k}": v.half() for k, v in s.items()},
    "distributed FP16 run": lambda s: {f"module.1.{k}": v for k, v in s.items()},
    "official training checkpoint": lambda s: {
        "epoch": 300,
        "model": "pose_higher_hrnet",
        "state_dict": OrderedDict((f"module.{k}", v) for k, v in s.items()),
        "best_state_dict": s,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
    },
    "best only": lambda s: {"best_state_dict": s},
    "model": lambda s: {"model": s, "epoch": 3},
    "model_state_dict": lambda s: {"model_state_dict": s},
    "mmpose 0.x": lambda s: {
        "meta": {"epoch": 300},
        "state_dict": {
            f"{'keypoint_head' if k.startswith(('final_', 'deconv_')) else 'backbone'}.{k}": v for k, v in s.items()
        },
    },
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS.keys())
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_official_files_load_however_wrapped(trained, tmp_path, wrap, zipped):
    path = tmp_path / "official.pth.tar"
    torch.save(wrap(trained.state_dict()), path, _use_new_zipfile_serialization=zipped)
    model = build(CARD)
    report = load_weights(model, path)
    assert report.complete
    assert not report.unexpected
    assert set(report.matched) == set(trained.state_dict())
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == trained.state_dict()[name].dtype
        torch.testing.assert_close(tensor, trained.state_dict()[name], rtol=2**-10, atol=0)


def test_mmpose_names_the_only_head_of_its_hrnet_ae_differently(tmp_path):
    card = replace(CARD, network=replace(NETWORK, deconvs=0))
    theirs = build(card)
    names = {f"backbone.{k}": v for k, v in theirs.state_dict().items() if not k.startswith("final_layers")} | {
        f"keypoint_head.final_layer.{leaf}": t for leaf, t in theirs.final_layers[0].state_dict().items()
    }
    torch.save({"state_dict": names}, tmp_path / "ae.pth")
    assert load_weights(build(card), tmp_path / "ae.pth").complete


def test_an_imagenet_file_fills_the_trunk_and_says_what_is_left(trained, tmp_path):
    trunk = {k: v for k, v in trained.state_dict().items() if not k.startswith(("final_layers", "deconv_layers"))}
    classifier = {
        "incre_modules.0.0.conv1.weight": torch.zeros(4, 8, 1, 1),
        "downsamp_modules.0.0.weight": torch.zeros(4, 4, 3, 3),
        "final_layer.0.weight": torch.zeros(4, 4, 1, 1),
        "classifier.weight": torch.zeros(1000, 4),
        "stage4.0.fuse_layers.1.0.0.0.weight": torch.zeros(16, 8, 3, 3),  # ImageNet needs all branches to the end
    }
    torch.save(trunk | classifier, tmp_path / "hrnet.pth")
    model = build(CARD)
    heads = {k: v.clone() for k, v in model.state_dict().items() if k not in trunk}
    report = load_weights(model, tmp_path / "hrnet.pth")
    assert set(report.matched) == set(trunk)
    assert set(report.missing) == set(heads)
    assert set(report.unexpected) == set(classifier)
    assert not report.complete
    assert same({k: v for k, v in model.state_dict().items() if k in trunk}, trunk)
    assert same({k: v for k, v in model.state_dict().items() if k in heads}, heads)
    text = str(report)
    assert text.startswith(f"{len(trunk)} of {len(trunk) + len(heads)} tensors loaded")
    assert "incre_modules (1)" in text
    assert "final_layers (4)" in text


def test_fine_tuning_to_another_skeleton_keeps_new_heads(trained, tmp_path):
    save_weights(trained, tmp_path / "coco.safetensors")
    model = build(replace(CARD, skeleton=CROWDPOSE14))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = load_weights(model, tmp_path / "coco.safetensors")
    assert report.mismatched == {
        "final_layers.0.weight": ((34, 8, 1, 1), (28, 8, 1, 1)),
        "final_layers.0.bias": ((34,), (28,)),
        "final_layers.1.weight": ((17, 8, 1, 1), (14, 8, 1, 1)),
        "final_layers.1.bias": ((17,), (14,)),
        "deconv_layers.0.0.0.weight": ((42, 8, 4, 4), (36, 8, 4, 4)),  # sees the coarse prediction
    }
    assert "final_layers.0.weight is (34, 8, 1, 1) in the file, (28, 8, 1, 1) in the model" in str(report)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in report.mismatched)
    assert all(torch.equal(after[name], trained.state_dict()[name]) for name in report.matched)


def test_safetensors_of_others_load_by_name(trained, tmp_path):
    safetensors.torch.save_file({f"module.{k}": v for k, v in trained.state_dict().items()}, tmp_path / "a.safetensors")
    assert load_weights(build(CARD), tmp_path / "a.safetensors").complete
    with pytest.raises(ScaleposeError, match="no description"):
        load_model(tmp_path / "a.safetensors")


# ---- files that must not load


class Bomb:
    """Unpickled freely, it would make a folder."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare pickle"])
def test_a_file_with_code_is_refused_and_not_run(trained, tmp_path, form):
    path, victim = tmp_path / "evil.pth", tmp_path / "victim"
    content = {"state_dict": trained.state_dict(), "extra": Bomb(victim)}
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(Bomb(victim), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    with pytest.raises(ScaleposeError, match=r"evil\.pth: carries code .*\((posix|nt)\.mkdir\)"):
        load_weights(trained, path)
    assert not victim.exists()
    assert same(before, trained.state_dict())


def test_a_whole_pickled_module_is_refused(trained, tmp_path):
    torch.save(trained, tmp_path / "module.pth")
    with pytest.raises(ScaleposeError, match="carries code"):
        load_weights(trained, tmp_path / "module.pth")


HTML = b"\n<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title>"


@pytest.mark.parametrize("suffix", [".pth", ".pth.tar", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (HTML, "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "damaged|no whole"),
        (b"\x00" * 1000, "damaged|no whole"),
        (b"PK\x03\x04" + b"\x00" * 100, "damaged|no whole"),
        (b"\xff" * 8 + b"{}", "damaged|no whole"),
    ],
    ids=["empty", "html", "lfs", "zeros", "zip head", "huge header"],
)
def test_a_file_that_holds_no_weights(trained, tmp_path, suffix, content, message):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ScaleposeError, match=message) as raised:
        load_weights(trained, path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"), [(["no", "dictionary"], "holds a list"), ({"epoch": 3}, "no tensors"), ({}, "no tensors")]
)
def test_a_checkpoint_of_something_else(trained, tmp_path, content, message):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ScaleposeError, match=message):
        load_weights(trained, tmp_path / "other.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_download_that_stopped(trained, tmp_path, suffix, share):
    path = tmp_path / f"part{suffix}"
    if suffix == ".pth":
        torch.save(trained.state_dict(), path)
    else:
        save_weights(trained, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ScaleposeError, match="fetch it again"):
        load_weights(trained, path)


def test_missing_files_and_folders(trained, tmp_path):
    for path in (tmp_path / "nowhere.pth", tmp_path):
        with pytest.raises(ScaleposeError, match="cannot be read"):
            load_weights(trained, path)


def test_another_network_is_told_apart(trained, tmp_path):
    torch.save({"fc.weight": torch.zeros(3, 3), "bn1.weight": torch.zeros(8)}, tmp_path / "other.pth")
    with pytest.raises(ScaleposeError, match="another network"):
        load_weights(trained, tmp_path / "other.pth")


def test_size_is_bounded_packed_and_unpacked(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "MAX_BYTES", 1 << 20)
    large, bomb = tmp_path / "large.pth", tmp_path / "bomb.pth"
    large.write_bytes(b"\x80" * (1 << 21))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 22))
    assert bomb.stat().st_size < 1 << 20
    for path in (large, bomb):
        with pytest.raises(ScaleposeError, match="holds more than"):
            load_weights(trained, path)


def test_tensors_that_cannot_be_copied_are_left_out(trained, tmp_path):
    odd = trained.state_dict() | {
        "conv1.weight": torch.empty(8, 3, 3, 3, device="meta"),
        "conv2.weight": torch.zeros(8, 8, 3, 3, dtype=torch.complex64),
        "bn1.weight": torch.zeros(8).to_sparse(),
    }
    torch.save(odd, tmp_path / "odd.pth")
    assert set(load_weights(build(CARD), tmp_path / "odd.pth").missing) == {
        "conv1.weight",
        "conv2.weight",
        "bn1.weight",
    }


def test_a_description_larger_than_the_file_takes_no_memory(trained, tmp_path):
    card = replace(CARD, network=replace(NETWORK, width=1024, blocks=8))  # 8 GB, were it built
    save_weights(trained, tmp_path / "liar.safetensors", card)
    with pytest.raises(ScaleposeError, match="is not a whole small"):
        load_model(tmp_path / "liar.safetensors")


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"network": {"modules": 3}}'])
def test_a_description_that_is_none(trained, tmp_path, text):
    path = tmp_path / "odd.safetensors"
    safetensors.torch.save_file(trained.state_dict(), path, metadata={"scalepose": text})
    with pytest.raises(ScaleposeError, match=r"odd\.safetensors"):
        load_model(path)


# ---- by name, and the import verb


def test_a_name_without_shipped_weights_says_how_to_bring_them():
    with pytest.raises(ScaleposeError, match=r"scalepose import OFFICIAL\.pth --model higherhrnet-w32-512 --out"):
        load_model("higherhrnet-w32-512")


def test_names_and_files_that_are_no_model(tmp_path):
    with pytest.raises(ScaleposeError, match="there are: "):
        load_model("no-such-model")
    with pytest.raises(ScaleposeError, match="cannot be read"):
        load_model(tmp_path / "nowhere.safetensors")
    with pytest.raises(ScaleposeError, match="scalepose import"):
        load_model(tmp_path / "official.pth")


@pytest.fixture
def small_zoo(monkeypatch):
    """A zoo of the small network for two skeletons."""
    monkeypatch.setitem(MODELS, "small", CARD)
    monkeypatch.setitem(MODELS, "small-crowdpose", replace(CARD, name="small-crowdpose", skeleton=CROWDPOSE14))


@pytest.mark.usefixtures("small_zoo")
def test_import_writes_a_file_that_knows_what_it_is(trained, tmp_path):
    torch.save({"state_dict": {f"1.{k}": v for k, v in trained.state_dict().items()}}, tmp_path / "official.pth.tar")
    report = import_official(tmp_path / "official.pth.tar", "small", tmp_path / "small.safetensors")
    assert report.complete
    loaded = load_model(tmp_path / "small.safetensors")
    assert loaded.card == CARD
    assert same(loaded.state_dict(), trained.state_dict())


@pytest.mark.usefixtures("small_zoo")
def test_import_under_the_wrong_name_tells_the_right_one(trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "official.pth")
    with pytest.raises(ScaleposeError, match="the file fits small\\)"):
        import_official(tmp_path / "official.pth", "small-crowdpose", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_checkpoint_with_the_official_names_imports_whole(shared, tmp_path):
    published = json.loads((shared / "reference/checkpoints.json").read_text())
    name = "higherhrnet-w32-512-crowdpose"
    tensors = {
        f"1.{key}": torch.zeros(shape, dtype=torch.int64 if dtype == "int64" else torch.float16)
        for key, (shape, dtype) in published[name]["keys"].items()
    }
    torch.save({"state_dict": tensors}, tmp_path / "official.pth.tar")
    report = import_official(tmp_path / "official.pth.tar", name, tmp_path / "out.safetensors")
    assert len(report.matched) == 1810
    assert report.complete
    assert not report.unexpected
