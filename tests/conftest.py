"""Fixtures of the whole suite."""

import os
from pathlib import Path

# Several test processes share two cores: one thread each, or eager torch collapses.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with official outputs and real photos; tests that need it skip on machines without."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the shared reference data is not on this machine")
    return folder


@pytest.fixture(scope="session")
def tiny_model():
    """A random network of about 0.2 M parameters (BottomUp, evaluation mode) whose maps have a few peaks each, as if
    there were people, and tags that differ by about the published threshold.
    """
    pytest.importorskip("torch")
    import torch

    from scalepose.models import ModelCard, Network, build

    network = Network(width=8, stem=16, layer1=1, modules=(1, 1, 1), blocks=1, deconv_blocks=1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = build(ModelCard("tiny", network, input_size=64))
        images = torch.nn.functional.interpolate(torch.randn(8, 3, 16, 16), size=(128, 128), mode="bicubic")
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0  # running statistics become those of the images
        model.train()(images)
        model.eval()
        for level, layer in enumerate(model.final_layers):
            outputs = model(images)
            maps = torch.cat([outputs.heatmaps[level], outputs.tags][: 2 - level], dim=1)
            scale = 0.25 / maps.std(dim=(0, 2, 3))
            weight, bias = layer.parameters()
            weight.mul_(scale[:, None, None, None])
            bias.sub_(maps.mean(dim=(0, 2, 3))).mul_(scale).sub_(0.3)
    return model


@pytest.fixture(scope="session")
def tiny_safetensors(tiny_model, tmp_path_factory) -> Path:
    """`tiny_model` as a .safetensors file."""
    from scalepose.models import save_weights

    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save_weights(tiny_model, path)
    return path


@pytest.fixture(scope="session")
def tiny_onnx(tiny_model, tmp_path_factory) -> Path:
    """`tiny_model` as an .onnx file, checked against torch by the export itself; about ten seconds."""
    from scalepose.runtimes import export_onnx

    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    export_onnx(tiny_model, path)
    return path


@pytest.fixture(scope="session")
def tiny_crop_model():
    """A random network for crops of 48×64 pixels (TopDown, evaluation mode, light CAL); its maps vary by about 0.25."""
    pytest.importorskip("torch")
    import torch

    from scalepose.models import CropCard, CropNetwork, build_crops

    network = CropNetwork(width=8, stem=16, layer1=1, modules=(1, 1, 1), blocks=1, branches=3, head="cal-light")
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = build_crops(CropCard("tiny-crops", network, crop_size=(48, 64), sigma=0.5))
        crops = torch.nn.functional.interpolate(torch.randn(8, 3, 8, 6), size=(64, 48), mode="bicubic")
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0  # running statistics become those of the crops
        model.train()(crops)
        maps = model.eval()(crops).heatmaps[0]
        weight, bias = model.get_submodule("final_layer").parameters()
        weight.mul_(0.25 / maps.std())
        bias.sub_(maps.mean()).mul_(0.25 / maps.std())
    return model


@pytest.fixture(scope="session")
def tiny_crop_safetensors(tiny_crop_model, tmp_path_factory) -> Path:
    """`tiny_crop_model` as a .safetensors file."""
    from scalepose.models import save_weights

    path = tmp_path_factory.mktemp("tiny") / "tiny-crops.safetensors"
    save_weights(tiny_crop_model, path)
    return path


@pytest.fixture(scope="session")
def tiny_crop_onnx(tiny_crop_model, tmp_path_factory) -> Path:
    """`tiny_crop_model` as an .onnx file, checked against torch by the export itself; about five seconds."""
    from scalepose.runtimes import export_onnx

    path = tmp_path_factory.mktemp("tiny") / "tiny-crops.onnx"
    export_onnx(tiny_crop_model, path)
    return path
