"""Scores of people read from crops, and the same person read from two boxes: as in the top-down papers' tests.

It knows keypoints and areas, not boxes, maps or pictures. SimpleBaseline and HRNet: rescoring, OKS-NMS. Bottom-up
people have suppression of their own (`duplicates`): they lack keypoints, and have no boxes.
"""

import numpy as np

MOST_SIMILAR = 0.9  # OKS
LEAST_VALUE = 0.2  # of a keypoint that says how sure the person is


def rescore(values: np.ndarray, box_scores: np.ndarray) -> np.ndarray:
    """(P,) float32: each box's score times the mean of those of its person's values that are above `LEAST_VALUE`; 0 if
    none is.

    values: (P, K). box_scores: (P,).
    """
    sure = values > LEAST_VALUE
    mean = np.where(sure, values, 0).sum(axis=1) / np.maximum(sure.sum(axis=1), 1)
    return (box_scores * mean).astype(np.float32)


def suppress(
    points: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    most_similar: float = MOST_SIMILAR,
) -> np.ndarray:
    """Indices of the people to keep, best first: each has an OKS of at most `most_similar` with every better one kept.

    points: (P, K, 2), all K of them. scores: (P,). areas: (P,) square pixels, of the boxes that were looked at; two
    people are compared in the mean of both. sigmas: (K,).
    """
    kept: list[int] = []
    for p in np.argsort(-scores, kind="stable"):
        squared = ((points[kept] - points[p]) ** 2).sum(axis=2)  # (kept, K)
        area = (areas[kept] + areas[p]) / 2
        similarity = np.exp(-squared / (8 * area[:, None] * sigmas**2)).mean(axis=1)
        if not (similarity > most_similar).any():
            kept.append(int(p))
    return np.array(kept, np.intp)
