"""The mean of several models' weights."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scalepose.errors import ScaleposeError
from scalepose.models import BottomUp, ModelCard, Network, build, load_model, save_weights
from scalepose.skeletons import CROWDPOSE14
from scalepose.training.soup import average_models, main

CARD = ModelCard("tiny", Network(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1), evidence={"AP": 0.5})


def saved(folder: Path, name: str, seed: int, card: ModelCard = CARD) -> tuple[Path, BottomUp]:
    torch.manual_seed(seed)
    model = build(card)
    for buffer in model.buffers():
        buffer.copy_(seed + torch.arange(buffer.numel()).reshape(buffer.shape))
    save_weights(model, folder / name)
    return folder / name, model


def test_mean_of_weights_and_statistics(tmp_path: Path):
    a, first = saved(tmp_path, "a.safetensors", 1)
    b, second = saved(tmp_path, "b.safetensors", 4)
    average_models([a, b, b], tmp_path / "mean.safetensors")  # who is named twice counts twice
    mean = load_model(tmp_path / "mean.safetensors").state_dict()
    for name, one in first.state_dict().items():
        torch.testing.assert_close(mean[name], ((one + 2 * second.state_dict()[name]) / 3).to(one.dtype))
    card = load_model(tmp_path / "mean.safetensors").card
    assert card == replace(CARD, evidence={})  # nobody has measured the mean


def test_the_mean_of_one_model_is_the_model(tmp_path: Path):
    a, first = saved(tmp_path, "a.safetensors", 1)
    average_models([a, a], tmp_path / "mean.safetensors")
    mean = load_model(tmp_path / "mean.safetensors").state_dict()
    torch.testing.assert_close(mean, first.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    "other", [replace(CARD, network=replace(CARD.network, width=12)), replace(CARD, skeleton=CROWDPOSE14)]
)
def test_other_networks_are_refused(tmp_path: Path, other: ModelCard):
    a, _ = saved(tmp_path, "a.safetensors", 1)
    b, _ = saved(tmp_path, "b.safetensors", 1, other)
    with pytest.raises(ScaleposeError, match=r"b\.safetensors: has another network or skeleton than .*a\.safetensors"):
        average_models([a, b], tmp_path / "mean.safetensors")
    assert not (tmp_path / "mean.safetensors").exists()


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    a, _ = saved(tmp_path, "a.safetensors", 1)
    out = tmp_path / "mean.safetensors"
    for files, status in (([a, a], 0), ([a], 2), ([a, tmp_path / "none.safetensors"], 2)):
        monkeypatch.setattr(sys, "argv", ["soup", *map(str, files), "--out", str(out)])
        assert main() == status
    assert out.exists()
    said = capsys.readouterr().err
    assert "two files or more" in said
    assert "none.safetensors: cannot be read" in said
