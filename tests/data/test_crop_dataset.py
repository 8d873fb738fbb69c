import cv2
import numpy as np
import pytest

from blob_people import BLOBS, blob_person, blob_picture
from scalepose.data.annotations import Annotations, Person, Picture, read_annotations
from scalepose.data.cropaugmentation import CropAugmentation
from scalepose.data.crops import CropDataset
from scalepose.data.datasets import Mixture
from scalepose.data.degrade import Degradation
from scalepose.errors import ScaleposeError

BOXES = ((180, 130, 90, 200), (650, 160, 110, 160), (1100, 200, 60, 44))


@pytest.fixture
def blobs(tmp_path) -> Annotations:
    """Three people of blobs in one picture, and a file that is no picture with one more."""
    cv2.imwrite(str(tmp_path / "blobs.png"), blob_picture((1300, 500), *BOXES)[..., ::-1])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")

    def person(id, place, **changes):
        x, y, w, h = place
        rows = np.concatenate([blob_person(place), np.full((3, 1), 2)], axis=1).astype(np.float32)
        fields = {"keypoints": rows, "box": np.array([x, y, w + 1, h + 1], np.float32), "area": 1.0, "crowd": False}
        return Person(**({"id": id, "segmentation": None} | fields | changes))

    people = [person(n, box) for n, box in enumerate(BOXES)]
    left_out = [
        person(8, BOXES[0], crowd=True),
        person(9, BOXES[0], keypoints=np.zeros((3, 3), np.float32)),
        person(10, BOXES[0], box=np.array([5, 5, 1, 9], np.float32)),
    ]
    pictures = (
        Picture(1, tmp_path / "blobs.png", 1300, 500, (*people, *left_out), None),
        Picture(2, tmp_path / "broken.png", 1300, 500, (person(11, BOXES[0]),), None),
    )
    return Annotations(BLOBS, pictures, (), tmp_path / "blobs.json")


def blob_places(crop, mirrored):
    """Where red, green and blue lie in a crop, as keypoints of a person who looks at us."""
    weight = np.where(crop > 12, crop, 0).astype(float).transpose(2, 0, 1)  # (3, H, W)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    places = np.stack([(weight * x).sum((1, 2)), (weight * y).sum((1, 2))], axis=1) / weight.sum((1, 2))[:, None]
    return places[[0, 2, 1]] if mirrored else places


@pytest.mark.parametrize("alignment", ["plain", "udp"])
@pytest.mark.parametrize("crop_size", [(48, 64), (192, 256)])
def test_keypoints_follow_the_picture(blobs, alignment, crop_size):
    turning = CropAugmentation(half_body=0, rotation=20, rotation_chance=1)
    dataset = CropDataset(blobs, crop_size, alignment, turning)
    assert len(dataset) == 4
    seen = 0
    for seed in range(30):
        sample = dataset.sample(seed % 3, np.random.default_rng(seed))
        assert sample.image.shape == (crop_size[1], crop_size[0], 3)
        points = sample.keypoints[:, :2]
        reach = crop_size[1] * 0.2
        if (points < reach).any() or (points > np.subtract(crop_size, reach)).any():
            continue  # a blob is cut off
        mirrored = np.linalg.det(np.array(sample.view.matrix)[:, :2]) < 0
        assert abs(blob_places(sample.image, mirrored) - points).max() < 0.003 * crop_size[1]
        seen += 1
    assert seen >= 3


def test_who_is_left_out(blobs):
    dataset = CropDataset(blobs, (48, 64), "udp")
    assert [person.id for _, person, _ in dataset.people] == [0, 1, 2, 11]
    assert [problem.record for problem in dataset.problems] == ["annotation 10"]
    plain = dataset.sample(0, np.random.default_rng(0))
    assert (plain.image_id, plain.person_id) == (1, 0)
    np.testing.assert_allclose(plain.view.to_input(np.array([225.0, 230.0])), (23.5, 31.5))
    with pytest.raises(ScaleposeError, match=r"broken\.png"):
        dataset.sample(3, np.random.default_rng(0))
    nobody = Annotations(BLOBS, blobs.pictures[:0], (), blobs.source)
    with pytest.raises(ScaleposeError, match="nobody with labelled keypoints"):
        CropDataset(nobody, (48, 64), "udp")


def test_unlabelled_keypoints_are_zero(blobs):
    blobs.pictures[0].people[0].keypoints[1, 2] = 0
    sample = CropDataset(blobs, (48, 64), "udp").sample(0, np.random.default_rng(0))
    assert sample.keypoints[1].tolist() == [0, 0, 0]
    assert (sample.keypoints[[0, 2], 2] == 2).all()


def test_memory_is_bounded_and_changes_nothing(blobs):
    low = Degradation((24, 32), 0.5, 4, 50)
    settings = ((48, 64), "udp", CropAugmentation(appearance=1), low)
    kept, bare = CropDataset(blobs, *settings), CropDataset(blobs, *settings, cache_bytes=0)
    for seed in range(12):
        first, second = (d.sample(seed % 3, np.random.default_rng(seed)) for d in (kept, bare))
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.keypoints, second.keypoints)
    blobs.pictures[0].path.unlink()
    kept.sample(2, np.random.default_rng(0))
    with pytest.raises(ScaleposeError, match="no such file"):
        bare.sample(2, np.random.default_rng(0))


def test_a_picture_of_another_size_is_named(blobs):
    cv2.imwrite(str(blobs.pictures[0].path), np.zeros((30, 50, 3), np.uint8))
    with pytest.raises(ScaleposeError, match="50×30 pixels, the annotations say 1300×500"):
        CropDataset(blobs, (48, 64), "udp").sample(0, np.random.default_rng(0))


def test_mixtures_in_an_order_that_goes_on(small_set):
    pytest.importorskip("torch")
    from scalepose.data.loaders import BatchSampler, batch_loader

    annotations = read_annotations(small_set)
    dataset = CropDataset(annotations, (48, 64), "udp", CropAugmentation())
    assert len(dataset) == 16
    mixture = Mixture([dataset, dataset], weights=[1, 3])
    assert mixture.sources == ((16, 1.0), (16, 3.0))
    with pytest.raises(ScaleposeError, match="cannot mix inputs"):
        Mixture([dataset, CropDataset(annotations, (96, 128), "udp")])

    def batches(start=0):
        loader = batch_loader(mixture, list, batch_size=8, seed=3)
        assert isinstance(loader.batch_sampler, BatchSampler)
        loader.batch_sampler.set_epoch(2, start)
        return list(loader)

    everything, rest = batches(), batches(start=2)
    assert [len(batch) for batch in everything] == [8] * 4
    for batch, again in zip(everything[2:], rest, strict=True):  # a resumed run sees what it would have seen
        for a, b in zip(batch, again, strict=True):
            np.testing.assert_array_equal(a.image, b.image)
            assert (a.person_id, a.view) == (b.person_id, b.view)
