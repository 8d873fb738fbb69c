"""Why the precision is what it is: people missed, doubled or invented, and what is wrong with each keypoint.

The kinds of keypoint error of Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation"
(ICCV 2017), with their limits of keypoint similarity. Unlike average precision it looks at every found person alike,
however low its score; `score` leaves the weak ones out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalepose.data.annotations import Annotations
from scalepose.evaluation.matching import Scene, match, scenes
from scalepose.evaluation.oks import keypoint_similarity
from scalepose.skeletons import Skeleton

KINDS = ("good", "jitter", "inversion", "swap", "miss", "absent")
GOOD, NEAR = 0.85, 0.5  # keypoint similarity: as good as an annotator; still at the right joint
SAME, ALIKE = 0.5, 0.1  # OKS: surely this person; still meant for this person


@dataclass(frozen=True)
class Diagnosis:
    """Counts.

    people: "annotated" (with keypoints), of which "found" (OKS ≥ 0.5), "poor" (≥ 0.1) and "missed"; and found people
    who are nobody: "duplicate" (on somebody found already) and "false".
    keypoints: for each keypoint name, how many labelled keypoints of found and poor people are "good", off by a
    "jitter", on the mirror image's place ("inversion"), on another person ("swap"), elsewhere ("miss"), or "absent".
    """

    people: dict[str, int]
    keypoints: dict[str, dict[str, int]]

    @property
    def totals(self) -> dict[str, int]:
        """The counts of `keypoints` summed over the keypoint types."""
        return {kind: sum(counts[kind] for counts in self.keypoints.values()) for kind in KINDS}


def diagnose(annotations: Annotations, results: Sequence[Mapping[str, Any]], score: float = 0.0) -> Diagnosis:
    """Count the errors of a COCO results list, of people scored at least `score`.

    Raises ScaleposeError when the results do not fit the annotations.
    """
    return count_errors(scenes(annotations, results), annotations.skeleton, score)


def count_errors(all_scenes: Sequence[Scene], skeleton: Skeleton, score: float = 0.0) -> Diagnosis:
    """`diagnose` of pictures already put together with what was found in them."""
    people: dict[str, int] = dict.fromkeys(("annotated", "found", "poor", "missed", "duplicate", "false"), 0)
    counts = np.zeros((len(skeleton), len(KINDS)), np.int64)
    for scene in all_scenes:
        strong = int((scene.found.scores >= score).sum())  # best first: the strong ones lead
        similarity = scene.similarity[:strong]
        sure = _match(similarity, scene, SAME)
        near = (similarity >= SAME) & ~scene.ignored
        duplicate = (sure < 0) & near.any(-1)
        # Whoever is settled takes no part in the second round; a crowd never is.
        settled = np.isin(np.arange(len(scene.crowd)), sure) & ~scene.crowd
        rest = np.where(((sure >= 0) | duplicate)[:, None] | settled, 0, similarity)
        taken = np.maximum(sure, _match(rest, scene, ALIKE))
        people["annotated"] += int((~scene.ignored).sum())
        people["found"] += int((~scene.ignored[sure[sure >= 0]]).sum())
        people["duplicate"] += int(duplicate.sum())
        people["false"] += int(((taken < 0) & ~duplicate).sum())
        d = np.flatnonzero(taken >= 0)
        d = d[~scene.ignored[taken[d]]]
        people["poor"] += len(d)
        if len(d):
            counts += _keypoint_kinds(scene, d, taken[d], skeleton)
    people["poor"] -= people["found"]
    people["missed"] = people["annotated"] - people["found"] - people["poor"]
    return Diagnosis(
        people,
        {
            name: dict(zip(KINDS, map(int, row), strict=True))
            for name, row in zip(skeleton.keypoints, counts, strict=True)
        },
    )


def _match(similarity: np.ndarray, scene: Scene, threshold: float) -> np.ndarray:
    """(D,) index of the annotated person whom each found one takes, or -1."""
    return match(similarity, scene.crowd, scene.ignored[None], np.array([threshold]))[0, 0]


def _keypoint_kinds(scene: Scene, d: np.ndarray, g: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(K, 6) counts of `KINDS` over the pairs of found people `d` and annotated people `g`, each (N,)."""
    flip, sigmas = skeleton.flip_index, np.asarray(skeleton.sigmas)
    found, truth = scene.found.keypoints[d], scene.truth
    labelled = truth[..., 2] > 0  # (G, K)
    same = keypoint_similarity(truth, scene.areas, found, sigmas) * labelled  # (N, G, K)
    paired = flip != np.arange(len(flip))
    mirror = keypoint_similarity(truth[:, flip], scene.areas, found, sigmas[flip]) * (labelled[:, flip] & paired)
    pair = np.arange(len(d)), g
    own, inverted = same[pair], mirror[pair]  # (N, K)
    others = np.maximum(same, mirror)
    others[pair] = 0
    swapped = others.max(axis=1)  # (N, K)
    kind = np.select(
        [
            ~found.any(-1),
            own >= GOOD,
            own >= NEAR,
            (inverted >= NEAR) & (inverted >= swapped),
            swapped >= NEAR,
        ],
        [KINDS.index(name) for name in ("absent", "good", "jitter", "inversion", "swap")],
        KINDS.index("miss"),
    )
    counts = np.zeros((len(flip), len(KINDS)), np.int64)
    person, k = np.nonzero(labelled[g])
    np.add.at(counts, (k, kind[person, k]), 1)
    return counts
