"""People for users: sub-pixel keypoints, grouped by real tag distance, each keypoint only where there is evidence.

Differs from the published parser in that
- peaks are weighed by value and tag distance together, and all of them once more when everybody's tag is known;
- a further peak of a type that a person already has opens no second person with the same tag;
- a person far away is a worse partner, if tags do not decide;
- a keypoint hidden by the same keypoint of a neighbour is looked for beside the neighbour's, by its tag;
- nothing is filled in without heat, and a person found twice is reported once.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from scalepose.decode.duplicates import without_duplicates
from scalepose.decode.peaks import Peaks, find_peaks, sub_pixel
from scalepose.skeletons import Skeleton

WINDOW = 3  # pixels in which a peak is the largest
ROUNDS = 2  # of settling
SAME_TAG = 0.5  # of the tag threshold: within this, a tag is that person's
SPREAD = 2.0  # tag distance that a distance of one person's size beyond the person weighs
NEAR = 0.5  # of a person's size: how far outside of its box hidden keypoints are looked for
LEAST_SIZE = 8.0  # pixels: a person's size, if its keypoints lie closer together
REACH = 4  # pixels around a peak in which a second keypoint may hide: two standard deviations of the targets
SAME_PERSON = 0.7  # OKS
WEAK = 0.5  # of the threshold: heat that is enough for a hidden keypoint


def group_robust(
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

    People come best first. Scores are means over all K values, of the keypoints that are peaks above `threshold`.
    """
    K, h, w = heatmaps.shape
    peaks = find_peaks(heatmaps, threshold, most_people, WINDOW)
    if not len(peaks):
        return np.zeros((0, K, 2), np.float32), np.zeros((0, K), np.float32), np.zeros(0, np.float32)
    points = sub_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys)
    peak_tags = _read_tags(tags, peaks.types, points[:, 0] / w, points[:, 1] / h)
    people = _open_people(peaks, peak_tags, skeleton.order, tag_threshold)
    for _ in range(ROUNDS):
        people = _settle(people, peaks, points, peak_tags, tag_threshold)
    found = people >= 0  # (P, K)
    placed = np.where(found[..., None], points[people], np.float32(np.nan))
    values = np.where(found, peaks.values[people], np.float32(0))
    scores = values.mean(axis=1)
    keep = without_duplicates(placed, scores, np.asarray(skeleton.sigmas, np.float32), SAME_PERSON, LEAST_SIZE)
    keep = keep[values[keep].sum(axis=1) >= person_threshold][:most_people]
    people, placed, values, scores = people[keep], placed[keep], values[keep], scores[keep]
    if recover and len(people):
        means = _mean_tags(people, peaks, peak_tags)
        _find_hidden(heatmaps, tags, peaks, points, placed, values, means, threshold * WEAK, tag_threshold * SAME_TAG)
    return placed, values, scores


def _read_tags(tags: np.ndarray, types: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tags at places given as fractions of the map: those of the nearest pixel, since between two people's pixels
    lies nobody's tag.
    """
    _, h, w, _ = tags.shape
    column = np.clip((x * w).astype(np.intp), 0, w - 1)
    row = np.clip((y * h).astype(np.intp), 0, h - 1)
    return tags[types, row, column]


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, D) and (M, D) → (N, M) Euclidean distances."""
    return np.sqrt(((a[:, None] - b) ** 2).sum(axis=-1))


def _assign(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows and columns of the largest total worth; pairs worth nothing are not made."""
    rows, columns = linear_sum_assignment(worth, maximize=True)
    good = worth[rows, columns] > 0
    return rows[good], columns[good]


def _worth(values: np.ndarray, distance: np.ndarray, limit: float) -> np.ndarray:
    """(N,) peak values, (N, P) distances → what each pair is worth: the value, less with distance, nothing at
    `limit`.
    """
    return values[:, None] * np.maximum(1 - (distance / limit) ** 2, 0)


def _open_people(peaks: Peaks, tags: np.ndarray, order: tuple[int, ...], tag_threshold: float) -> np.ndarray:
    """Type after type, peaks join people or open new ones → (P, K) peak indices, -1 for none."""
    K, T = len(order), tags.shape[1]
    people: list[np.ndarray] = []
    weight: list[float] = []
    tag_sum: list[np.ndarray] = []
    for k in order:
        own = np.arange(peaks.starts[k], peaks.starts[k + 1])
        alone = np.ones(len(own), bool)
        if people:
            distance = _distances(tags[own], np.array(tag_sum).reshape(-1, T) / np.array(weight)[:, None])
            for row, p in zip(*_assign(_worth(peaks.values[own], distance, tag_threshold)), strict=True):
                n = own[row]
                people[p][k] = n
                weight[p] += peaks.values[n]
                tag_sum[p] = tag_sum[p] + peaks.values[n] * tags[n]
                alone[row] = False
            alone &= (distance >= SAME_TAG * tag_threshold).all(axis=1)
        for n in own[alone]:
            person = np.full(K, -1)
            person[k] = n
            people.append(person)
            weight.append(float(peaks.values[n]))
            tag_sum.append(peaks.values[n] * tags[n])
    return np.array(people)


def _mean_tags(people: np.ndarray, peaks: Peaks, tags: np.ndarray) -> np.ndarray:
    """(P, K) peak indices → (P, T) mean tags, weighted by the peaks' values."""
    weight = np.where(people >= 0, peaks.values[people], 0)
    return (weight[..., None] * tags[people]).sum(axis=1) / weight.sum(axis=1, keepdims=True)


def _boxes(placed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P, K, 2) points with NaN → low and high corners (P, 2) and sizes (P,) in pixels."""
    low, high = np.nanmin(placed, axis=1), np.nanmax(placed, axis=1)
    return low, high, np.maximum((high - low).max(axis=1), LEAST_SIZE)


def _outside(points: np.ndarray, low: np.ndarray, high: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(N, 2) points → (N, P) how far each lies outside each box, in sizes."""
    beyond = np.maximum(np.maximum(low - points[:, None], points[:, None] - high), 0)  # (N, P, 2)
    return np.sqrt((beyond**2).sum(axis=-1)) / size


def _settle(
    people: np.ndarray, peaks: Peaks, points: np.ndarray, tags: np.ndarray, tag_threshold: float
) -> np.ndarray:
    """Assign all peaks anew to people as they are known now → (P', K); people left without any are gone."""
    low, high, size = _boxes(np.where((people >= 0)[..., None], points[people], np.nan))
    distance = np.hypot(
        _distances(tags, _mean_tags(people, peaks, tags)), SPREAD * _outside(points, low, high, size)
    )
    worth = _worth(peaks.values, distance, tag_threshold)  # (N, P)
    settled = np.full_like(people, -1)
    for k in range(people.shape[1]):
        start, end = peaks.starts[k], peaks.starts[k + 1]
        rows, columns = _assign(worth[start:end])
        settled[columns, k] = rows + start
    return settled[(settled >= 0).any(axis=1)]


def _find_hidden(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    peaks: Peaks,
    points: np.ndarray,
    placed: np.ndarray,
    values: np.ndarray,
    means: np.ndarray,
    threshold: float,
    tag_limit: float,
) -> None:
    """Fill `placed` (P, K, 2) and `values` (P, K) where a person misses a keypoint and, within reach of a peak of that
    type, heat lies under the person's tag.
    """
    _, h, w = heatmaps.shape
    near = _outside(points, *_boxes(placed)) <= NEAR  # (N, P)
    n, p = np.nonzero(near & (values.T[peaks.types] == 0))
    if not len(n):
        return
    dy, dx = (d.ravel() for d in np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])
    k = peaks.types[n]
    y = np.clip(peaks.ys[n, None] + dy, 0, h - 1)  # (M, patch)
    x = np.clip(peaks.xs[n, None] + dx, 0, w - 1)
    heat = heatmaps[k[:, None], y, x]
    tag = _read_tags(tags, k[:, None], (x + 0.5) / w, (y + 0.5) / h)  # (M, patch, T)
    distance = np.sqrt(((tag - means[p, None]) ** 2).sum(axis=-1))
    merit = np.where((heat > threshold) & (distance < tag_limit), heat - distance, -np.inf)
    at = merit.argmax(axis=1)
    each = np.arange(len(n))
    merit, y, x = merit[each, at], y[each, at], x[each, at]
    for m in np.argsort(merit, kind="stable"):  # the best last
        if np.isfinite(merit[m]):
            values[p[m], k[m]] = heatmaps[k[m], y[m], x[m]]
            placed[p[m], k[m]] = x[m], y[m]
    hidden = np.zeros(values.shape, bool)
    hidden[p[np.isfinite(merit)], k[np.isfinite(merit)]] = True
    who, types = np.nonzero(hidden)
    x, y = placed[who, types].astype(np.intp).T
    for _ in range(2):  # the tag ends before the heat does: climb
        ys = np.clip(y[:, None] + np.repeat([-1, 0, 1], 3), 0, h - 1)
        xs = np.clip(x[:, None] + np.tile([-1, 0, 1], 3), 0, w - 1)
        up = heatmaps[types[:, None], ys, xs].argmax(axis=1)
        y, x = ys[np.arange(len(y)), up], xs[np.arange(len(x)), up]
    placed[who, types] = sub_pixel(heatmaps, types, x, y)
