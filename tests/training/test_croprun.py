"""Training runs of networks for crops, from a recipe to a model file, disturbed in either stage of CAL."""

import csv
from pathlib import Path

import pytest
import torch

from scalepose.errors import ScaleposeError
from scalepose.models import load_model
from scalepose.models.cropcards import CropCard
from scalepose.models.upscale import load_upscaler
from scalepose.training import train
from scalepose.training.croptask import CropTask

UPSCALER = Path(__file__).parents[2] / "recipes" / "espcn-x2-64x48.yaml"


def column(folder: Path, name: str) -> list[float]:
    with (folder / "log.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


@pytest.fixture(scope="module")
def alone(crop_recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed: 20 updates, the second stage from the 11th."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert train(crop_recipe_file, out=folder) == folder / "model.safetensors"
    return folder


def test_a_run_in_two_stages(alone):
    assert column(alone, "stage") == [1] * 10 + [2] * 10
    assert all(0 < error < 12 for error in column(alone, "error"))
    card = load_model(alone / "model.safetensors").card
    assert isinstance(card, CropCard)
    assert (card.name, card.crop_size, card.network.head) == ("tiny", (48, 64), "cal-light")
    assert card.evidence["updates"] == 20


@pytest.mark.parametrize("killed", [8, 17])
def test_killed_in_either_stage_and_resumed_is_as_if_left_alone(crop_recipe_file, alone, tmp_path, monkeypatch, killed):
    folder, learn = tmp_path / "run", CropTask.loss

    def dies(self: CropTask, batch):
        if self.batches == killed:
            raise RuntimeError("killed")
        return learn(self, batch)

    monkeypatch.setattr(CropTask, "loss", dies)
    with pytest.raises(RuntimeError, match="killed"):
        train(crop_recipe_file, out=folder)
    monkeypatch.undo()
    assert torch.load(folder / "last.ckpt", weights_only=True)["progress"]["batches"] == killed - killed % 3
    train(crop_recipe_file, resume=True, out=folder)
    for name in ("loss", "stage", "error"):
        assert column(folder, name) == pytest.approx(column(alone, name), abs=1e-6)
    ours, theirs = (load_model(f / "model.safetensors").state_dict() for f in (folder, alone))
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, atol=1e-6, rtol=1e-5)


def test_second_stage_by_measured_error(crop_recipe_file, tmp_path, monkeypatch):
    monkeypatch.setattr("scalepose.training.stages.TRUSTED", 4)
    stage = "{components: 2, steps: 3, regularise: 0.1, carry: true, from_epoch: null, below_error: 100}"
    train(crop_recipe_file, {"loss.second_stage": stage, "schedule.epochs": "4"}, out=tmp_path / "run")
    assert column(tmp_path / "run", "stage") == [1] * 4 + [2] * 4


def test_validation_measures_people_in_their_boxes(crop_recipe_file, people, tmp_path):
    val = f"{{images: '{people}', annotations: '{people / 'person_keypoints.json'}'}}"
    changes = {"data.val": val, "schedule.epochs": "2", "validate_every": "1"}
    train(crop_recipe_file, changes, out=tmp_path / "run")
    assert len(column(tmp_path / "run", "AP")) == 2
    assert "AP" in load_model(tmp_path / "run" / "model.safetensors").card.evidence


def test_super_resolution_first(crop_recipe_file, people, tmp_path):
    """An up-scaler is trained, then a network that sees what it makes of small crops."""
    source = f"[{{images: '{people}', annotations: '{people / 'person_keypoints.json'}', weight: 1}}]"
    changes = {"data.train": source, "batch_size": "4", "precision": "fp32", "schedule.epochs": "20", "log_every": "1"}
    x2 = train(UPSCALER, changes | {"model.channels": "[8, 4]", "schedule.warmup_steps": "0"}, out=tmp_path / "x2")
    assert x2 is not None
    gained = column(tmp_path / "x2", "psnr")
    assert gained[-1] > gained[0] + 0.5
    assert load_upscaler(x2).card.evidence["updates"] == len(gained)

    val = f"{{images: '{people}', annotations: '{people / 'person_keypoints.json'}'}}"
    changes = {
        "model.upscaler": str(x2),
        "model.crop_size": "[96, 128]",
        "model.network.branches": "4",
        "schedule.epochs": "2",
        "data.val": val,
    }
    folder = tmp_path / "run"
    assert train(crop_recipe_file, changes, out=folder) == folder / "model.safetensors"
    assert len(column(folder, "loss")) == 4
    assert len(column(folder, "AP")) == 1
    with pytest.raises(ScaleposeError, match="holds no up-scaler"):
        train(crop_recipe_file, changes | {"model.upscaler": str(folder / "model.safetensors")}, out=tmp_path / "other")
