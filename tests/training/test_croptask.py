"""Every head begins to learn a handful of rendered people by heart, and reads them back."""

from pathlib import Path

import numpy as np
import pytest
import torch

from scalepose.data.annotations import read_annotations
from scalepose.data.crops import CropDataset
from scalepose.decode.crops import decode_crops
from scalepose.models import build_crops
from scalepose.models.cropcards import HEADS
from scalepose.models.upscale import Upscaler
from scalepose.models.upscalercard import UpscalerCard
from scalepose.targets.crops import to_map
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.cropstream import CollateCrops, CropBatch, CropSets, enlarged
from scalepose.training.croptask import CropTask
from scalepose.training.kinds import read_plan

STEPS = 120


def recipe_of(path: Path, head: str, **changes: str) -> CropRecipe:
    second = {} if head.startswith("cal") else {"loss.second_stage": "null"}
    recipe = read_plan(path, {"model.network.head": head, "model.sigma": "1"} | second | changes)
    assert isinstance(recipe, CropRecipe)
    return recipe


def learn(task: CropTask, batch: CropBatch, steps: int) -> list[dict[str, float]]:
    optimiser = torch.optim.Adam(task.network.parameters(), 5e-3)
    history = []
    task.network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        total, figures = task.loss(batch)
        total.backward()
        optimiser.step()
        task.batches += 1
        history.append({name: float(value) for name, value in figures.items()})
    return history


@pytest.mark.parametrize("head", HEADS)
def test_learns_people_by_heart(head, crop_recipe_file, people):
    recipe = recipe_of(
        crop_recipe_file, head, **{"loss.second_stage.from_epoch": "4"} if head.startswith("cal") else {}
    )
    card = recipe.card()
    dataset = CropDataset(read_annotations(people / "person_keypoints.json"), card.crop_size, card.alignment)
    samples = [dataset.sample(index, np.random.default_rng(0)) for index in range(6)]
    batch = CollateCrops(card)(samples)
    torch.manual_seed(0)
    task = CropTask(build_crops(card), recipe, batches_per_epoch=20)
    history = learn(task, batch, STEPS)
    assert set(history[-1]) == set(task.loss_names)
    assert history[-1]["heatmap"] < 0.6 * history[0]["heatmap"]
    if head.startswith("cal"):
        assert [row["stage"] for row in history] == [1] * 80 + [2] * (STEPS - 80)

    with torch.inference_mode():
        outputs = task.network(task.normalise(batch.images))  # norms of this batch, as in training
    offsets = None if outputs.offsets is None else outputs.offsets.numpy()
    points, _ = decode_crops(head, outputs.heatmaps[-1].numpy(), offsets, card.sigma)
    assert batch.targets is not None
    counted = batch.targets.weights.numpy() > 0
    truth = np.stack([to_map(head, sample.keypoints[:, :2], card.crop_size) for sample in samples])
    error = np.linalg.norm(points - truth, axis=2)[counted]
    assert np.median(error) < 0.8  # map pixels; guessing is about 4
    assert counted.sum() > 50


def test_an_up_scaler_enlarges_first_and_learns_nothing(crop_recipe_file, people):
    changes = {"model.crop_size": "[96, 128]", "model.network.branches": "4", "model.upscaler": "x2.safetensors"}
    recipe = recipe_of(crop_recipe_file, "udp", **changes)
    card = recipe.card()
    dataset = CropDataset(read_annotations(people / "person_keypoints.json"), (48, 64), card.alignment)
    samples = [dataset.sample(index, np.random.default_rng(0)) for index in range(2)]
    batch = CollateCrops(card, factor=2)(samples)
    assert batch.images.shape == (2, 3, 64, 48)
    assert batch.targets is not None
    assert batch.targets.heatmaps.shape == (2, 17, 32, 24)
    torch.manual_seed(0)
    upscaler = Upscaler(UpscalerCard("x2", 2, (4, 4)))
    task = CropTask(build_crops(card), recipe, 20, upscaler)
    before = {name: tensor.clone() for name, tensor in upscaler.state_dict().items()}
    history = learn(task, batch, 5)
    assert history[-1]["loss"] < history[0]["loss"]
    assert all(torch.equal(before[name], tensor) for name, tensor in upscaler.state_dict().items())
    trained = {id(p) for group in configured(task) for p in group["params"]}
    assert trained == {id(p) for p in task.network.parameters()}


def configured(task: CropTask) -> list[dict]:
    class OneProcess:
        world_size = 1

    task.trainer = OneProcess()  # type: ignore[assignment]
    return [group for optimiser in task.configure_optimizers() for group in optimiser.param_groups]


def test_enlarged_points_stay_where_they_are_in_the_picture():
    """The corner of the crop is at -0.5, whatever its pixels."""
    points = np.array([[-0.5, -0.5, 2], [47.5, 63.5, 2], [10, 20, 1]], np.float32)
    np.testing.assert_allclose(enlarged(points, 2)[:2], [[-0.5, -0.5, 2], [95.5, 127.5, 2]])
    np.testing.assert_allclose(enlarged(points, 2)[2], [20.5, 40.5, 1])


def test_open_data_sets_are_used_again(people):
    annotations = read_annotations(people / "person_keypoints.json")
    made = []

    def make() -> CropDataset:
        made.append(1)
        return CropDataset(annotations, (48, 64), "udp")

    sets = CropSets(most=2)
    first = sets.get(("a",), make)
    assert sets.get(("a",), make) is first
    sets.get(("b",), make)
    assert sets.get(("a",), make) is first
    sets.get(("c",), make)  # b goes, which was not used for longest
    assert sets.get(("a",), make) is first
    assert len(made) == 3
    sets.get(("b",), make)
    assert len(made) == 4
