import dataclasses
import json

import numpy as np
import pytest
from made_annotations import person_record

from scalepose.data.annotations import read_annotations
from scalepose.data.augmentation import Augmentation
from scalepose.data.datasets import Mixture, PoseDataset
from scalepose.data.images import read_image
from scalepose.errors import ScaleposeError

STILL = Augmentation(scale=(1, 1), rotation=0, translation=0, flip=0)


def edited(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return read_annotations(path)


def test_samples_hold_what_the_file_says(small_set):
    annotations = read_annotations(small_set)
    dataset = PoseDataset(annotations, STILL, 90)
    assert len(dataset) == 11
    raw = dataset.load(3)
    np.testing.assert_array_equal(raw.image, read_image(annotations.pictures[3].path))
    np.testing.assert_allclose(raw.keypoints, [p.keypoints[:, :2] for p in annotations.pictures[3].people])
    assert raw.boxes.tolist() == [[10, 20, 50, 90], [45, 5, 65, 65]]
    assert raw.mask.all()
    assert raw.channels.all()
    assert raw.image_id == 3
    sample = dataset.sample(3, np.random.default_rng(0))
    np.testing.assert_array_equal(sample.image, raw.image[5:95])  # the short side fills the square
    np.testing.assert_allclose(sample.keypoints, raw.keypoints - (0, 5), atol=1e-4)
    assert repr(sample) == "Sample(3, 90×90, P=2, K=17)"


def test_unlabelled_keypoints_people_and_kinds(small_set):
    def edit(content):
        content["annotations"] = [
            person_record(1, 0, keypoints=[30, 40, 2] * 5 + [0] * 36),
            person_record(2, 0, (60, 60, 20, 20), keypoints=[0] * 51),
        ]

    dataset = PoseDataset(edited(small_set, edit), STILL, 90)
    assert len(dataset) == 1  # only one picture has people
    sample = dataset.load(0)
    assert len(sample.keypoints) == 1
    assert np.isnan(sample.keypoints[0, 5:]).all()
    assert sample.channels.tolist() == [True] * 5 + [False] * 12
    assert not sample.mask[60:80, 60:80].any()
    assert sample.mask.sum() == 9000 - 400


def test_empty_pictures_by_choice(small_set):
    assert len(PoseDataset(read_annotations(small_set), STILL, 90)) == 11
    one_less = edited(small_set, lambda content: content["annotations"].pop())
    assert len(PoseDataset(one_less, STILL, 90)) == 10
    full = PoseDataset(one_less, STILL, 90, keep_empty=True)
    assert len(full) == 11
    assert full.sample(10, np.random.default_rng(0)).keypoints.shape == (0, 17, 2)
    nobody = dataclasses.replace(one_less, pictures=())
    with pytest.raises(ScaleposeError, match="no picture with people"):
        PoseDataset(nobody, STILL, 90)


def test_a_share_of_the_hidden_keypoints_is_taught(small_set):
    def edit(content):
        for person in content["annotations"]:
            person["keypoints"][2::3] = [1] * 10 + [2] * 7

    annotations = edited(small_set, edit)
    rng = np.random.default_rng(0)
    whole, none, third = (PoseDataset(annotations, STILL, 90, hidden=share) for share in (1, 0, 0.3))
    assert whole.load(0).hidden.tolist() == [[True] * 10 + [False] * 7]
    np.testing.assert_array_equal(whole.sample(0, rng).keypoints, none.load(0).keypoints - (0, 5))
    assert np.isnan(none.sample(0, rng).keypoints[:, :10]).all()
    taught = np.array([~np.isnan(third.sample(0, rng).keypoints[0, :, 0]) for _ in range(200)])
    assert taught[:, :10].mean() == pytest.approx(0.3, abs=0.04)  # 2,000 draws: three sigma are 0.03
    assert taught[:, 10:].all()


def test_only_near_people(small_set):
    sample = PoseDataset(read_annotations(small_set), STILL, 90, only_near_people=True).load(0)
    assert sample.mask[20:90, 10:50].all()
    assert not sample.mask[:, 75:].any()


def test_size_that_is_not_the_stated_one_is_an_error(small_set):
    annotations = edited(small_set, lambda content: content["images"][0].update(width=80))
    with pytest.raises(ScaleposeError, match=r"0\.png: has 90×100 pixels, the annotations say 80×100"):
        PoseDataset(annotations, STILL, 90).load(0)


def test_mixture(small_set):
    annotations = read_annotations(small_set)
    first = PoseDataset(dataclasses.replace(annotations, pictures=annotations.pictures[:4]), STILL, 90)
    second = PoseDataset(dataclasses.replace(annotations, pictures=annotations.pictures[4:]), STILL, 90)
    mixture = Mixture([first, second], [1, 3])
    assert len(mixture) == 11
    assert mixture.sources == ((4, 1), (7, 3))
    assert Mixture([first, second]).sources == ((4, 4), (7, 7))
    for index in range(11):
        assert mixture.sample(index, np.random.default_rng(0)).image_id == index
    for datasets, weights, reason in (
        ([], None, "at least one"),
        ([first], [1, 2], "as many positive weights"),
        ([first, second], [1, 0], "as many positive weights"),
        ([first, PoseDataset(annotations, STILL, 64)], None, "inputs of 90 and 64"),
    ):
        with pytest.raises(ScaleposeError, match=reason):
            Mixture(datasets, weights)
