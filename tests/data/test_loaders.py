import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scalepose.data.annotations import read_annotations  # noqa: E402
from scalepose.data.augmentation import Augmentation  # noqa: E402
from scalepose.data.datasets import PoseDataset  # noqa: E402
from scalepose.data.loaders import BatchSampler, training_loader  # noqa: E402
from scalepose.errors import ScaleposeError  # noqa: E402


@pytest.fixture
def dataset(small_set):
    augmentation = Augmentation(person_views=0.5, person_size=(20, 60), appearance=0.5, patches=1)
    return PoseDataset(read_annotations(small_set), augmentation, 64)


def stream(loader, epoch, start=0):
    loader.batch_sampler.set_epoch(epoch, start)
    return list(loader)


def assert_same(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.image_ids == b.image_ids
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.tag_pixels, b.tag_pixels)
        assert all(torch.equal(x, y) for x, y in zip(a.heatmaps + a.masks, b.heatmaps + b.masks, strict=True))


def test_same_stream_with_any_number_of_workers(dataset):
    alone = training_loader(dataset, 3, seed=1)
    helped = training_loader(dataset, 3, seed=1, workers=2)
    for epoch in (0, 1):  # the workers stay from epoch to epoch
        assert_same(stream(alone, epoch), stream(helped, epoch))


def test_starting_in_the_middle_gives_the_tail(dataset):
    loader = training_loader(dataset, 2, seed=1)
    whole = stream(loader, 4)
    assert len(whole) == len(loader) == 5
    assert_same(stream(loader, 4, start=3), whole[3:])
    assert len(loader) == 5
    assert_same(stream(loader, 5), stream(training_loader(dataset, 2, seed=1), 5))  # later epochs start at their start


def test_epochs_and_seeds_differ(dataset):
    loader = training_loader(dataset, 11, seed=1)
    (one,), (two,), (other,) = stream(loader, 0), stream(loader, 1), stream(training_loader(dataset, 11, seed=2), 0)
    assert sorted(one.image_ids) == sorted(two.image_ids) == list(range(11))
    assert one.image_ids != two.image_ids
    assert one.image_ids != other.image_ids
    assert not torch.equal(one.images[one.image_ids.index(3)], two.images[two.image_ids.index(3)])


def test_processes_share_the_same_samples(dataset):
    (alone,) = stream(training_loader(dataset, 8, seed=1), 2)
    parts = [stream(training_loader(dataset, 4, seed=1, rank=rank, world_size=2), 2)[0] for rank in (0, 1)]
    assert [id for part in parts for id in part.image_ids] == alone.image_ids
    assert torch.equal(torch.cat([part.images for part in parts]), alone.images)


def test_torch_randomness_is_left_alone(dataset):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    stream(training_loader(dataset, 3, seed=1, workers=1), 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_mixtures_keep_their_weights_and_go_through_every_source_evenly():
    sampler = BatchSampler([(10, 1.0), (1000, 3.0)], batch_size=4, seed=0, samples_per_epoch=100)
    counts = np.zeros(1010, int)
    for epoch in range(80):
        order = sampler.order(epoch)
        assert len(order) == 100
        assert (order < 10).sum() == 25
        np.add.at(counts, order, 1)
    assert set(counts[:10]) == {200}
    assert set(counts[10:]) == {6}
    assert (np.diff(sampler.order(0)) < 0).any()  # shuffled, not source after source
    assert {index < 10 for index in sampler.order(0)[:20]} == {True, False}


def test_pictures_left_over_come_first_in_the_next_epoch():
    sampler = BatchSampler([(11, 1.0)], batch_size=4, seed=0)
    assert len(sampler) == 2
    first, second = (set(sampler.order(epoch).tolist()) for epoch in (0, 1))
    assert len(first) == 8
    assert set(range(11)) - first <= second


def test_every_process_takes_its_own_part():
    seen = []
    for rank in range(3):
        sampler = BatchSampler([(50, 1.0)], batch_size=4, seed=3, rank=rank, world_size=3)
        assert len(sampler) == 4
        seen += [index for batch in sampler for _, _, index in batch]
    assert len(seen) == len(set(seen)) == 48


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 0}, "batch size 0"),
        ({"seed": -1}, "seed -1"),
        ({"rank": 2, "world_size": 2}, "rank 2 of 2"),
        (
            {"batch_size": 6, "world_size": 2},
            "an epoch of 11 pictures does not fill one batch of 6 pictures on each of 2",
        ),
    ],
)
def test_what_makes_no_batches_is_named(changes, reason):
    with pytest.raises(ScaleposeError, match=reason):
        BatchSampler(**{"sources": [(11, 1.0)], "batch_size": 2, "seed": 0} | changes)
