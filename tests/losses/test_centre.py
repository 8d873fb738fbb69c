import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scalepose.losses import centre_loss  # noqa: E402
from scalepose.losses.centre import REACH  # noqa: E402
from scalepose.targets.centres import centres  # noqa: E402
from scalepose.targets.tags import tag_pixels  # noqa: E402

B, P, K, H, W = 2, 3, 4, 10, 12


def made(seed=0):
    random = np.random.default_rng(seed)
    keypoints = random.uniform(-2, 4 * W, (B, P, K, 2))  # some lie outside
    keypoints[0, 1, 2:] = np.nan
    keypoints[1, 2] = np.nan
    pixels = np.stack([tag_pixels(k, (W, H), 4) for k in keypoints])
    middle = np.nan_to_num(np.stack([centres(k, (W, H), 4) for k in keypoints]))
    offsets = random.normal(0, 5, (B, K, 2, H, W))
    return torch.tensor(offsets, dtype=torch.float32), torch.tensor(pixels), torch.tensor(middle)


def slow(offsets, pixels, middle):
    """The formula, pixel by pixel."""
    errors = []
    for b in range(B):
        for p in range(P):
            for k in range(K):
                if pixels[b, p, k] < 0:
                    continue
                y, x = divmod(int(pixels[b, p, k]), W)
                for v in range(max(0, y - REACH), min(H, y + REACH + 1)):
                    for u in range(max(0, x - REACH), min(W, x + REACH + 1)):
                        cx, cy, size = middle[b, p].tolist()
                        dx, dy = offsets[b, k, :, v, u].tolist()
                        errors += [abs(u + 0.5 + dx - cx) / size, abs(v + 0.5 + dy - cy) / size]
    return np.mean(errors)


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_formula(seed):
    assert float(centre_loss(*made(seed))) == pytest.approx(slow(*made(seed)), rel=1e-5)


def test_offsets_that_point_at_the_centre_cost_nothing():
    _, pixels, middle = made()
    pixels[:, 1:] = -1  # one person a picture: nobody else's offsets are taught at the same pixels
    v, u = np.mgrid[:H, :W]
    offsets = torch.zeros(B, K, 2, H, W)
    for b in range(B):
        x, y, _ = middle[b, 0].tolist()
        offsets[b] = torch.tensor(np.stack([x - u - 0.5, y - v - 0.5]))
    assert float(centre_loss(offsets, pixels, middle)) == pytest.approx(0, abs=1e-6)


def test_gradients_are_finite_with_nobody_and_with_empty_rows():
    for pixels in (made()[1], torch.full((B, P, K), -1)):
        offsets, _, middle = made()
        offsets.requires_grad_()
        centre_loss(offsets, pixels, middle).backward()
        assert offsets.grad is not None
        assert offsets.grad.isfinite().all()
