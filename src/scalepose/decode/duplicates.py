"""The same person found twice: suppression by object keypoint similarity (OKS).

It knows keypoints and their sigmas, not maps or tags. COCO's OKS; OKS-NMS of the top-down literature.
"""

import numpy as np

from scalepose.decode.areas import areas


def similarity(points: np.ndarray, sigmas: np.ndarray, least_side: float) -> np.ndarray:
    """OKS of each person with each other: the mean over the keypoints that the second has; one that only the second
    has counts 0.

    points: (P, K, 2), NaN where missing. sigmas: (K,). The area is that of the larger of the two people (`areas`, with
    `least_side`). → (P, P) float32, [first, second].
    """
    found = np.isfinite(points[..., 0])  # (P, K)
    area = areas(points, least_side)
    area = np.maximum(area[:, None], area)  # (P, P)
    x, y = np.ascontiguousarray(np.where(found[..., None], points, 0).T)  # (K, P)
    squared = np.square(x[:, :, None] - x[:, None])  # (K, P, P)
    squared += np.square(y[:, :, None] - y[:, None])
    squared /= -8 * np.square(sigmas)[:, None, None] * area
    likeness = np.exp(squared, out=squared)
    likeness *= found.T[:, :, None] & found.T[:, None]
    return likeness.sum(axis=0) / np.maximum(found.sum(axis=-1), 1)


def without_duplicates(
    points: np.ndarray, scores: np.ndarray, sigmas: np.ndarray, most_similar: float, least_side: float
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the people to keep, best first, and their scores, of which each is reduced to the part that the person
    is unlike the better one that it is most like. Who is `most_similar` or more like a better one kept is left out.

    points: (P, K, 2), NaN where missing; scores: (P,).
    """
    order = np.argsort(-scores, kind="stable")
    alike = similarity(points[order], sigmas, least_side)
    left = np.ones(len(order), bool)
    for p in range(len(order)):
        if left[p]:
            left[p + 1 :] &= alike[p, p + 1 :] < most_similar
    better = np.triu(alike, 1)  # [better, worse]
    reduced = scores[order] * (1 - better.max(axis=0, initial=0))
    kept = np.flatnonzero(left)
    kept = kept[np.argsort(-reduced[kept], kind="stable")]
    return order[kept], reduced[kept]
