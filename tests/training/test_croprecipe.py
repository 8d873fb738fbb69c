from pathlib import Path

import pytest
import yaml

from scalepose.data.degrade import Degradation
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.kinds import read_plan
from scalepose.training.recipe import Recipe
from scalepose.training.upscalerecipe import UpscaleRecipe

RECIPES = Path(__file__).parents[2] / "recipes"
CROPS, UPSCALER = RECIPES / "cal-light-w16-64x48.yaml", RECIPES / "espcn-x2-64x48.yaml"


def changed(source: Path, tmp_path: Path, change) -> Path:
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_kind_says_what_a_recipe_trains(tmp_path):
    assert isinstance(read_plan(RECIPES / "small.yaml"), Recipe)
    assert isinstance(read_plan(CROPS), CropRecipe)
    assert isinstance(read_plan(UPSCALER), UpscaleRecipe)
    for kind in ("poses", None, ["crops"]):
        path = changed(CROPS, tmp_path, lambda c, kind=kind: c.update(kind=kind))
        with pytest.raises(ScaleposeError, match=r"changed.yaml: kind must be one of crops, upscaler, not"):
            read_plan(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(sed=1), r"no key sed; did you mean seed\?"),
        (lambda c: c["data"].pop("cache_megabytes"), r"the key data.cache_megabytes is missing"),
        (lambda c: c["data"].update(train=[]), r"data: train must name at least one set"),
        (lambda c: c["data"]["train"][0].update(weight=0), r"data.train.0: weight must be above 0"),
        (
            lambda c: c["model"]["network"].update(head="cal-lite"),
            r"model.network.head must be one of heatmap, dark, udp",
        ),
        (lambda c: c["model"]["network"].update(branches=4), r"crop_size must be two multiples of 32"),
        (lambda c: c["model"].update(crop_size=[48, 50]), r"crop_size must be two multiples of 16"),
        (lambda c: c["model"].update(sigma=0), r"sigma must be above 0"),
        (
            lambda c: c["model"]["network"].update(head="udp"),
            r"loss.second_stage is for cal and cal-light, not for udp",
        ),
        (lambda c: c["model"]["network"].update(head="cal", backbone="resnet50"), r"the cal head splits HRNet"),
        (lambda c: c["loss"]["second_stage"].update(from_epoch=None), r"loss.second_stage: from_epoch or below_error"),
        (lambda c: c["loss"]["second_stage"].update(components=0), r"components must be 1 to 64"),
        (lambda c: c["loss"]["second_stage"].update(regularise=0), r"regularise must be above 0"),
        (lambda c: c["loss"].update(offset=-1), r"loss: offset must be 0 or more"),
        (lambda c: c["augmentation"].update(flip=2), r"augmentation: .*flip"),
        (lambda c: c.update(low_res={"size": [12, 16]}), r"the key low_res.blur is missing"),
        (
            lambda c: c.update(low_res={"size": [0, 16], "blur": 0, "noise": 0, "jpeg": None}),
            r"low_res: low resolution: width must be a number from 1",
        ),
    ],
)
def test_says_what_is_wrong(tmp_path, change, says):
    path = changed(CROPS, tmp_path, change)
    with pytest.raises(ScaleposeError, match=says) as error:
        read_plan(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["model"].update(factor=1), r"factor must be a whole number from 2 to 8"),
        (lambda c: c["model"].update(channels=[0, 4]), r"channels must be two whole numbers from 1"),
        (lambda c: c["model"].update(crop_size=[2, 64]), r"model: crop_size must be two numbers from 4"),
        (lambda c: c["init"].update(pretrained="default"), r"init.pretrained must be null"),
        (lambda c: c["data"].update(val={"images": "a", "annotations": "b"}), r"data.val must be null"),
    ],
)
def test_says_what_is_wrong_with_an_up_scaler(tmp_path, change, says):
    with pytest.raises(ScaleposeError, match=says):
        read_plan(changed(UPSCALER, tmp_path, change))


def test_low_resolution_is_of_one_kind():
    low_res = "{size: [12, 16], blur: 0.5, noise: 4, jpeg: 60}"
    recipe = read_plan(CROPS, {"low_res": low_res})
    assert isinstance(recipe, CropRecipe)
    assert recipe.low_res == Degradation((12, 16), 0.5, 4.0, 60)
    with pytest.raises(ScaleposeError, match="both say how crops become small"):
        read_plan(CROPS, {"low_res": low_res, "model.upscaler": "x2.safetensors"})


def test_card(tmp_path):
    recipe = read_plan(CROPS)
    assert isinstance(recipe, CropRecipe)
    card = recipe.card()
    assert (card.name, card.crop_size, card.sigma, card.alignment) == ("cal-light-w16-64x48", (48, 64), 0.5, "udp")
    assert card.skeleton is COCO17
    file = tmp_path / "hand.yaml"
    file.write_text("keypoints: [wrist, thumb]\nskeleton: [[1, 2]]\n")
    other = read_plan(CROPS, {"model.skeleton": str(file)})
    assert isinstance(other, CropRecipe)
    assert other.card().skeleton.keypoints == ("wrist", "thumb")
