"""Skeletons: the published ones, reading and writing of categories, and what a wrong one is told."""

import json

import numpy as np
import pytest
import yaml

from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17, CROWDPOSE14, DEFAULT_SIGMA, SKELETONS, Skeleton


def test_published_flip_indices():
    assert COCO17.flip_index.tolist() == [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    assert CROWDPOSE14.flip_index.tolist() == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13]


def test_published_sigmas_and_order():
    coco = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
    np.testing.assert_allclose(COCO17.sigmas, np.array(coco) / 10)
    crowdpose = [0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79]
    np.testing.assert_allclose(CROWDPOSE14.sigmas, np.array(crowdpose) / 10)
    assert COCO17.order[7:9] == (11, 12)
    assert CROWDPOSE14.order == (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13)


@pytest.mark.parametrize("skeleton", SKELETONS.values())
def test_pairs_and_limbs_agree_with_the_names(skeleton):
    for a, b in skeleton.flip_pairs:
        assert skeleton.keypoints[a].replace("left", "right") == skeleton.keypoints[b]
    flipped = {frozenset(skeleton.flip_index[list(limb)].tolist()) for limb in skeleton.limbs}
    assert flipped == {frozenset(limb) for limb in skeleton.limbs}  # a body's limbs are symmetric


@pytest.mark.parametrize("skeleton", SKELETONS.values())
def test_written_and_read_back(skeleton, tmp_path):
    assert Skeleton.from_category(json.loads(skeleton.to_json())) == skeleton
    assert Skeleton.from_category(skeleton.to_category()).keypoints == skeleton.keypoints
    for name in ("skeleton.json", "skeleton.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(json.loads(skeleton.to_json())))
        assert Skeleton.load(tmp_path / name) == skeleton


def test_the_category_of_coco_files_is_coco17(shared):
    content = json.loads((shared / "data/coco-dev/person_keypoints.json").read_text())
    assert Skeleton.from_category(content["categories"][0]) is COCO17


def test_a_category_with_names_only():
    hand = Skeleton.from_category({"name": "paws", "keypoints": ["Left_paw", "right_paw", "l_ear", "r_ear", "tail"]})
    assert hand.flip_pairs == ((0, 1), (2, 3))
    assert hand.sigmas == (DEFAULT_SIGMA,) * 5
    assert hand.order == (0, 1, 2, 3, 4)
    assert hand.limbs == ()
    assert repr(hand) == "Skeleton('paws', K=5, limbs=0)"


def test_limbs_count_from_one_and_pairs_may_be_named():
    category = {
        "keypoints": ["a", "b", "c"],
        "skeleton": [[1, 2], [3, 2]],
        "flip_pairs": [["a", "c"]],
        "order": [2, "a", 1],
    }
    skeleton = Skeleton.from_category(category)
    assert skeleton.limbs == ((0, 1), (2, 1))
    assert skeleton.flip_pairs == ((0, 2),)
    assert skeleton.order == (2, 0, 1)


@pytest.mark.parametrize(
    ("category", "reason"),
    [
        ({}, "'keypoints' must be a list of names"),
        ({"keypoints": "nose"}, "'keypoints' must be a list of names"),
        ({"keypoints": [1, 2]}, "'keypoints' must be a list of names"),
        ({"keypoints": []}, "it has 0 keypoints; 1 to 1000 are possible"),
        ({"keypoints": [str(i) for i in range(1001)]}, "it has 1001 keypoints"),
        ({"keypoints": ["a", "a"]}, "a stands more than once"),
        ({"keypoints": ["a", "b"], "skeleton": [[0, 1]]}, r"limbs holds \(-1, 0\)"),
        ({"keypoints": ["a", "b"], "skeleton": [[1, 3]]}, r"limbs holds \(0, 2\)"),
        ({"keypoints": ["a", "b"], "skeleton": [[1, 1]]}, "two different indices below 2"),
        ({"keypoints": ["a", "b"], "skeleton": [[1, 2, 1]]}, "'skeleton' must be a list of pairs"),
        ({"keypoints": ["a", "b"], "skeleton": "a-b"}, "'skeleton' must be a list of pairs"),
        ({"keypoints": ["a", "b"], "skeleton": [["a", "x"]]}, "'skeleton' names 'x', which is no keypoint"),
        ({"keypoints": ["a", "b", "c"], "flip_pairs": [["a", "b"], ["b", "c"]]}, "flip_pairs names a keypoint twice"),
        ({"keypoints": ["a", "b"], "sigmas": [0.1]}, "sigmas must be 2 positive numbers"),
        ({"keypoints": ["a", "b"], "sigmas": [0.1, -1]}, "sigmas must be 2 positive numbers"),
        ({"keypoints": ["a", "b"], "sigmas": [0.1, float("nan")]}, "sigmas must be 2 positive numbers"),
        ({"keypoints": ["a", "b"], "sigmas": ["x", "y"]}, "'sigmas' must be a list of 2 numbers"),
        ({"keypoints": ["a", "b"], "order": [0, 0]}, "order must name every index from 0 to 1 once"),
        ({"keypoints": ["a", "b"], "order": [0, True]}, "'order' names True, which is no keypoint"),
    ],
)  # fmt: skip
def test_a_wrong_category_says_what_is_wrong(category, reason):
    with pytest.raises(ScaleposeError, match=reason):
        Skeleton.from_category(category, "my.json: category 1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- a\n- b\n", "must hold keys such as 'keypoints'"),
        (b"{", "is no yaml or json text"),
        (b"\xff\xfe\x00", "is no yaml or json text"),
        (b"!!python/object/apply:os.getcwd []", "is no yaml or json text"),
        (b" " * (1 << 20) + b"a", "a skeleton file is small"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_named(content, reason, tmp_path):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScaleposeError, match=rf"mine\.yaml: .*{reason}"):
        Skeleton.load(path)


def test_a_file_is_named_after_itself(tmp_path):
    path = tmp_path / "dog.yaml"
    path.write_text("keypoints: [nose, tail]\nskeleton: [[nose, tail]]\n")
    assert Skeleton.load(path) == Skeleton("dog", ("nose", "tail"), ((0, 1),))


def test_flip_index_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        COCO17.flip_index[0] = 1
