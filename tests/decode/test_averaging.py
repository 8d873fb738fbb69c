import numpy as np
import pytest

from scalepose.decode.averaging import Average
from scalepose.errors import ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.skeletons import COCO17

FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def outputs(seed: int, h: int = 8, w: int = 12, tag_channels: int = 17) -> Outputs[np.ndarray]:
    rng = np.random.default_rng(seed)

    def maps(k: int, scale: int) -> np.ndarray:
        return rng.random((1, k, h * scale, w * scale), dtype=np.float32)

    return Outputs(heatmaps=[maps(17, 1), maps(17, 2)], tags=maps(tag_channels, 1))


SIZES = [((5, 7), (10, 14)), ((16, 12), (64, 48)), ((6, 1), (48, 8)), ((8, 10), (8, 10)), ((16, 24), (8, 12))]


@pytest.mark.parametrize(("size", "wanted"), [*SIZES, ((9, 11), (23, 17))])
def test_resizing_is_torch_interpolate(size, wanted):
    torch = pytest.importorskip("torch")
    maps = np.random.default_rng(0).random((1, 17, *size), dtype=np.float32)
    average = Average(COCO17, wanted[::-1], project=True, aggregate=True)
    average.add(Outputs([maps], maps))
    expected = torch.nn.functional.interpolate(torch.from_numpy(maps), size=wanted, mode="bilinear")[0].numpy()
    heatmaps, tags, _ = average.result()
    np.testing.assert_allclose(heatmaps, expected, atol=1e-5)
    np.testing.assert_allclose(tags[..., 0], expected, atol=1e-5)


def published(torch, passes, base_size, supervised=(0, 1)):
    """The official steps one by one: each pass upsampled, averaged, mirrored back, projected; then flips, scales."""
    W, H = base_size

    def project(maps, size):
        return torch.nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)

    scales, tag_planes = [], []
    for straight, mirrored, with_tags in passes:
        both = []
        for one, flipped in ((straight, False), (mirrored, True)):
            stages = [torch.from_numpy(maps) for maps in one.heatmaps]
            finest = stages[-1].shape[2:]
            heat = torch.stack([project(stages[s], finest) for s in supervised]).mean(dim=0)
            tags = project(torch.from_numpy(one.tags), finest)
            if flipped:
                heat = heat.flip(3)[:, FLIP]
                tags = tags.flip(3)[:, FLIP] if tags.shape[1] > 1 else tags.flip(3)
            both.append(project(heat, (H, W)))
            if with_tags:
                tag_planes.append(project(tags, (H, W)))
        scales.append((both[0] + both[1]) / 2)
    return torch.stack(scales).mean(dim=0)[0].numpy(), torch.stack(tag_planes, dim=-1)[0].numpy()


def looks(average, passes):
    for straight, mirrored, with_tags in passes:
        average.add(straight, with_tags=with_tags)
        average.add(mirrored, mirrored=True, with_tags=with_tags)
    return average.result()[:2]


@pytest.mark.parametrize("supervised", [(0, 1), (1,)])
def test_two_scales_with_flip_are_the_published_average(supervised):
    torch = pytest.importorskip("torch")
    passes = [(outputs(0, 16, 24), outputs(1, 16, 24), False), (outputs(2), outputs(3), True)]
    heatmaps, tags = looks(Average(COCO17, (48, 32), project=True, aggregate=len(supervised) == 2), passes)
    expected_heatmaps, expected_tags = published(torch, passes, (48, 32), supervised)
    assert heatmaps.shape == (17, 32, 48)
    assert tags.shape == (17, 32, 48, 2)
    np.testing.assert_allclose(heatmaps, expected_heatmaps, atol=1e-5)
    np.testing.assert_allclose(tags, expected_tags, atol=1e-5)


def test_shared_tags_are_mirrored_but_not_permuted():
    torch = pytest.importorskip("torch")
    passes = [(outputs(0, tag_channels=1), outputs(1, tag_channels=1), True)]
    _, tags = looks(Average(COCO17, (48, 32), project=True, aggregate=True), passes)
    _, expected = published(torch, passes, (48, 32))
    assert tags.shape == (17, 32, 48, 2)
    np.testing.assert_allclose(tags, np.broadcast_to(expected, tags.shape), atol=1e-5)


def test_without_projection_tags_stay_on_their_grid():
    average = Average(COCO17, (24, 16), project=False, aggregate=True)
    one = outputs(0)
    average.add(one)
    heatmaps, tags, _ = average.result()
    assert heatmaps.shape == (17, 16, 24)
    assert one.tags is not None
    np.testing.assert_array_equal(tags[..., 0], one.tags[0])


def test_a_mirrored_look_of_the_same_maps_changes_nothing():
    one = outputs(0)
    assert one.tags is not None
    mirrored = Outputs([maps[:, FLIP, :, ::-1] for maps in one.heatmaps], one.tags[:, FLIP, :, ::-1])
    alone, both = (Average(COCO17, (24, 16), project=False, aggregate=False) for _ in range(2))
    alone.add(one)
    both.add(one)
    both.add(mirrored, mirrored=True)
    np.testing.assert_allclose(both.result()[0], alone.result()[0], atol=1e-6)
    _, tags, _ = both.result()
    np.testing.assert_array_equal(tags[..., 0], tags[..., 1])


def test_a_network_without_tags_is_refused():
    with pytest.raises(ScaleposeError, match="no tags"):
        Average(COCO17, (24, 16), project=False, aggregate=True).add(Outputs(outputs(0).heatmaps))


def test_offsets_of_a_mirrored_look_point_the_other_way():
    """What a mirror shows of a person left of its centre is a person right of it, with left and right exchanged."""
    one = outputs(0)
    one.offsets = np.random.default_rng(1).normal(size=(1, 17, 2, 8, 12)).astype(np.float32)
    mirrored = Outputs(one.heatmaps, one.tags, one.offsets[:, FLIP, :, :, ::-1] * np.array([-1, 1]).reshape(2, 1, 1))
    average = Average(COCO17, (24, 16), project=False, aggregate=False)
    average.add(one)
    average.add(mirrored, mirrored=True)
    average.add(outputs(2), with_tags=False)
    together = average.result()[2]
    assert together is not None
    np.testing.assert_allclose(together, one.offsets[0], rtol=1e-5)
