import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.losses.crops import CropTargets, crop_loss
from scalepose.models.outputs import Outputs
from scalepose.targets.crops import OFFSET_UNITS, encode

HEADS = ("heatmap", "dark", "udp", "udp-offset", "cal", "cal-light")
SIZE = (32, 32)


def drawn(head, seed=0, B=2, K=3):
    """Targets of random keypoints, some of them not labelled, and random outputs."""
    rng = np.random.default_rng(seed)
    crops = [
        np.concatenate([rng.uniform(-2, 34, (K, 2)), rng.integers(0, 3, (K, 1))], axis=1).astype(np.float32)
        for _ in range(B)
    ]
    targets = CropTargets.stack([encode(head, keypoints, SIZE, 0.8) for keypoints in crops])
    heatmaps = torch.tensor(rng.normal(size=targets.heatmaps.shape), dtype=torch.float64)
    offsets = None if targets.offsets is None else torch.tensor(rng.normal(size=targets.offsets.shape))
    return Outputs([heatmaps], offsets=offsets), targets


def by_loops(head, outputs, targets, mask=None):
    """The published formulas: joint after joint, each a mean over batch and pixels."""
    B, K, h, w = targets.heatmaps.shape
    heat = offset = 0.0
    for k in range(K):
        for b in range(B):
            counts = targets.weights[b, k].item()
            for y in range(h):
                for x in range(w):
                    d = outputs.heatmaps[0][b, k, y, x] - targets.heatmaps[b, k, y, x]
                    heat += 0.5 * float(counts * d) ** 2 / (B * h * w)
                    if head not in OFFSET_UNITS:
                        continue
                    for axis in range(2):
                        d = float(outputs.offsets[b, k, axis, y, x] - targets.offsets[b, k, axis, y, x])
                        if head == "udp-offset":  # the disc is its own heatmap
                            offset += 0.5 * (targets.heatmaps[b, k, y, x].item() * d) ** 2 / (B * h * w)
                        else:
                            weight = (targets.static_mask if mask is None else mask)[b, k, y, x].item()
                            inside = bool(targets.disc[b, k, y, x])
                            offset += counts * weight * inside * abs(d) / (B * h * w * 2)
    return heat / K, offset / K


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), B=st.integers(1, 2), K=st.integers(1, 3))
@pytest.mark.parametrize("head", HEADS)
def test_is_the_formula(head, seed, B, K):
    outputs, targets = drawn(head, seed, B, K)
    heat, offset = by_loops(head, outputs, targets)
    parts = crop_loss(head, outputs, targets)
    assert list(parts) == (["heatmap", "offset"] if head in OFFSET_UNITS else ["heatmap"])
    assert float(parts["heatmap"]) == pytest.approx(heat, rel=1e-6)
    if head in OFFSET_UNITS:
        assert float(parts["offset"]) == pytest.approx(offset, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("head", ["cal", "cal-light"])
def test_given_weights_take_the_place_of_the_static_mask(head):
    outputs, targets = drawn(head, 5)
    mask = torch.rand((*targets.weights.shape, 8, 8), generator=torch.manual_seed(0))
    assert float(crop_loss(head, outputs, targets, mask)["offset"]) == pytest.approx(
        by_loops(head, outputs, targets, mask)[1], rel=1e-5
    )


@pytest.mark.parametrize("head", HEADS)
def test_perfect_outputs_cost_nothing(head):
    _, targets = drawn(head, 1)
    outputs = Outputs([targets.heatmaps], offsets=targets.offsets)
    assert all(float(part) == 0 for part in crop_loss(head, outputs, targets).values())


@pytest.mark.parametrize("head", HEADS)
def test_keypoints_that_do_not_count_and_offsets_outside_of_the_disc_teach_nothing(head):
    outputs, targets = drawn(head, 2)
    leaves = [outputs.heatmaps[0].requires_grad_()]
    if outputs.offsets is not None:
        leaves.append(outputs.offsets.requires_grad_())
    torch.stack(list(crop_loss(head, outputs, targets).values())).sum().backward()
    ignored = targets.weights == 0
    assert ignored.any()
    assert not ignored.all()
    heat, *offset = (leaf.grad for leaf in leaves)
    assert heat is not None
    assert (heat[ignored] == 0).all()
    assert (heat[~ignored] != 0).all()
    if targets.disc is not None:
        assert offset[0] is not None
        taught = offset[0].abs().sum(dim=2) > 0
        assert not (taught & ~targets.disc).any()
        np.testing.assert_array_equal(taught.any(dim=(2, 3)), ~ignored)


@pytest.mark.parametrize("head", HEADS)
def test_half_precision_is_summed_in_float32(head):
    outputs, targets = drawn(head, 3)
    halved = Outputs(
        [outputs.heatmaps[0].bfloat16()], offsets=None if outputs.offsets is None else outputs.offsets.bfloat16()
    )
    parts = crop_loss(head, halved, targets)
    heat, offset = by_loops(head, halved, targets)
    assert all(part.dtype == torch.float32 for part in parts.values())
    assert float(parts["heatmap"]) == pytest.approx(heat, rel=1e-4)
    if "offset" in parts:
        assert float(parts["offset"]) == pytest.approx(offset, rel=1e-4)


@pytest.mark.parametrize("head", ["dark", "udp-offset", "cal"])
def test_targets_are_stacked_and_moved(head):
    _, targets = drawn(head, 4, B=3)
    assert len(targets) == 3
    assert repr(targets) == "CropTargets(heatmaps=3×3×8×8)"
    moved = targets.to("meta")
    for name in ("heatmaps", "offsets", "disc", "static_mask", "weights", "places"):
        before, after = getattr(targets, name), getattr(moved, name)
        assert (before is None) == (after is None)
        assert before is None or (after.is_meta and after.shape == before.shape and after.dtype == before.dtype)
