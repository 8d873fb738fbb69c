"""Two estimates of the same people to one, keypoint by keypoint, and how well they agree.

It knows points, values and areas, not where they come from. No paper: HigherHRNet and CAL are each published alone.
"""

import numpy as np


def merge(
    points: np.ndarray, values: np.ndarray, others: np.ndarray, other_values: np.ndarray, agreement: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The better of two estimates of each keypoint, drawn towards the other as far as the two agree.

    points, others: (P, K, 2) in the same pixels, NaN where missing. values, other_values: (P, K), how sure each is, on
    one scale; 0 where missing. agreement: (P, K), 0 to 1, as `similarity` measures it.

    Returns points (P, K, 2) and values (P, K), float32: of the surer estimate with value v, and of the other with value
    u and agreement a, the mean with the weights v and a·u. A keypoint that one lacks is the other's.
    """
    second = other_values > values
    best, rest = np.where(second, other_values, values), np.where(second, values, other_values)
    weight = agreement * rest
    share = np.divide(weight, best + weight, out=np.zeros(best.shape, np.float32), where=weight > 0)[..., None]
    ahead, behind = np.where(second[..., None], others, points), np.where(second[..., None], points, others)
    merged = np.where(share > 0, (1 - share) * ahead + share * behind, ahead)
    return merged.astype(np.float32), (best * (1 - share[..., 0]) + rest * share[..., 0]).astype(np.float32)


def similarity(points: np.ndarray, others: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(P, K) float32, 0 to 1: OKS of each keypoint with its other estimate, 0 where one is missing.

    points, others: (P, K, 2). areas: (P,) square pixels, of the people. sigmas: (K,).
    """
    squared = np.square(points - others).sum(axis=2)
    alike = np.exp(-squared / (8 * areas[:, None] * np.square(sigmas)))
    return np.nan_to_num(alike).astype(np.float32)
