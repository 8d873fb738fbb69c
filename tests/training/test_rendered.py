"""`data: synthetic` in a recipe: rendered people in place of files."""

from pathlib import Path

import pytest
import torch
import yaml

from scalepose.errors import ScaleposeError
from scalepose.training.processes import Processes
from scalepose.training.recipe import Rendered, Source, read_recipe
from scalepose.training.stream import Stream, open_training_data

RENDERED = {
    "data": "synthetic", "size": [96, 64], "people": 1, "backgrounds": None, "scenes": None, "weight": 1, "hidden": 1,
}  # fmt: skip


@pytest.fixture
def write(recipe_file: Path, tmp_path: Path):
    """write(data) → the tiny recipe with other keys in `data`."""

    def written(**data) -> Path:
        content = yaml.safe_load(recipe_file.read_text(encoding="utf-8"))
        content["data"] |= data
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return written


def opened(path: Path):
    recipe = read_recipe(path)
    return open_training_data(recipe, recipe.card(), Processes(0, 1, 1), pin_memory=False)


def test_no_picture_comes_twice_and_a_run_goes_on_where_it_was(write):
    loader = opened(write(train=[RENDERED], samples_per_epoch=4))
    whole = list(Stream(loader, epochs=3))
    assert len(whole) == 6
    ids = [i for batch in whole for i in batch.image_ids]
    assert len(set(ids)) == len(ids) == 12
    rest = list(Stream(loader, epochs=3, start=3))
    for ours, theirs in zip(whole[3:], rest, strict=True):
        assert ours.image_ids == theirs.image_ids
        assert torch.equal(ours.images, theirs.images)


def test_a_fixed_number_of_scenes_is_an_epoch_and_comes_again(write):
    loader = opened(write(train=[RENDERED | {"scenes": 4}], samples_per_epoch=None))
    first, second = ([i for batch in loader for i in batch.image_ids] for _ in range(2))
    assert len(set(first)) == 4
    assert sorted(first) == sorted(second)  # none of which `scalepose synth` draws: its scenes have pairs for seeds


def test_mixes_with_files(write, recipe_file: Path):
    (source,) = yaml.safe_load(recipe_file.read_text(encoding="utf-8"))["data"]["train"]
    path = write(train=[source | {"weight": 1}, RENDERED | {"weight": 3}], samples_per_epoch=8)
    recipe = read_recipe(path)
    assert [type(entry) for entry in recipe.data.train] == [Source, Rendered]
    ids = [i for batch in Stream(opened(path), epochs=1) for i in batch.image_ids]
    assert sum(i in range(1, 11) for i in ids) == 2  # the files' pictures have the numbers 1 to 10


def test_is_written_and_read_back(write, tmp_path: Path):
    recipe = read_recipe(write(train=[RENDERED], samples_per_epoch=4))
    again = tmp_path / "again.yaml"
    again.write_text(recipe.to_yaml(), encoding="utf-8")
    assert read_recipe(again) == recipe


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"train": [RENDERED]}, "give samples_per_epoch"),
        ({"train": [RENDERED | {"weight": 0}], "samples_per_epoch": 4}, r"train\.0: weight must be above 0"),
        ({"train": [RENDERED | {"scenes": 0}]}, r"train\.0: scenes must be above 0"),
        ({"train": [RENDERED | {"data": "cats"}], "samples_per_epoch": 4}, r"train\.0\.data must be one of synthetic"),
        ({"train": [RENDERED | {"peopel": 1}], "samples_per_epoch": 4}, "did you mean data.train.0.people"),
        ({"train": ["synthetic"], "samples_per_epoch": 4}, "must be a section of keys"),
    ],
)
def test_mistakes_are_named(write, data: dict, words: str):
    with pytest.raises(ScaleposeError, match=words):
        read_recipe(write(**data))


def test_unusable_backgrounds_and_skeletons(write, tmp_path: Path):
    with pytest.raises(ScaleposeError, match="nowhere"):
        opened(write(train=[RENDERED | {"backgrounds": str(tmp_path / "nowhere")}], samples_per_epoch=4))
    path = write(train=[RENDERED], samples_per_epoch=4)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["model"]["skeleton"] = "crowdpose14"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ScaleposeError, match="keypoints of coco17"):
        opened(path)
