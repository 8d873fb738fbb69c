import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.losses import heatmap_loss


def slow(predicted, target, mask, channels, weight):
    """The formula, number by number."""
    B, K, h, w = predicted.shape
    pictures = []
    for b in range(B):
        total = 0.0
        for k in range(K):
            for y in range(h):
                for x in range(w):
                    error = mask[b, 0, y, x] * (predicted[b, k, y, x] - target[b, k, y, x]) ** 2
                    total += error * (1 + weight * target[b, k, y, x]) * channels[b, k]
        pictures.append(total / (K * h * w))
    return sum(pictures) / B


def drawn(seed, B=2, K=3, h=4, w=5, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    predicted, target = (torch.tensor(rng.random((B, K, h, w)), dtype=dtype) for _ in range(2))
    mask = torch.tensor(rng.random((B, 1, h, w)) < 0.7, dtype=dtype)
    channels = torch.tensor(rng.random((B, K)) < 0.7, dtype=dtype)
    return predicted, target, mask, channels


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), B=st.integers(1, 3), K=st.integers(1, 4), weight=st.floats(0, 20))
def test_is_the_formula(seed, B, K, weight):
    parts = drawn(seed, B, K)
    assert float(heatmap_loss(*parts, weight)) == pytest.approx(float(slow(*parts, weight)), abs=1e-12)


def test_gradient():
    predicted, target, mask, channels = drawn(1)
    assert torch.autograd.gradcheck(lambda p: heatmap_loss(p, target, mask, channels, 3.0), predicted.requires_grad_())


def test_unknown_pixels_and_channels_teach_nothing():
    predicted, target, mask, channels = drawn(2)
    predicted.requires_grad_()
    heatmap_loss(predicted, target, mask, channels, 2.0).backward()
    unknown = (mask == 0).expand_as(predicted) | (channels == 0)[:, :, None, None]
    assert predicted.grad is not None
    assert (predicted.grad[unknown] == 0).all()
    assert (predicted.grad[~unknown] != 0).all()


def test_half_precision_is_summed_in_float32():
    predicted, target, mask, channels = drawn(3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = heatmap_loss(predicted.bfloat16(), target, mask, channels)
    assert loss.dtype == torch.float32
    exact = slow(predicted.bfloat16().double(), target.double(), mask.double(), channels.double(), 0)
    assert float(loss) == pytest.approx(float(exact), rel=1e-6)


def test_perfect_maps_cost_nothing():
    _, target, mask, channels = drawn(4)
    assert heatmap_loss(target, target, mask, channels, 5.0) == 0
