"""People for users: sub-pixel keypoints, grouped by real tag distance, each keypoint only where there is evidence.

Differs from the published parser in that
- a peak is worth to a person what its value, its tag and its place say together, and more to a person who is better
  seen, so that a stray peak cannot draw keypoints away;
- where the network predicts centre offsets, peaks of one person must also agree on its centre (`centres`);
- a second peak of a type that a person already has opens no second person with the same tag;
- a peak amid tags of somebody else counts less: it may be a neighbour's;
- a keypoint that lies under the same keypoint of a neighbour is looked for there, by its tag (`hidden`);
- nothing is filled in without heat, a person found twice is reported once or scored low, one hardly seen not at all.
"""

import numpy as np

from scalepose.decode.assignment import linear_sum_assignment
from scalepose.decode.centres import Votes, read_votes
from scalepose.decode.duplicates import without_duplicates
from scalepose.decode.hidden import find_hidden
from scalepose.decode.peaks import Peaks, find_peaks, require_finite
from scalepose.decode.places import LEAST_SIZE, TagGrid, corners, outside, squared_distances
from scalepose.decode.scoring import expected_likeness
from scalepose.decode.subpixel import sub_pixel
from scalepose.skeletons import Skeleton

WINDOW = 3  # pixels in which a peak is the largest
SAME_TAG = 0.7  # of the tag threshold: with a tag within this of a person's, a peak is that person's or nobody's
RING = 3  # pixels from a peak to where its surroundings are asked for their tags
_ANGLES = np.arange(8)[:, None] * (np.pi / 4)
RING_X, RING_Y = np.round(RING * np.array([np.cos(_ANGLES), np.sin(_ANGLES)])).astype(np.intp)  # (8, 1)
DOUBT = 0.8  # share of a peak's worth that is lost if all of its surroundings have other tags
KNOWN = 3.0  # sum of values at which a person draws half as strongly as one seen perfectly
WITH_VOTES = 1.4  # times the tag threshold: where votes tell people apart too, tags may lie so much farther apart
STRAY_FROM = 1.0  # person's sizes outside of its box: a peak farther away is less likely the person's,
STRAY = 0.5  # as if its tag were so much farther for each size,
STRAY_MOST = 0.8  # but by no more than this part of the tag threshold
LEAST_SIDE = 2.0  # pixels of a person's box, where scores are concerned
SAME_PERSON = 0.7  # OKS of duplicates


def group_fast(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    offsets: np.ndarray | None,
    skeleton: Skeleton,
    recover: bool,
    threshold: float,
    tag_threshold: float,
    person_threshold: float,
    most_people: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """heatmaps (K, h, w), tags (K, h', w', T), offsets (K, 2, h', w') → points (P, K, 2), values (P, K), scores (P,);
    all are float32.

    People come best first, by the OKS that their keypoints let expect before hidden ones are added (`scoring`), less
    the part in which they are like a better one (`duplicates`).
    """
    _, h, w = heatmaps.shape
    grid = TagGrid(tags, (w, h))
    peaks = find_peaks(heatmaps, threshold, most_people, WINDOW)
    peak_tags = grid.at(peaks.types, peaks.ys * w + peaks.xs)  # (T, N)
    require_finite(peaks, peak_tags)
    points = sub_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys)
    same_tag = SAME_TAG * tag_threshold
    doubt = DOUBT * _strangers(grid, peaks, peak_tags, (w, h), same_tag)
    trust = (peaks.values * (1 - doubt)).astype(np.float32)
    votes = None if offsets is None else read_votes(offsets, peaks.types, peaks.xs, peaks.ys, (w, h))
    if votes is not None:
        require_finite(peaks, votes.centres)
        tag_threshold *= WITH_VOTES
    people, means = _open_people(peaks, points, peak_tags, votes, trust, skeleton.order, tag_threshold)
    found = people >= 0  # (P, K)
    values = np.where(found, peaks.values[people], np.float32(0))
    placed = np.where(found[..., None], points[people], np.float32(np.nan))
    seen = values.sum(axis=1) >= person_threshold
    values, placed, means = values[seen], placed[seen], means[:, seen]
    sigmas = np.asarray(skeleton.sigmas, np.float32)
    scores = expected_likeness(placed, values, sigmas, LEAST_SIDE)
    kept, scores = without_duplicates(placed, scores, sigmas, SAME_PERSON, LEAST_SIZE)
    kept, scores = kept[:most_people], scores[:most_people]
    values, placed = values[kept], placed[kept]
    if recover:
        find_hidden(heatmaps, grid, peaks, points, peak_tags, placed, values, means[:, kept], threshold / 2, same_tag)
    return placed, values, scores


def _strangers(grid: TagGrid, peaks: Peaks, own: np.ndarray, size: tuple[int, int], same_tag: float) -> np.ndarray:
    """(N,) which part of a ring around each peak, itself of tag `own` (T, N), has another tag."""
    w, h = size
    y = np.minimum(np.maximum(peaks.ys + RING_Y, 0), h - 1)  # (8, N)
    x = np.minimum(np.maximum(peaks.xs + RING_X, 0), w - 1)
    difference = grid.at(peaks.types, y * w + x) - own[:, None]  # (T, 8, N)
    difference *= difference
    return (difference.sum(axis=0) >= same_tag**2).mean(axis=0)


def _open_people(
    peaks: Peaks,
    points: np.ndarray,
    tags: np.ndarray,
    votes: Votes | None,
    trust: np.ndarray,
    order: tuple[int, ...],
    limit: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Type after type, peaks join people or open new ones → (P, K) peak indices, -1 for none, and (T, P) mean tags.

    points: (N, 2), tags: (T, N), votes, trust: (N,) of the peaks. limit: the largest distance of a member.
    """
    T, N = tags.shape
    people = np.full((N, len(order)), -1)  # the first P rows are in use
    places = corners(points.T, points.T)  # (4, N)
    boxes = np.full_like(places, np.inf)  # (4, N), around a person's peaks
    cues = tags if votes is None else np.concatenate([tags, votes.centres])  # (C, N)
    weighted = np.concatenate([trust * cues, trust[None]])  # (C + 1, N)
    sums = np.zeros_like(weighted)  # over a person's peaks: the means of its cues are sums[:-1] / sums[-1]
    reach = np.zeros(N, np.float32)  # of a person's votes
    P = 0
    for k in order:
        here = slice(peaks.starts[k], peaks.starts[k + 1])
        peaks_here = np.arange(here.start, here.stop)
        if not len(peaks_here):
            continue
        member = np.zeros(0, np.intp)
        if P:
            stray = outside(places[:, here], boxes[:, :P])  # (n, P)
            stray -= STRAY_FROM
            stray *= STRAY
            np.minimum(np.maximum(stray, 0, out=stray), STRAY_MOST * limit, out=stray)
            means = sums[:-1, :P] / sums[-1, :P]  # (C, P)
            squared = squared_distances(tags[:, here], means[:T])  # (n, P)
            squared += stray * stray
            if votes is not None:
                apart = squared_distances(votes.centres[:, here], means[T:])  # (n, P)
                squared += apart * (limit / np.maximum(votes.reach[here, None], reach[:P])) ** 2
            # Nothing at the limit; a pair of no worth is not made.
            worth = np.maximum(1 - squared / limit**2, 0)
            worth *= trust[here, None] * (sums[-1, :P] / (sums[-1, :P] + KNOWN))
            row, member = linear_sum_assignment(worth, maximize=True)
            good = worth[row, member] > 0
            row, member = row[good], member[good]
            alone = squared.min(axis=1) >= (SAME_TAG * limit) ** 2
            alone[row] = False
            peaks_here = np.concatenate([peaks_here[row], peaks_here[alone]])
        opened = len(peaks_here) - len(member)
        member = np.concatenate([member, np.arange(P, P + opened)])
        P += opened
        people[member, k] = peaks_here
        sums[:, member] += weighted[:, peaks_here]
        if votes is not None:
            reach[member] = np.maximum(reach[member], votes.reach[peaks_here])
        boxes[:, member] = np.minimum(boxes[:, member], places[:, peaks_here])
    return people[:P], sums[:T, :P] / sums[-1, :P]
