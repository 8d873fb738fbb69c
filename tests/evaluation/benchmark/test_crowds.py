"""Painted maps hold exactly the people they should: both decoders find them all, at their places."""

import numpy as np
import pytest

from scalepose.decode import group
from scalepose.evaluation.benchmark.crowds import (
    HIDDEN,
    Painted,
    crowd,
    painted_heatmaps,
    painted_offsets,
    painted_tags,
)
from scalepose.evaluation.benchmark.work import DECODED
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard, Network
from scalepose.predictor import Predictor
from scalepose.skeletons import COCO17

K = len(COCO17)


@pytest.mark.parametrize("people", [1, 13, 30])
def test_a_crowd_fills_the_picture_and_hides_a_quarter(people: int):
    points = crowd(people, K, DECODED)
    assert points.shape == (people, K, 2)
    hidden = np.isnan(points[..., 0])
    assert hidden.mean() == pytest.approx(1 / HIDDEN, abs=0.06)
    seen = points[~hidden]
    assert (seen > 0).all()
    assert (seen < DECODED).all()
    assert (np.ptp(seen, axis=0) > 0.65 * np.array(DECODED)).all()


@pytest.mark.parametrize("people", [1, 13, 30])
@pytest.mark.parametrize(("profile", "stride"), [("fast", 2), ("paper", 1)])
def test_decoders_find_exactly_these_people(people: int, profile, stride: int):
    points = crowd(people, K, DECODED)
    tags = painted_tags(points, DECODED, 4 if profile == "fast" else 1)[..., None]
    found, _, _ = group(painted_heatmaps(points, DECODED, stride), tags, COCO17, profile, recover=False)
    assert len(found) == people
    distance = np.nanmax(np.abs(found[:, None] * stride - points), axis=(2, 3))  # (found, people)
    assert distance.min(axis=0).max() < 3 * stride
    assert (distance.argmin(axis=1)[distance.argmin(axis=0)] == np.arange(people)).all()


def test_offsets_lead_to_the_middle():
    points = crowd(5, K, (256, 192))
    offsets = painted_offsets(points, (256, 192), 4)
    assert offsets.shape == (K, 2, 48, 64)
    for p, k in ((0, 1), (4, 5)):
        x, y = (points[p, k] / 4).astype(int)
        np.testing.assert_allclose(
            (offsets[k, :, y, x] + (x + 0.5, y + 0.5)) * 4, np.nanmean(points[p], axis=0), rtol=1e-5
        )


class Blank:
    """A runtime that sees nothing."""

    name = "blank"
    concurrent = False

    def __init__(self, network: Network):
        self.card = ModelCard("blank", network, input_size=128)

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        B, _, H, W = images.shape
        T = K if self.card.network.tag_per_keypoint else 1
        levels = [np.zeros((B, K, H // s, W // s), np.float32) for s in (4, 2)]
        return Outputs(levels, np.zeros((B, T, H // 4, W // 4), np.float32))


@pytest.mark.parametrize("people", [1, 7])
def test_a_predictor_on_painted_maps_finds_so_many(people: int):
    predictor = Predictor(Painted(Blank(Network()), people))
    picture = np.zeros((384, 512, 3), np.uint8)
    for _ in range(2):  # the second time the maps are at hand
        assert len(predictor(picture)) == people


def test_shared_tags_keep_their_shape():
    painted = Painted(Blank(Network(tag_per_keypoint=False)), 3)
    tags = painted(np.zeros((2, 3, 128, 160), np.float32)).tags
    assert tags is not None
    assert tags.shape == (2, 1, 32, 40)
