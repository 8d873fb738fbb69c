import numpy as np
import pytest

from scalepose.data.samples import Sample
from scalepose.geometry import View

torch = pytest.importorskip("torch")

from scalepose.data.batches import Batch, make_batch  # noqa: E402
from scalepose.targets.heatmaps import heatmaps  # noqa: E402
from scalepose.targets.tags import tag_pixels  # noqa: E402


def sample(keypoints, number=0, size=64):
    return Sample(
        image=np.random.default_rng(number).integers(0, 255, (size, size, 3), np.uint8),
        view=View((size, size), (size, size), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))),
        keypoints=keypoints.astype(np.float32),
        hidden=np.zeros(keypoints.shape[:2], bool),
        boxes=np.zeros((len(keypoints), 4), np.float32),
        mask=np.ones((size, size), bool),
        channels=np.array([True, True, False]),
        image_id=number,
    )


def people(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 64, (count, 3, 2))


def test_shapes_types_and_targets():
    samples = [sample(people(2), 0), sample(people(1, 1), 1), sample(np.zeros((0, 3, 2)), 2)]
    batch = make_batch(samples, strides=(4, 2))
    assert len(batch) == 3
    assert repr(batch) == "Batch(images=3×3×64×64, heatmaps=[3×3×16×16, 3×3×32×32], tag_pixels=3×2×3)"
    assert [batch.images.dtype, batch.channels.dtype, batch.tag_pixels.dtype] == [
        torch.uint8,
        torch.float32,
        torch.int64,
    ]
    assert all(maps.dtype == torch.float32 for maps in batch.heatmaps + batch.masks)
    assert [tuple(mask.shape) for mask in batch.masks] == [(3, 1, 16, 16), (3, 1, 32, 32)]
    np.testing.assert_array_equal(batch.images[1].numpy().transpose(1, 2, 0), samples[1].image)
    for level, stride in enumerate((4, 2)):
        expected = heatmaps(samples[0].keypoints, (64 // stride, 64 // stride), stride)
        np.testing.assert_array_equal(batch.heatmaps[level][0].numpy(), expected)
    np.testing.assert_array_equal(batch.tag_pixels[0].numpy(), tag_pixels(samples[0].keypoints, (16, 16), 4))
    assert (batch.tag_pixels[1, 1:] == -1).all()
    assert (batch.tag_pixels[2] == -1).all()
    assert batch.channels.tolist() == [[1, 1, 0]] * 3
    assert batch.image_ids == [0, 1, 2]


def test_any_number_of_people_and_none():
    assert make_batch([sample(people(200))]).tag_pixels.shape == (1, 200, 3)
    assert make_batch([sample(np.zeros((0, 3, 2)))]).tag_pixels.shape == (1, 1, 3)


def test_people_cropped_away_take_no_room():
    batch = make_batch([sample(np.concatenate([people(3) + 100, people(2)]))])
    assert batch.tag_pixels.shape == (1, 2, 3)


def test_masks_follow_the_majority_under_each_map_pixel():
    one = sample(people(1))
    one.mask[:, :26] = False  # six and a half map pixels of stride 4
    batch = make_batch([one])
    assert batch.masks[0][0, 0, 0].tolist() == [0.0] * 7 + [1.0] * 9
    assert batch.masks[1][0, 0, 0].tolist() == [0.0] * 13 + [1.0] * 19


def test_to_a_device_keeps_everything():
    batch = make_batch([sample(people(2))])
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert moved.images.is_meta
    assert all(t.is_meta for t in (*moved.heatmaps, *moved.masks, moved.channels, moved.tag_pixels))
    assert moved.image_ids == batch.image_ids
