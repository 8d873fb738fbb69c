import torch

from scalepose.models import build
from scalepose.training.processes import Processes
from scalepose.training.recipe import read_recipe
from scalepose.training.stream import Stream, open_training_data


def opened(recipe_file, rank=0, world_size=1, workers=0):
    recipe = read_recipe(recipe_file, {"data.workers": str(workers)})
    return open_training_data(recipe, recipe.card(), Processes(rank, world_size, world_size), pin_memory=False)


def test_goes_on_from_any_batch(recipe_file):
    loader = opened(recipe_file)
    whole = list(Stream(loader, epochs=3))
    assert len(whole) == len(Stream(loader, epochs=3, start=8)) == 15
    for start in (0, 3, 5, 8, 14):
        rest = list(Stream(loader, epochs=3, start=start))
        assert len(rest) == 15 - start
        for ours, theirs in zip(whole[start:], rest, strict=True):
            assert ours.image_ids == theirs.image_ids
            assert torch.equal(ours.images, theirs.images)
            assert torch.equal(ours.heatmaps[1], theirs.heatmaps[1])


def test_loading_processes_go_on_from_any_batch_too(recipe_file):
    whole = list(Stream(opened(recipe_file), epochs=3))
    for start in (3, 10):
        rest = list(Stream(opened(recipe_file, workers=1), epochs=3, start=start))  # whose processes begin there
        assert [batch.image_ids for batch in rest] == [batch.image_ids for batch in whole[start:]]
        assert all(torch.equal(a.images, b.images) for a, b in zip(rest, whole[start:], strict=True))


def test_every_epoch_shows_every_picture_and_differs(recipe_file):
    whole = list(Stream(opened(recipe_file), epochs=2))
    first, second = ([i for batch in whole[n : n + 5] for i in batch.image_ids] for n in (0, 5))
    assert sorted(first) == sorted(second) == list(range(1, 11))
    assert first != second


def test_processes_share_the_pictures(recipe_file):
    parts = [list(Stream(opened(recipe_file, rank, 2), epochs=1)) for rank in range(2)]
    seen = [i for part in parts for batch in part for i in batch.image_ids]
    assert len(seen) == len(set(seen)) == 8  # two whole joint batches of 2 · 2


def test_targets_fit_the_network(recipe_file):
    recipe = read_recipe(recipe_file)
    batch = next(iter(Stream(opened(recipe_file), epochs=1)))
    outputs = build(recipe.card())(torch.zeros(2, 3, 64, 64))
    assert [m.shape for m in outputs.heatmaps] == [m.shape for m in batch.heatmaps]
