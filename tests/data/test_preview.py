import numpy as np
import pytest

pytest.importorskip("torch")

from scalepose.data.annotations import read_annotations
from scalepose.data.augmentation import Augmentation
from scalepose.data.datasets import PoseDataset
from scalepose.data.loaders import training_loader
from scalepose.data.preview import preview, preview_crops
from scalepose.skeletons import COCO17


def test_grid_shows_pictures_targets_and_what_is_unknown(small_set):
    still = Augmentation(scale=(1.5, 1.5), rotation=0, translation=0, flip=0)  # black all around
    batch = next(iter(training_loader(PoseDataset(read_annotations(small_set), still, 96), 5, seed=0)))
    grid = preview(batch, COCO17, columns=3)
    assert (grid.shape, grid.dtype) == ((2 * 102 + 6, 3 * 102 + 6, 3), np.uint8)
    assert (grid[:6] == 255).all()
    assert (grid[108:, 210:] == 255).all()  # the sixth place is empty
    tile = grid[6:102, 6:102].astype(int)
    picture = batch.images[0].numpy().transpose(1, 2, 0)
    assert set(np.unique(tile[:10, :10])) == {0, 150}  # stripes where nothing is known
    far = (batch.heatmaps[-1][0].amax(0) < 1e-3).numpy().repeat(2, 0).repeat(2, 1) & (picture.sum(-1) > 0)
    assert np.median(abs(tile - picture)[far]) == 0
    near = (batch.heatmaps[0][0].amax(0) == 1).numpy().repeat(4, 0).repeat(4, 1)
    assert np.median(abs(tile - picture)[near]) > 30


def test_crops_are_enlarged_and_glow_where_their_heatmaps_are():
    images = np.full((3, 32, 24, 3), 40, np.uint8)
    heatmaps = np.zeros((3, 17, 8, 6), np.float32)
    heatmaps[0, 2, 5, 4] = 1
    places = np.zeros((3, 17, 2), np.int64)
    places[0, 2] = (4, 5)
    counts = np.zeros((3, 17), bool)
    counts[0, 2] = True
    grid = preview_crops(images, heatmaps, places, counts, COCO17, columns=2)
    assert (grid.shape, grid.dtype) == ((2 * 262 + 6, 2 * 198 + 6, 3), np.uint8)  # tiles of eight times 24×32
    assert (grid[268:, 204:] == 255).all()  # the fourth place is empty
    first, second = grid[6:262, 6:198].astype(int), grid[6:262, 204:396].astype(int)
    assert (second == 40).all()
    lit = np.argwhere(abs(first - 40).sum(-1) > 60)
    np.testing.assert_allclose(lit.mean(0), (5.5 * 32 - 0.5, 4.5 * 32 - 0.5), atol=3)  # y, x: the middle of that pixel
