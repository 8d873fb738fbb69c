"""Object keypoint similarity: how near found keypoints are to annotated ones, measured in the annotators' own spread.

The formula of COCOeval, including what it does with people who have no labelled keypoint: anything within their doubled
box fits them. Knows nothing of files, scores or matching. Source: cocodataset.org, "Keypoint evaluation".
"""

import numpy as np


def keypoint_similarity(truth: np.ndarray, areas: np.ndarray, found: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """exp(-d² / (2·area·(2σ)²)) of each keypoint of D found people to the same keypoint of G annotated people.

    truth: (G, K, ≥2) and found: (D, K, ≥2), (x, y) in the same pixels. areas: (G,) square pixels. sigmas: (K,).
    Returns (D, G, K) float64; entries of unlabelled keypoints mean nothing.
    """
    distance = found[:, None, :, :2].astype(np.float64) - truth[None, :, :, :2]  # (D, G, K, 2)
    return _similarity(distance, areas, sigmas)


def oks(truth: np.ndarray, boxes: np.ndarray, areas: np.ndarray, found: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Similarity of D found people to G annotated ones.

    truth: (G, K, 3), x, y and visibility; a keypoint counts where visibility > 0. boxes: (G, 4) x, y, w, h.
    areas: (G,) square pixels. found: (D, K, ≥2). sigmas: (K,). All in the same pixels.
    Returns (D, G) float64, 0 to 1: the mean keypoint similarity over the labelled keypoints of each annotated person.
    Where a person has none, the distance of each keypoint is that to the box with its own width and height added on
    every side, and the mean is over all K.
    """
    labelled = truth[..., 2] > 0  # (G, K)
    similarity = keypoint_similarity(truth, areas, found, sigmas)
    total = (similarity * labelled).sum(-1)  # (D, G)
    bare = np.flatnonzero(~labelled.any(-1))
    if len(bare):
        corner, size = boxes[bare, None, :2].astype(np.float64), boxes[bare, None, 2:].astype(np.float64)
        points = found[:, None, :, :2].astype(np.float64)  # (D, 1, K, 2)
        outside = np.maximum(corner - size - points, 0) + np.maximum(points - (corner + 2 * size), 0)
        total[:, bare] = _similarity(outside, areas[bare], sigmas).sum(-1)
    counted = labelled.sum(-1)
    return total / np.where(counted, counted, truth.shape[1])


def _similarity(distance: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    spread = (2 * sigmas) ** 2 * (areas[:, None].astype(np.float64) + np.spacing(1))  # (G, K)
    return np.exp(-(distance**2).sum(-1) / (2 * spread))
