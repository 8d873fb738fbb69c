import dataclasses
from pathlib import Path

import pytest
import yaml

from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17
from scalepose.training.recipe import read_recipe

SHIPPED = Path(__file__).parents[2] / "recipes" / "higherhrnet-w32-512.yaml"


def changed(tmp_path: Path, change) -> Path:
    content = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        read_recipe(SHIPPED).seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(sed=1), r"no key sed; did you mean seed\?"),
        (lambda c: c["optimiser"].update(lrr=1), r"no key optimiser.lrr; did you mean optimiser.lr\?"),
        (lambda c: c["augmentation"].update(rotations=1), r"did you mean augmentation.rotation\?"),
        (lambda c: c["data"]["train"][0].update(weigth=1), r"did you mean data.train.0.weight\?"),
        (lambda c: c["schedule"].pop("epochs"), r"the key schedule.epochs is missing"),
        (lambda c: c["model"]["network"].pop("width"), r"the key model.network.width is missing"),
        (lambda c: c["data"]["train"][0].pop("images"), r"the key data.train.0.images is missing"),
        (lambda c: c.update(seed="one"), r"seed must be a whole number, not 'one'"),
        (lambda c: c.update(seed=True), r"seed must be a whole number, not True"),
        (lambda c: c.update(compile=1), r"compile must be true or false, not 1"),
        (lambda c: c.update(ema="often"), r"ema must be a number, not 'often'"),
        (lambda c: c.update(precision="fp16"), r"precision must be one of fp32, bf16, not 'fp16'"),
        (lambda c: c.update(data=None), r"data must be a section of keys, not None"),
        (lambda c: c["optimiser"].update(betas=[0.9]), r"optimiser.betas must be a list of 2"),
        (lambda c: c["model"]["network"].update(modules="1"), r"model.network.modules must be a list"),
        (lambda c: c["loss"].update(heatmap=[1]), r"loss.heatmap has 1 weights; .* 2 resolutions"),
        (lambda c: c["model"].update(input_size=100), r"model: input_size must be a multiple of 32"),
        (lambda c: c["model"].update(train_size=100), r"model: train_size must be a multiple of 32, or null"),
        (lambda c: c.update(name="../x"), r"name must be usable as a folder name"),
        (lambda c: c["augmentation"].update(flip=2), r"augmentation: .*flip"),
        (lambda c: c["schedule"].update(kind="cosine"), r"schedule: milestones belong to kind step"),
        (lambda c: c["optimiser"].update(lr=float("nan")), r"optimiser.lr must be a number"),
        (lambda c: c["optimiser"].update(lr=10**400), r"optimiser.lr must be a number"),
    ],
)
def test_says_what_is_wrong(tmp_path, change, says):
    path = changed(tmp_path, change)
    with pytest.raises(ScaleposeError, match=says) as error:
        read_recipe(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- 1", "must hold the keys"),
        ("a: [", "no yaml"),
        ("", "must hold the keys"),
        ("[" * 100_000, "no yaml"),
        ("!!python/name:os.system x", "no yaml"),
    ],
)
def test_something_else_than_a_recipe(tmp_path, text, says):
    path = tmp_path / "other.yaml"
    path.write_text(text)
    with pytest.raises(ScaleposeError, match=says):
        read_recipe(path)


def test_missing_and_huge_files(tmp_path):
    with pytest.raises(ScaleposeError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")
    huge = tmp_path / "huge.yaml"
    huge.write_text("#" * (1 << 21))
    with pytest.raises(ScaleposeError, match="a recipe is small"):
        read_recipe(huge)


def test_overrides():
    recipe = read_recipe(
        SHIPPED,
        {
            "optimiser.lr": "1e-3",  # a text to yaml 1.1, but a number to people
            "data.train.0.images": "elsewhere",
            "data.val": "null",
            "schedule.epochs": "7",
            "model.network.modules": "[1, 1, 1]",
            "compile": "true",
            "data.workers": "2",
        },
    )
    assert recipe.optimiser.lr == 0.001
    assert recipe.values()["data"]["train"][0]["images"] == "elsewhere"
    assert recipe.data.val is None
    assert recipe.schedule.epochs == 7
    assert recipe.model.network.modules == (1, 1, 1)
    assert recipe.compile is True
    assert recipe.data.workers == 2


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("optimiser.lrate", "1", r"--optimiser.lrate: there is no key optimiser.lrate; did you mean optimiser.lr\?"),
        ("datas.val", "1", r"did you mean data\?"),
        ("data.train.5.images", "x", r"data.train has the entries 0 to 0, not '5'"),
        ("seed.more", "1", r"seed is 0 and has no parts"),
        ("seed", "[", r"no yaml value"),
        ("seed", "x", r"seed must be a whole number, not 'x'"),
    ],
)
def test_wrong_overrides(key, text, says):
    with pytest.raises(ScaleposeError, match=says):
        read_recipe(SHIPPED, {key: text})


def test_card(tmp_path):
    card = read_recipe(SHIPPED).card()
    assert card.skeleton is COCO17
    assert card.name == "higherhrnet-w32-512"
    file = tmp_path / "hand.yaml"
    file.write_text("keypoints: [wrist, thumb]\nskeleton: [[1, 2]]\n")
    assert read_recipe(SHIPPED, {"model.skeleton": str(file)}).card().skeleton.keypoints == ("wrist", "thumb")
