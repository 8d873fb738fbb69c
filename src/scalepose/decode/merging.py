"""Two estimates of the same people to one, keypoint by keypoint, and how well they agree.

It knows points, values and areas, not where they come from. No paper: HigherHRNet and CAL are each published alone.
"""

import numpy as np


def merge(
    points: np.ndarray, others: np.ndarray, values: np.ndarray, other_values: np.ndarray, agreement: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The surer of two estimates of each keypoint, drawn towards the other as far as the two agree.

    points, others: (P, K, 2) in the same pixels, NaN where missing. values, other_values: (P, K), how sure each is, on
    one scale; 0 where missing. agreement: (P, K), 0 to 1, as `similarity` measures it.

    Returns points (P, K, 2) and values (P, K), float32: of the surer estimate with value v, and of the other with value
    u and agreement a, the mean with the weights v and a·u. A keypoint that one lacks is the other's.
    """
    second = other_values > values
    best, rest = np.where(second, other_values, values), np.where(second, values, other_values)
    weight = agreement * rest
    share = np.divide(weight, best + weight, out=np.zeros(best.shape, np.float32), where=weight > 0)  # of the other
    ahead, behind = np.where(second[..., None], others, points), np.where(second[..., None], points, others)
    part = share[..., None]  # (P, K, 1)
    merged = np.where(part > 0, (1 - part) * ahead + part * behind, ahead)
    return merged.astype(np.float32), ((1 - share) * best + share * rest).astype(np.float32)


def merge_scores(
    scores: np.ndarray, other_scores: np.ndarray, values: np.ndarray, other_values: np.ndarray, agreement: np.ndarray
) -> np.ndarray:
    """(P,) float32: the geometric mean of each person's score and of the other one times how well both agree: the mean
    agreement of the keypoints, weighted by both their values.

    Where a score is the OKS to expect (`scoring`), it is less than the mean of the values, the more so the smaller the
    person and the more like a better one (`duplicates`); the other one is reduced by the same factor.

    scores, other_scores: (P,). values, other_values, agreement: (P, K), as for `merge`.
    """
    reachable = np.minimum(scores / np.maximum(values.mean(axis=1), 1e-9), 1)
    weights = values * other_values
    agreed = (weights * agreement).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    return np.sqrt(scores * other_scores * reachable * agreed).astype(np.float32)


def similarity(points: np.ndarray, others: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(P, K) float32, 0 to 1: OKS of each keypoint with its other estimate, 0 where one is missing.

    points, others: (P, K, 2). areas: (P,) square pixels, of the people. sigmas: (K,).
    """
    squared = np.square(points - others).sum(axis=2)
    alike = np.exp(-squared / (8 * areas[:, None] * np.square(sigmas)))
    return np.nan_to_num(alike).astype(np.float32)
