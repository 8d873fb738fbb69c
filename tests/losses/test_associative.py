import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.losses import associative_loss


def slow(tags, tag_pixels):
    """The formulas, person by person."""
    B, P, K = tag_pixels.shape
    pulls, pushes = [], []
    for b in range(B):
        means, pull = [], 0.0
        for p in range(P):
            values = []
            for k in range(K):
                if tag_pixels[b, p, k] >= 0:
                    channel = tags[b, k if tags.shape[1] > 1 else 0].reshape(-1)
                    values.append(float(channel[tag_pixels[b, p, k]]))
            if values:
                means.append(sum(values) / len(values))
                pull += sum((value - means[-1]) ** 2 for value in values) / len(values)
        N = len(means)
        pulls.append(pull / N if N else 0.0)
        push = sum(math.exp(-((means[i] - means[j]) ** 2)) for i in range(N) for j in range(N) if i != j)
        pushes.append(0.5 * push / (N * (N - 1)) if N > 1 else 0.0)
    return sum(pulls) / B, sum(pushes) / B


def drawn(seed, B=2, P=3, K=4, h=5, w=6, shared=False, labelled=0.6):
    rng = np.random.default_rng(seed)
    tags = torch.tensor(rng.normal(size=(B, 1 if shared else K, h, w)))
    pixels = rng.integers(0, h * w, (B, P, K))
    pixels[rng.random((B, P, K)) > labelled] = -1
    return tags, torch.tensor(pixels)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    B=st.integers(1, 3),
    P=st.integers(1, 5),
    K=st.integers(1, 4),
    shared=st.booleans(),
    labelled=st.sampled_from([0.05, 0.4, 1.0]),
)
def test_is_the_formula(seed, B, P, K, shared, labelled):
    tags, pixels = drawn(seed, B, P, K, shared=shared, labelled=labelled)
    pull, push = associative_loss(tags, pixels)
    assert (float(pull), float(push)) == pytest.approx(slow(tags, pixels), abs=1e-12)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("half", [0, 1])
def test_gradient(shared, half):
    tags, pixels = drawn(5, shared=shared)
    assert torch.autograd.gradcheck(lambda t: associative_loss(t, pixels)[half], tags.requires_grad_())


def test_nobody_costs_nothing_and_has_a_gradient():
    tags = torch.randn(2, 3, 4, 4, requires_grad=True)
    pull, push = associative_loss(tags, torch.full((2, 1, 3), -1))
    assert pull == 0
    assert push == 0
    (pull + push).backward()
    assert tags.grad is not None
    assert (tags.grad == 0).all()


def test_one_person_is_not_pushed():
    tags = torch.tensor([[[[1.0, 3.0]]]])  # (1, 1, 1, 2), shared by two keypoint types
    pull, push = associative_loss(tags, torch.tensor([[[0, 1]]]))
    assert pull == 1  # both tags lie 1 from their mean
    assert push == 0


def test_two_people_by_hand():
    tags = torch.tensor([[[[0.0, 2.0]]]])
    pull, push = associative_loss(tags, torch.tensor([[[0], [1]]]))
    assert pull == 0
    assert float(push) == pytest.approx(0.5 * math.exp(-4))  # two ordered pairs over N (N − 1) = 2


def test_padding_with_absent_people_changes_nothing():
    tags, pixels = drawn(6)
    padded = torch.cat([pixels, torch.full((2, 7, 4), -1)], dim=1)
    assert associative_loss(tags, pixels) == associative_loss(tags, padded)


def test_pixels_that_are_not_read_may_hold_anything():
    tags, pixels = drawn(7)
    before = associative_loss(tags, pixels)
    read = torch.zeros_like(tags, dtype=torch.bool).flatten(2)
    for b, p, k in torch.nonzero(pixels >= 0).tolist():
        read[b, k, pixels[b, p, k]] = True
    poisoned = torch.where(read.view_as(tags), tags, torch.nan)
    assert associative_loss(poisoned, pixels) == before


def test_half_precision_is_summed_in_float32():
    tags, pixels = drawn(8)
    with torch.autocast("cpu", torch.bfloat16):
        pull, push = associative_loss(tags.bfloat16(), pixels)
    assert pull.dtype == push.dtype == torch.float32
    assert (float(pull), float(push)) == pytest.approx(slow(tags.bfloat16().double(), pixels), rel=1e-5)
