"""CAL's mixed Gaussian mask: offsets are learned most where the coarse positions really fall (Wang et al. 2022).

At test time an offset is read at the maximum of a predicted heatmap, which is not always the pixel nearest to the
keypoint. So the displacements between both, of all keypoints of a batch, are described by a mixture of Gaussians, and
its density around every keypoint weights the offset loss. It says nothing until predictions are half-way right: the
first stage of training therefore uses the static mask of `targets.crops`.

The fit runs where the displacements are, in float64 (there are only thousands of them), with sizes that do not depend
on their values, so that nothing waits for the device; nothing here carries a gradient. One component has a closed form,
more are fitted by a few steps of EM.

Departures from the official code: any number of components (there one); the previous batch's mixture can be the start;
a batch without labelled keypoints changes nothing; the density is taken relative to its maximum, which the min-max
normalisation makes the same mask but which cannot underflow.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

REACH = 3  # map pixels: the mask is pasted as a window of 7×7
CANDIDATES = 64  # displacements among which the start looks for a further centre
ROUNDS = 10  # of k-means for the start
REVIVAL = 1e-3  # weight given to every carried-over component, so that an empty one can come back


@dataclass(frozen=True, repr=False, eq=False)
class Mixture:
    """C Gaussians of displacements (x, y) in map pixels; float64.

    weights: (C,), sum 1. means: (C, 2). covariances: (C, 2, 2), positive definite.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def __repr__(self) -> str:
        spreads = self.covariances.diagonal(dim1=1, dim2=2).sqrt()
        parts = zip(self.weights.tolist(), self.means.tolist(), spreads.tolist(), strict=True)
        terms = (f"{w:.2f}·N({x:.2f}±{sx:.2f}, {y:.2f}±{sy:.2f})" for w, (x, y), (sx, sy) in parts)
        return f"Mixture({', '.join(terms)})"

    def log_density(self, points: Tensor) -> Tensor:
        """(..., 2) displacements → (...) natural logarithms of the density per square map pixel."""
        return self.log_parts(points).logsumexp(dim=-1)

    def density(self, points: Tensor) -> Tensor:
        """(..., 2) displacements → (...) density per square map pixel."""
        return self.log_density(points).exp()

    def log_parts(self, points: Tensor) -> Tensor:
        """(..., 2) → (..., C): what each component adds to the density, its weight included, as logarithms."""
        x, y = (points.to(self.means)[..., None, :] - self.means).unbind(-1)  # (..., C) each
        xx, xy, _, yy = self.covariances.flatten(1).unbind(1)  # (C,) each
        determinant = xx * yy - xy**2
        distance = (yy * x**2 - 2 * xy * x * y + xx * y**2) / determinant
        return self.weights.log() - math.log(2 * math.pi) - 0.5 * (determinant.log() + distance)


@torch.no_grad()
def displacements(heatmaps: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """From the true coarse positions to the predicted ones: (B·K, 2) float32, x and y in map pixels; NaN for keypoints
    that do not count, and where the maps are not finite.

    heatmaps: (B, K, h, w), predicted. places: (B, K, 2) and weights: (B, K) of the targets.
    """
    highest, pixel = heatmaps.flatten(2).max(dim=2)  # (B, K)
    w = heatmaps.shape[3]
    found = torch.stack((pixel % w, pixel.div(w, rounding_mode="floor")), dim=2)  # (B, K, 2)
    counts = (weights > 0) & highest.isfinite()
    return torch.where(counts[..., None], (found - places).float(), math.nan).flatten(0, 1)


@torch.no_grad()
def fit_mixture(
    displacements: Tensor,
    components: int = 1,
    steps: int = 10,
    regularise: float = 1e-6,
    start: Mixture | None = None,
) -> Mixture:
    """The mixture of `components` Gaussians under which the displacements are likely.

    displacements: (N, 2); rows that are not finite are left out. One component: their mean and covariance (divided by
    N), the published fit. More: `steps` of EM from a k-means, or from `start`, the mixture of an earlier batch with as
    many components. regularise: added to the diagonal of every covariance, square map pixels (published 1e-6, so that
    equal displacements give a finite peak; displacements are rounded to whole pixels, and about 0.1 makes the mask of
    nearly perfect predictions about a pixel wide).

    Fewer displacements than components leave components empty, with weight 0. Without any displacement the result is in
    effect `start`, or standard Gaussians.
    """
    points = displacements.double()
    known = points.isfinite().all(dim=1)
    points = torch.where(known[:, None], points, 0)
    share = known.to(points.dtype)[:, None]  # (N, 1)
    mixture = start if start is not None and len(start.weights) == components else None
    if len(points) == 0:
        return mixture or _standard(components, points)
    if components == 1:
        return _maximise(points, share, regularise, mixture or _standard(1, points))
    if mixture is None:
        mixture = _standard(components, points)
        mixture = _maximise(points, share * _clusters(points, share, components), regularise, mixture)
    else:
        weights = mixture.weights.to(points) + REVIVAL
        mixture = Mixture(weights / weights.sum(), mixture.means.to(points), mixture.covariances.to(points))
    for _ in range(steps):
        mixture = _maximise(points, share * mixture.log_parts(points).softmax(dim=1), regularise, mixture)
    return mixture


@torch.no_grad()
def mixture_mask(mixture: Mixture, places: Tensor, weights: Tensor, map_size: tuple[int, int]) -> Tensor:
    """The weights of the offset loss: (B, K, h, w) float32, 0 to 1.

    The density on a 7×7 window, pasted around the coarse position of every keypoint that counts, cut at the border and
    brought to 0 … 1 map by map. places: (B, K, 2) int64 pixels of the map. weights: (B, K). map_size: (w, h).
    """
    w, h = map_size
    B, K = weights.shape
    step = torch.arange(-REACH, REACH + 1, device=places.device)
    window = torch.stack(torch.meshgrid(step, step, indexing="xy"), dim=2)  # (7, 7, 2), rows are y
    logs = mixture.log_density(window).flatten()
    patch = (logs - logs.max()).exp().float()  # (49,)

    width = w + 2 * REACH  # a rim around the map takes what is cut off
    x, y = (places[:, :, None] + window.flatten(0, 1) + REACH).unbind(-1)  # (B, K, 49) each, from the rim's corner
    canvas = torch.zeros(B, K, (h + 2 * REACH) * width, device=places.device)
    canvas.scatter_(2, y * width + x, patch.expand(B, K, -1))
    mask = canvas.view(B, K, -1, width)[:, :, REACH:-REACH, REACH:-REACH]  # (B, K, h, w)
    low, high = mask.amin(dim=(2, 3), keepdim=True), mask.amax(dim=(2, 3), keepdim=True)
    return (mask - low) / (high - low).clamp(min=torch.finfo(mask.dtype).tiny) * weights[:, :, None, None]


def _standard(components: int, like: Tensor) -> Mixture:
    """What is believed before any displacement is seen."""
    return Mixture(
        like.new_full((components,), 1 / components),
        like.new_zeros(components, 2),
        torch.eye(2, dtype=like.dtype, device=like.device).expand(components, 2, 2),
    )


def _maximise(points: Tensor, shares: Tensor, regularise: float, before: Mixture) -> Mixture:
    """EM's second half. points: (N, 2); shares: (N, C) of each point in each component. A component without points
    stays as it was before.
    """
    mass = shares.sum(dim=0)  # (C,)
    total = mass.sum()
    filled, divisor = mass > 1e-9, mass.clamp(min=1e-9)[:, None]
    means = (shares[:, :, None] * points[:, None]).sum(dim=0) / divisor  # (C, 2)
    x = points[:, None] - means  # (N, C, 2)
    products = x[..., :, None] * x[..., None, :]  # (N, C, 2, 2)
    covariances = (shares[..., None, None] * products).sum(dim=0) / divisor[..., None]
    covariances = covariances + regularise * torch.eye(2, dtype=points.dtype, device=points.device)
    return Mixture(
        torch.where(total > 0, mass / total.clamp(min=1e-9), before.weights.to(points)),
        torch.where(filled[:, None], means, before.means.to(points)),
        torch.where(filled[:, None, None], covariances, before.covariances.to(points)),
    )


def _clusters(points: Tensor, known: Tensor, components: int) -> Tensor:
    """(N, C) of 0 and 1: k-means from centres that are chosen one by one, each the candidate that lowers the sum of
    squared distances most. points: (N, 2). known: (N, 1), 1 for points that count.
    """
    N = len(points)
    count = known.sum()
    mean = (known * points).sum(dim=0) / count.clamp(min=1)
    nearest = (points - mean).square().sum(dim=1)  # (N,) squared distance to the nearest centre so far
    order = torch.where(known[:, 0] > 0, nearest, -1).argsort(stable=True)  # unknown ones first
    spread = torch.linspace(0, 1, CANDIDATES, dtype=points.dtype, device=points.device)
    pick = (N - count + (count - 1).clamp(min=0) * spread).long().clamp(max=N - 1)
    candidates = points[order[pick]]  # (64, 2), from near the mean to the farthest
    distances = _squared(candidates, points)  # (64, N)
    centre = mean[None]  # (C, 2), growing
    for _ in range(components - 1):
        gain = (known[:, 0] * (nearest - distances).clamp(min=0)).sum(dim=1)  # (64,)
        best = gain.argmax(dim=0, keepdim=True)  # an index of one dimension: a bare number would be waited for
        centre = torch.cat((centre, candidates[best]))
        nearest = torch.minimum(nearest, distances[best][0])
    for _ in range(ROUNDS):
        member = known * _nearest(points, centre)
        mass = member.sum(dim=0)[:, None]
        moved = (member[:, :, None] * points[:, None]).sum(dim=0) / mass.clamp(min=1)
        centre = torch.where(mass > 0, moved, centre)
    return _nearest(points, centre)


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    """(N, 2) and (C, 2) → (N, C), 1 for the nearest centre, the first of equally near ones."""
    index = _squared(points, centres).argmin(dim=1, keepdim=True)
    return torch.zeros(len(points), len(centres), dtype=points.dtype, device=points.device).scatter_(1, index, 1.0)


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """(N, 2) and (M, 2) → (N, M) squared distances."""
    return (a[:, None] - b).square().sum(dim=2)
