"""People read again by the network that found them: each is looked at closely, at the size at which it sees best.

A second look needs no second model. In a whole picture most people are smaller or larger than those that a network
reads best; here each of them is brought to one size. No paper has it for bottom-up networks.
"""

import math

import numpy as np

from scalepose.data.boxes import pose_boxes
from scalepose.data.cutting import Cutout
from scalepose.decode.merging import similarity
from scalepose.geometry import AREA_OF_BOX, Size, View
from scalepose.models.zoo import ModelCard
from scalepose.poses import Poses
from scalepose.predictor import Predictor
from scalepose.runtimes import Runtime
from scalepose.runtimes.ports import STRIDE

LONG_SIDE = 0.5  # of the network's short side: what the longer side of a person's box becomes
MARGIN = 0.25  # of that side, around the box: this network reads people in their surroundings
BATCH = 16  # parts of the picture that go through the network together, if they are of one size


class Zoom:
    """Reads people whose keypoints are roughly known: `Zoom(predictor.runtime)(image, people)`.

    runtime: a network for whole pictures. flip: average with the mirrored part of the picture.
    """

    def __init__(self, runtime: Runtime[ModelCard], flip: bool = False):
        self._predictor = Predictor(runtime, flip=flip)

    @property
    def card(self) -> ModelCard:
        """Which network it is, with its skeleton."""
        return self._predictor.card

    @property
    def name(self) -> str:
        """Which network runs on what, for people."""
        return self._predictor.name

    @property
    def concurrent(self) -> bool:
        """Whether the network may be running elsewhere at the same time."""
        return self._predictor.runtime.concurrent

    def __repr__(self) -> str:
        return f"Zoom({self._predictor!r})"

    def __call__(self, image: np.ndarray, people: Poses) -> Poses:
        """The same people in the same order: of those found when the picture is enlarged around one, the one who is
        most like them, and surest. Who is not found again has no keypoints and the score 0.

        image: (H, W, 3) uint8 RGB. people: each with two keypoints or more, in or at the picture.
        """
        boxes = pose_boxes(people.keypoints)
        size = (image.shape[1], image.shape[0])
        views = [self._view(size, box) for box in boxes]
        points, values = np.full_like(people.keypoints, np.nan), np.zeros_like(people.keypoint_scores)
        scores = np.zeros_like(people.scores)
        areas = AREA_OF_BOX * boxes[:, 2:].prod(axis=1)
        whole = Cutout(image)
        for some in _batches(views):
            looks = [self._predictor.prepare_part(whole, views[p]) for p in some]
            for p, seen in zip(some, self._predictor.run(looks), strict=True):
                found = self._predictor.finish(seen)
                if len(found):
                    best = np.argmax(_likeness(people.keypoints[p], found, areas[p]) * found.scores)
                    points[p], values[p] = found.keypoints[best], found.keypoint_scores[best]
                    scores[p] = found.scores[best]
        return Poses(points, values, scores, people.skeleton)

    def _view(self, size: Size, box: np.ndarray) -> View:
        """The box with its margin, as far as they lie in the picture."""
        x, y, w, h = (float(value) for value in box)
        longer = max(w, h)
        zoom, margin = LONG_SIDE * self.card.input_size / longer, MARGIN * longer
        left, top = max(0.0, x - margin), max(0.0, y - margin)
        right, bottom = min(float(size[0]), x + w + margin), min(float(size[1]), y + h + margin)
        width, height = (
            max(1, math.ceil(zoom * side / STRIDE - 1e-6)) * STRIDE for side in (right - left, bottom - top)
        )
        return View.around(size, ((left + right) / 2, (top + bottom) / 2), zoom, (width, height))


def _batches(views: list[View]) -> list[list[int]]:
    """The indices of the views, those of one size together, `BATCH` at most."""
    sizes: dict[Size, list[int]] = {}
    for p, view in enumerate(views):
        sizes.setdefault(view.input_size, []).append(p)
    return [group[start : start + BATCH] for group in sizes.values() for start in range(0, len(group), BATCH)]


def _likeness(points: np.ndarray, found: Poses, area: float) -> np.ndarray:
    """(Q,) OKS of a person's keypoints (K, 2) with those of each of Q people found."""
    person = np.broadcast_to(points, found.keypoints.shape)
    sigmas = np.asarray(found.skeleton.sigmas, np.float32)
    alike = similarity(person, found.keypoints, np.full(len(found), area, np.float32), sigmas)  # (Q, K)
    return alike.sum(axis=1) / np.isfinite(points[:, 0]).sum()
