import numpy as np
import pytest

from scalepose.decode import group
from scalepose.decode.centres import LEAST_REACH, REACH, read_votes
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17

K = len(COCO17)


def test_a_vote_is_the_pixel_read_plus_its_offset():
    offsets = np.zeros((K, 2, 8, 6), np.float32)
    offsets[3, :, 5, 2] = (2.0, -1.5)
    votes = read_votes(offsets, np.array([3, 3]), np.array([5, 0]), np.array([10, 0]), (12, 16))
    np.testing.assert_allclose(votes.centres.T, [[2 * 4.5, 2 * 4.0], [1, 1]])  # the grid is twice as coarse
    np.testing.assert_allclose(votes.reach, [REACH * 5, REACH * LEAST_REACH])


def two_people_of_one_tag():
    """Side by side; of one only types 0 to 3 are seen, of the other only 4 to 7."""
    w, h = 120, 80
    ys, xs = np.mgrid[:h, :w] + 0.5
    heatmaps = np.zeros((K, h, w), np.float32)
    for k in range(8):
        x, y = (40 if k < 4 else 70), 20.5 + 10 * (k % 4)
        heatmaps[k] = 0.9 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 8)
    middle = np.where(xs < 55, 40, 70)
    offsets = np.broadcast_to(np.stack([middle - xs, 35.5 - ys]), (K, 2, h, w)).astype(np.float32)
    return heatmaps, np.zeros((K, h, w, 1), np.float32), offsets


def test_centres_part_people_whom_tags_do_not():
    heatmaps, tags, offsets = two_people_of_one_tag()
    _, values, _ = group(heatmaps, tags, COCO17, profile="fast", recover=False)
    assert (values > 0).sum(axis=1).tolist() == [8]
    points, values, _ = group(heatmaps, tags, COCO17, profile="fast", offsets=offsets, recover=False)
    assert (values > 0).sum(axis=1).tolist() == [4, 4]
    assert sorted(np.nanmean(points[..., 0], axis=1)) == pytest.approx([40, 70], abs=0.1)


def test_offsets_of_another_shape_or_without_numbers_are_refused():
    heatmaps, tags, offsets = two_people_of_one_tag()
    with pytest.raises(ScaleposeError, match=r"\(17, 2, h, w\), not \(16"):
        group(heatmaps, tags, COCO17, profile="fast", offsets=offsets[1:])
    with pytest.raises(ScaleposeError, match="NaN"):
        group(heatmaps, tags, COCO17, profile="fast", offsets=np.full_like(offsets, np.nan))
