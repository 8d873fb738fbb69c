"""Every recipe that the project ships: it can be read, and what it describes can be trained."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from scalepose.data.augmentation import Augmentation
from scalepose.data.batches import make_batch
from scalepose.data.samples import Sample
from scalepose.geometry import View
from scalepose.models import MODELS, BottomUp, build
from scalepose.models.cropcards import CROP_MODELS
from scalepose.models.initialise import initialise
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.kinds import read_plan
from scalepose.training.parts import Optimiser, Schedule
from scalepose.training.recipe import Recipe, Targets, read_recipe
from scalepose.training.task import PoseTask, map_strides

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
NAMES = [path.stem for path in RECIPES]
WHOLE = [path for path in RECIPES if "kind" not in yaml.safe_load(path.read_text(encoding="utf-8"))]

each = pytest.mark.parametrize("path", RECIPES, ids=NAMES)
each_of_whole_pictures = pytest.mark.parametrize("path", WHOLE, ids=[path.stem for path in WHOLE])
each_of_crops = pytest.mark.parametrize("name", [name for name in NAMES if name in CROP_MODELS])


def test_all_are_here():
    published = {"higherhrnet-w32-512", "higherhrnet-w32-640", "higherhrnet-w48-640", "hrnet-ae-w32-512"}
    assert published | {"higherhrnet-w32-512-crowdpose", "small"} <= set(NAMES)
    assert sum(name.startswith("ablation-") for name in NAMES) == 6
    assert {"cal-light-w16-64x48", "cal-light-w16-128x96", "espcn-x2-64x48"} <= set(NAMES)


@each
def test_is_complete_and_named_like_its_file(path: Path):
    recipe = read_plan(path)
    assert recipe.name == path.stem
    # Nothing in the text that the recipe does not say again.
    assert yaml.safe_load(recipe.to_yaml()).keys() == yaml.safe_load(path.read_text(encoding="utf-8")).keys()


@each
def test_is_written_and_read_back_unchanged(path: Path, tmp_path: Path):
    recipe = read_plan(path)
    again = tmp_path / "again.yaml"
    again.write_text(recipe.to_yaml(), encoding="utf-8")
    assert read_plan(again) == recipe


@pytest.mark.parametrize("name", [name for name in NAMES if name in MODELS])
def test_makes_the_model_of_that_name(name: str):
    recipe, card = read_recipe(RECIPES[NAMES.index(name)]), MODELS[name]
    assert (recipe.card().skeleton, recipe.card().input_size) == (card.skeleton, card.input_size)
    assert shapes(recipe.card()) == shapes(card)
    assert recipe.card().network.aggregate == card.network.aggregate


@each_of_crops
def test_makes_the_network_for_crops_of_that_name(name: str):
    recipe, card = read_plan(RECIPES[NAMES.index(name)]), CROP_MODELS[name]
    assert isinstance(recipe, CropRecipe)
    ours = recipe.card()
    assert (ours.skeleton, ours.crop_size, ours.sigma) == (card.skeleton, card.crop_size, card.sigma)
    assert ours.network == card.network


@pytest.mark.parametrize(
    ("row", "deconvs", "deconv_blocks", "concat", "aggregate"),
    [
        ("1-hrnet", 0, 0, False, False),
        ("2-deconvolution", 1, 0, False, False),
        ("3-concat", 1, 0, True, False),
        ("4-aggregation", 1, 0, True, True),
        ("5-residual-blocks", 1, 4, True, True),
        ("two-deconvolutions", 2, 0, True, True),  # in the paper beside row 4's 66.9, not beside row 5's 67.1
    ],
)
def test_an_ablation_row_differs_by_its_switches_alone(row, deconvs, deconv_blocks, concat, aggregate):
    recipe = read_recipe(RECIPES[NAMES.index(f"ablation-{row}")])
    whole = read_recipe(RECIPES[NAMES.index("higherhrnet-w32-512")])
    network = dataclasses.replace(
        whole.model.network, deconvs=deconvs, deconv_blocks=deconv_blocks, concat=concat, aggregate=aggregate
    )
    assert recipe == dataclasses.replace(
        whole,
        name=f"ablation-{row}",
        model=dataclasses.replace(whole.model, network=network),
        loss=dataclasses.replace(whole.loss, heatmap=(1.0,) * (deconvs + 1)),
    )


@pytest.mark.parametrize(
    ("name", "size", "width", "batch", "effective"),
    [
        ("higherhrnet-w32-512", 512, 32, 12, 48),
        ("higherhrnet-w32-640", 640, 32, 12, 48),
        ("higherhrnet-w48-640", 640, 48, 10, 40),
        ("higherhrnet-w32-512-crowdpose", 512, 32, 12, 48),
        ("hrnet-ae-w32-512", 512, 32, 12, 48),
    ],
)
def test_trains_as_published(name, size, width, batch, effective):
    recipe = read_recipe(RECIPES[NAMES.index(name)])
    assert (recipe.model.input_size, recipe.model.network.width) == (size, width)
    assert (recipe.batch_size, recipe.optimiser.reference_batch, recipe.accumulate) == (batch, effective, 1)
    assert recipe.optimiser == Optimiser("adam", 1e-3, effective, 0, (0.9, 0.999))
    assert recipe.schedule == Schedule("step", 300, 0, (200, 260), 0.1)
    assert recipe.targets == Targets(2, False)
    assert recipe.augmentation == Augmentation()
    assert (recipe.loss.pull, recipe.loss.push, recipe.loss.positive_weight) == (1e-3, 1e-3, 0)
    assert (recipe.ema, recipe.gradient_clip) == (None, None)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("higherhrnet-w32-512", 28_645_331),
        ("higherhrnet-w48-640", 63_827_139),
        ("higherhrnet-w32-512-crowdpose", 28_641_962),
        ("hrnet-ae-w32-512", 28_536_674),
        ("ablation-1-hrnet", 28_536_674),
        ("ablation-5-residual-blocks", 28_645_331),
    ],
)
def test_has_the_published_number_of_parameters(name: str, parameters: int):
    card = read_recipe(RECIPES[NAMES.index(name)]).card()
    with torch.device("meta"):
        assert sum(p.numel() for p in BottomUp(card).parameters()) == parameters


def shapes(card) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in BottomUp(card).state_dict().items()}


def shrunken(path: Path) -> Recipe:
    """The recipe with a thin, shallow network on small pictures; what it is made of stays."""
    recipe = read_recipe(path)
    network = recipe.model.network
    thin = dataclasses.replace(
        network,
        width=8,
        stem=8,
        layer1=1,
        modules=(1, 1, 1),
        blocks=1,
        deconv_blocks=min(network.deconv_blocks, 1),
    )
    model = dataclasses.replace(recipe.model, network=thin, input_size=64)
    return dataclasses.replace(recipe, model=model, batch_size=2, compile=False)


@each_of_whole_pictures
def test_takes_a_step(path: Path):
    recipe = shrunken(path)
    card = recipe.card()
    torch.manual_seed(0)
    network = build(card)
    initialise(network, recipe.init.scheme)
    task = PoseTask(network, recipe, batches_per_epoch=1)

    rng = np.random.default_rng(0)
    K = len(card.skeleton)
    samples = []
    for _ in range(2):
        sample = Sample(
            image=rng.integers(0, 256, (80, 90, 3), np.uint8),
            view=View((90, 80), (90, 80), ((1, 0, 0), (0, 1, 0))),
            keypoints=rng.uniform(20, 60, (3, K, 2)).astype(np.float32),
            hidden=np.zeros((3, K), bool),
            boxes=np.array([[20, 20, 60, 60]] * 3, np.float32),
            mask=np.ones((80, 90), bool),
            channels=np.ones(K, bool),
            image_id=1,
        )
        samples.append(recipe.augmentation(sample, card.skeleton, recipe.model.input_size, rng))
    batch = make_batch(samples, map_strides(card.network), recipe.targets.sigma, recipe.targets.subpixel)

    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    history = []
    for _ in range(3):
        optimiser.zero_grad()
        total, figures = task.losses(network(task.normalise(batch.images)), batch)
        total.backward()
        optimiser.step()
        history.append(float(total.detach()))
        assert set(figures) <= set(task.figures)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert history[-1] < history[0]
