"""People for users: sub-pixel keypoints, grouped by real tag distance, each keypoint only where there is evidence.

Differs from the published parser in that
- a peak is worth to a person what its value, its tag and its place say together, and more to a person who is better
  seen, so that a stray peak cannot draw keypoints away;
- a second peak of a type that a person already has opens no second person with the same tag;
- a peak amid tags of somebody else counts less: it may be a neighbour's;
- a keypoint that lies under the same keypoint of a neighbour is looked for there, by its tag (`hidden`);
- nothing is filled in without heat, a person found twice is reported once, and one hardly seen not at all.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from scalepose.decode.duplicates import without_duplicates
from scalepose.decode.hidden import find_hidden
from scalepose.decode.peaks import Peaks, find_peaks, require_finite, sub_pixel
from scalepose.decode.places import LEAST_SIZE, outside, read_tags, squared_distances
from scalepose.skeletons import Skeleton

WINDOW = 3  # pixels in which a peak is the largest
SAME_TAG = 0.7  # of the tag threshold: with a tag within this of a person's, a peak is that person's or nobody's
RING = 3  # pixels from a peak to where its surroundings are asked for their tags
DOUBT = 0.8  # share of a peak's worth that is lost if all of its surroundings have other tags
KNOWN = 1.0  # sum of values at which a person draws half as strongly as one seen perfectly
STRAY_FROM = 1.0  # person's sizes outside of its box: a peak farther away is less likely the person's,
STRAY = 0.5  # as if its tag were so much farther for each size,
STRAY_MOST = 0.8  # but by no more than this part of the tag threshold
SAME_PERSON = 0.7  # OKS of duplicates


def group_fast(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    skeleton: Skeleton,
    recover: bool,
    threshold: float,
    tag_threshold: float,
    person_threshold: float,
    most_people: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """heatmaps: (K, h, w) float32; tags: (K, h', w', T) float32 → points (P, K, 2), values (P, K), scores (P,) float32.

    People come best first. Scores are means over all K values, before hidden keypoints are added.
    """
    _, h, w = heatmaps.shape
    peaks = find_peaks(heatmaps, threshold, most_people, WINDOW)
    points = sub_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys)
    peak_tags = read_tags(tags, peaks.types, peaks.ys * w + peaks.xs, (w, h))
    require_finite(peaks, peak_tags)
    same_tag = SAME_TAG * tag_threshold
    doubt = DOUBT * _strangers(tags, peaks, peak_tags, (w, h), same_tag)
    trust = (peaks.values * (1 - doubt)).astype(np.float32)
    people, means = _open_people(peaks, points, peak_tags, trust, skeleton.order, tag_threshold)
    found = people >= 0  # (P, K)
    values = np.where(found, peaks.values[people], np.float32(0))
    placed = np.where(found[..., None], points[people], np.float32(np.nan))
    seen = values.sum(axis=1) >= person_threshold
    values, placed, means = values[seen], placed[seen], means[seen]
    scores = values.mean(axis=1)
    sigmas = np.asarray(skeleton.sigmas, np.float32)
    kept = without_duplicates(placed, scores, sigmas, SAME_PERSON, LEAST_SIZE)[:most_people]
    values, placed, scores = values[kept], placed[kept], scores[kept]
    if recover:
        find_hidden(heatmaps, tags, peaks, points, peak_tags, placed, values, means[kept], threshold / 2, same_tag)
    return placed, values, scores


def _strangers(tags: np.ndarray, peaks: Peaks, own: np.ndarray, size: tuple[int, int], same_tag: float) -> np.ndarray:
    """(N,) which part of a ring around each peak, itself of tag `own` (N, T), has another tag."""
    angles = np.arange(8) * (np.pi / 4)
    dx, dy = (np.round(RING * offset).astype(np.intp) for offset in (np.cos(angles), np.sin(angles)))
    w, h = size
    y, x = np.clip(peaks.ys[:, None] + dy, 0, h - 1), np.clip(peaks.xs[:, None] + dx, 0, w - 1)
    around = read_tags(tags, peaks.types[:, None], y * w + x, size)  # (N, 8, T)
    difference = np.square(around - own[:, None]).sum(axis=-1)
    return (difference >= same_tag**2).mean(axis=1)


def _open_people(
    peaks: Peaks, points: np.ndarray, tags: np.ndarray, trust: np.ndarray, order: tuple[int, ...], limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Type after type, peaks join people or open new ones → (P, K) peak indices, -1 for none, and (P, T) mean tags.

    points: (N, 2), tags: (N, T), trust: (N,) of the peaks. limit: the largest distance of a member.
    """
    N, T = tags.shape
    people = np.full((N, len(order)), -1)  # the first P rows are in use
    weight, tag_sum = np.zeros((N, 1), np.float32), np.zeros((N, T), np.float32)
    low, high = np.full((N, 2), np.inf, np.float32), np.full((N, 2), -np.inf, np.float32)
    P = 0
    for k in order:
        peaks_here = np.arange(peaks.starts[k], peaks.starts[k + 1])
        member = np.zeros(0, np.intp)
        if P and len(peaks_here):
            stray = STRAY * np.maximum(outside(points[peaks_here], low[:P], high[:P]) - STRAY_FROM, 0)
            squared = squared_distances(tags[peaks_here], tag_sum[:P] / weight[:P])  # (n, P)
            squared += np.minimum(stray, STRAY_MOST * limit) ** 2
            # Nothing at the limit; a pair of no worth is not made.
            worth = trust[peaks_here, None] * np.maximum(1 - squared / limit**2, 0)
            worth *= (weight[:P] / (weight[:P] + KNOWN)).T
            row, member = linear_sum_assignment(worth, maximize=True)
            good = worth[row, member] > 0
            row, member = row[good], member[good]
            alone = np.all(squared >= (SAME_TAG * limit) ** 2, axis=1)
            alone[row] = False
            peaks_here = np.concatenate([peaks_here[row], peaks_here[alone]])
        opened = len(peaks_here) - len(member)
        member = np.concatenate([member, np.arange(P, P + opened)])
        P += opened
        people[member, k] = peaks_here
        weight[member] += trust[peaks_here, None]
        tag_sum[member] += trust[peaks_here, None] * tags[peaks_here]
        low[member] = np.minimum(low[member], points[peaks_here])
        high[member] = np.maximum(high[member], points[peaks_here])
    return people[:P], tag_sum[:P] / weight[:P]
