import copy
import logging
import warnings
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from scalepose.data.batches import Batch
from scalepose.errors import ScaleposeError
from scalepose.models import build
from scalepose.training.averaging import AveragedWeights
from scalepose.training.processes import Processes
from scalepose.training.recipe import read_recipe
from scalepose.training.stream import Stream, open_training_data
from scalepose.training.task import PoseTask
from scalepose.training.updates import MOST_SKIPPED


@pytest.fixture(scope="module")
def batches(recipe_file: Path) -> list[Batch]:
    recipe = read_recipe(recipe_file)
    return list(Stream(open_training_data(recipe, recipe.card(), Processes(), pin_memory=False), epochs=1))


def poisoned(batch: Batch) -> Batch:
    bad = copy.deepcopy(batch)
    bad.heatmaps[0][0, 0, 0, 0] = torch.nan
    bad.masks[0][:] = 1
    return bad


def fit(recipe_file: Path, batches: list[Batch], callbacks=(), **overrides: str) -> PoseTask:
    recipe = read_recipe(recipe_file, overrides)
    torch.manual_seed(0)
    task = PoseTask(build(recipe.card()), recipe, batches_per_epoch=5)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(task, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return task


def state(task: PoseTask) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in task.network.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_bad_update_leaves_no_trace(recipe_file, batches):
    good = fit(recipe_file, batches[:2])
    with_bad = fit(recipe_file, [*batches[:2], poisoned(batches[2])])
    assert with_bad.skipped == 1
    assert with_bad.updates == 3
    assert same(state(good), state(with_bad))  # weights and running statistics


def test_a_bad_update_leaves_no_trace_in_the_averaged_weights(recipe_file, batches):
    good = fit(recipe_file, batches[:2], [AveragedWeights(0.9)])  # at the end the average is in place
    with_bad = fit(recipe_file, [*batches[:2], poisoned(batches[2])], [AveragedWeights(0.9)])
    assert same(state(good), state(with_bad))


def test_a_bad_pass_spoils_its_whole_update_and_only_that(recipe_file, batches):
    accumulate = {"accumulate": "2"}
    good = fit(recipe_file, batches[:2], **accumulate)
    with_bad = fit(recipe_file, [*batches[:2], poisoned(batches[2]), batches[3]], **accumulate)
    assert with_bad.skipped == 1
    assert same(state(good), state(with_bad))


def test_training_goes_on_after_a_bad_update(recipe_file, batches):
    task = fit(recipe_file, [batches[0], poisoned(batches[1]), batches[2]])
    only_good = fit(recipe_file, batches[:1])
    assert not same(state(task), state(only_good))
    assert all(torch.isfinite(tensor).all() for tensor in state(task).values())


def test_gives_up_when_nothing_is_finite(recipe_file, batches):
    with pytest.raises(ScaleposeError, match=f"no finite gradient in {MOST_SKIPPED} updates"):
        fit(recipe_file, [poisoned(batches[0])] * (MOST_SKIPPED + 5))


def test_averaged_weights_follow_their_formula(recipe_file, batches):
    steps = [state(fit(recipe_file, batches[:n])) for n in range(1, 5)]
    averaged = state(fit(recipe_file, batches[:4], [AveragedWeights(0.2)]))
    name = "final_layers.1.weight"
    expected = steps[0][name]
    for n, step in enumerate(steps[1:], start=1):
        d = min(0.2, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * step[name]
    torch.testing.assert_close(averaged[name], expected)
    assert averaged["bn1.num_batches_tracked"] == 4


def test_two_passes_make_the_update_of_both_together(recipe_file, batches):
    recipe = read_recipe(recipe_file)
    torch.manual_seed(0)
    task = PoseTask(build(recipe.card()), recipe, 5)
    task.network.eval()  # running statistics: pictures do not see each other
    halves = []
    for batch in batches[:2]:
        task.network.zero_grad()
        task.losses(task.network(task.normalise(batch.images)), batch)[0].backward()
        halves.append(task.network.conv1.weight.grad.clone())  # type: ignore[union-attr]
    task.network.zero_grad()
    for batch in batches[:2]:
        (task.losses(task.network(task.normalise(batch.images)), batch)[0] / 2).backward()
    torch.testing.assert_close(task.network.conv1.weight.grad, (halves[0] + halves[1]) / 2)


def test_norms_and_biases_do_not_decay(recipe_file, batches):
    task = fit(recipe_file, batches[:1])
    matrices, vectors = task.trainer.optimizers[0].param_groups
    assert matrices["weight_decay"] == 0.05
    assert vectors["weight_decay"] == 0
    assert all(p.ndim > 1 for p in matrices["params"])
    assert all(p.ndim == 1 for p in vectors["params"])
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(task.network.parameters()))


def test_gradient_is_clipped(recipe_file, batches):
    free = fit(recipe_file, batches[:1])
    clipped = fit(recipe_file, batches[:1], gradient_clip="1e-3")

    def norm(task):
        return torch.nn.utils.get_total_norm([p.grad for p in task.network.parameters()])

    assert norm(free) > 2e-3
    assert float(norm(clipped)) == pytest.approx(1e-3, rel=1e-3)


def test_rate_is_set_before_each_update(recipe_file, batches):
    task = fit(recipe_file, batches[:2])  # three updates of warm-up; batch 2 of reference 32
    assert task.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.002 * 2 / 32 * 2 / 3)


def test_pixels_become_what_the_runtimes_feed(recipe_file, batches):
    from scalepose.models.normalise import normalise

    recipe = read_recipe(recipe_file)
    task = PoseTask(build(recipe.card()), recipe, 5)
    ours = task.normalise(batches[0].images)[0]
    theirs = normalise(batches[0].images[0].permute(1, 2, 0).numpy())
    torch.testing.assert_close(ours, torch.from_numpy(theirs), atol=1e-6, rtol=1e-6)


def test_a_single_resolution_supervises_the_finest_map_only(recipe_file, batches):
    single = {"model.network.multi_resolution": "false", "model.network.aggregate": "false"}
    recipe = read_recipe(
        recipe_file,
        {**single, "loss.heatmap": "[1]"},
    )
    task = PoseTask(build(recipe.card()), recipe, 5)
    outputs = task.network(task.normalise(batches[0].images))
    total, figures = task.losses(outputs, batches[0])
    assert set(figures) == {"loss", "heatmap_2", "pull", "push"}
    expected = figures["heatmap_2"] + 0.001 * (figures["pull"] + figures["push"])
    assert float(total.detach()) == pytest.approx(float(expected))


def test_centre_offsets_add_their_loss(recipe_file, batches):
    keys = {"model.network.centre_offsets": "true", "loss.offsets": "0.5"}
    recipe = read_recipe(recipe_file, keys)
    task = PoseTask(build(recipe.card()), recipe, 5)
    total, figures = task.losses(task.network(task.normalise(batches[0].images)), batches[0])
    assert "offsets" in task.figures
    parts = figures["heatmap_4"] + figures["heatmap_2"] + 0.001 * (figures["pull"] + figures["push"])
    assert figures["offsets"] > 0
    assert float(total.detach()) == pytest.approx(float(parts + 0.5 * figures["offsets"]))
