"""The published parser: candidates of one keypoint type after another are assigned to people by their tags.

HigherHRNet's official `HeatmapParser` step by step (associative embedding, Newell et al. 2017). Departures: Hungarian
assignment by SciPy; where the published cost, which rounds distances, leaves a choice, the person whose tag is clearly
nearer is taken, else the one opened first; missing keypoints are NaN instead of (0, 0).
"""

import numpy as np

from scalepose.decode.assignment import linear_sum_assignment
from scalepose.decode.peaks import Peaks, find_peaks, require_finite
from scalepose.decode.recovery import recover_missing
from scalepose.decode.subpixel import quarter_pixel

MOST_PEAKS = 30  # of one keypoint type, and the number of people that later types can join
TIE_BREAK = 1e-6  # weight of the unrounded distance: too little to outweigh a difference of values that matters
CLEARLY = 0.25  # steps of distance; within one, tags differ by noise and the official code takes the older person


def group_paper(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    order: tuple[int, ...],
    recover: bool,
    threshold: float,
    tag_threshold: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """heatmaps: (K, h, w) float32; tags: (K, h, w, T) float32 → points (P, K, 2), values (P, K), scores (P,) float32.

    People come in the order in which the parser opens them. Scores are means over all K values before recovery.
    """
    peaks = find_peaks(heatmaps, threshold, MOST_PEAKS, published=True)
    peak_tags = tags[peaks.types, peaks.ys, peaks.xs]  # (N, T)
    require_finite(peaks, peak_tags)
    people = match_by_tag(peaks, peak_tags, order, tag_threshold)  # (P, K) peak indices, -1 for none
    found = people >= 0
    P, K = people.shape
    points = np.full((P, K, 2), np.nan, np.float32)
    points[found] = quarter_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys)[people[found]]
    values = np.zeros((P, K), np.float32)
    values[found] = peaks.values[people[found]]
    scores = values.mean(axis=1)
    if recover and P:
        references = np.stack([peak_tags[person[person >= 0]].mean(axis=0) for person in people])
        who, types = np.nonzero(~found)
        ys, xs = recover_missing(heatmaps, tags, types, references[who])
        recovered = heatmaps[types, ys, xs]
        good = recovered > 0
        who, types, ys, xs = who[good], types[good], ys[good], xs[good]
        points[who, types] = quarter_pixel(heatmaps, types, xs, ys)
        values[who, types] = recovered[good]
    return points, values, scores


def match_by_tag(peaks: Peaks, tags: np.ndarray, order: tuple[int, ...], tag_threshold: float) -> np.ndarray:
    """Assign peaks with tags (N, T) to people → (P, K) peak indices, -1 where a person has none.

    As in the official code a person is known by the first tag value of the peak that opened it: a later opening peak
    with exactly that value joins the same person, whose mean tag then starts anew.
    """
    people: dict[float, np.ndarray] = {}
    members: dict[float, list[np.ndarray]] = {}
    K = len(order)

    def open_person(n: int, k: int) -> None:
        key = float(tags[n, 0])
        people.setdefault(key, np.full(K, -1))[k] = n
        members[key] = [tags[n]]

    for k in order:
        rows = range(peaks.starts[k], peaks.starts[k + 1])
        if not rows:
            continue
        if not people:
            for n in rows:
                open_person(n, k)
            continue
        keys = list(people)[:MOST_PEAKS]
        means = np.stack([np.mean(members[key], axis=0) for key in keys])
        difference = tags[rows.start : rows.stop, None].astype(np.float64) - means  # (n, groups, T)
        distance = np.linalg.norm(difference, axis=-1)
        value = peaks.values[rows.start : rows.stop, None].astype(np.float64)
        cost = np.round(distance) * 100 - value + TIE_BREAK * np.floor(distance / CLEARLY)
        partner = dict(zip(*linear_sum_assignment(cost), strict=True))
        for row, n in enumerate(rows):
            column = partner.get(row)
            if column is not None and distance[row, column] < tag_threshold:
                people[keys[column]][k] = n
                members[keys[column]].append(tags[n])
            else:
                open_person(n, k)
    return np.array(list(people.values()), np.intp).reshape(-1, K)
