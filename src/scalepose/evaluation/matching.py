"""Who was found: each found person, best score first, takes the annotated person most like it (COCOeval's greedy rule).

Done once for all thresholds and all ranges of size. Knows nothing of files and of what is made of the matches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalepose.data.annotations import Annotations, Picture
from scalepose.evaluation.oks import oks
from scalepose.evaluation.results import Found, found_people


@dataclass(frozen=True)
class Scene:
    """One picture with its G annotated and D found people.

    truth: (G, K, 3) x, y, visibility. boxes: (G, 4) x, y, w, h. areas: (G,). crowd: (G,) bool, a region that any
    number of found people may fit. ignored: (G,) bool, crowds and people without a labelled keypoint: finding them is
    neither right nor wrong. similarity: (D, G) OKS.
    """

    picture: Picture
    truth: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray
    found: Found
    similarity: np.ndarray


def scenes(annotations: Annotations, results: Sequence[Mapping[str, Any]]) -> list[Scene]:
    """All pictures, in the order of their ids (it decides between equal scores), with what was found in them."""
    K = len(annotations.skeleton)
    sigmas = np.asarray(annotations.skeleton.sigmas)
    nobody = Found(np.zeros((0, K, 3)), np.zeros(0), np.zeros(0))
    people = found_people(annotations, results)
    return [
        _scene(picture, people.get(picture.id, nobody), sigmas)
        for picture in sorted(annotations.pictures, key=lambda picture: (isinstance(picture.id, str), picture.id))
    ]


def _scene(picture: Picture, found: Found, sigmas: np.ndarray) -> Scene:
    truth = np.array([person.keypoints for person in picture.people], np.float64).reshape(-1, len(sigmas), 3)
    boxes = np.array([person.box for person in picture.people], np.float64).reshape(-1, 4)
    areas = np.array([person.area for person in picture.people], np.float64)
    crowd = np.array([person.crowd for person in picture.people], bool)
    ignored = crowd | ~(truth[..., 2] > 0).any(-1)
    similarity = oks(truth, boxes, areas, found.keypoints, sigmas)
    return Scene(picture, truth, boxes, areas, crowd, ignored, found, similarity)


def match(similarity: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Which annotated person each found one takes.

    similarity: (D, G) OKS, rows best score first. crowd: (G,) bool. ignored: (R, G) bool, for each of R ranges.
    thresholds: (T,) rising. Returns (R, T, D) int64, an index into G or -1.

    A found person takes the most similar person that nobody took before and that reaches the threshold; ignored
    people only when no other fits; a crowd any number of times. Of equally similar people the last is taken.
    """
    D, G = similarity.shape
    chosen = np.full((len(ignored), len(thresholds), D), -1)
    taken = np.zeros((len(ignored), len(thresholds), G), bool)
    for d, row in enumerate(similarity):
        if not G or row.max() < thresholds[0]:
            continue
        fits = (row >= thresholds[:, None]) & (crowd | ~taken)  # (R, T, G)
        regular = fits & ~ignored[:, None]
        fits = np.where(regular.any(-1, keepdims=True), regular, fits)
        best = G - 1 - np.where(fits, row, -1)[..., ::-1].argmax(-1)  # (R, T)
        chosen[..., d] = best = np.where(fits.any(-1), best, -1)
        taken |= best[..., None] == np.arange(G)
    return chosen
