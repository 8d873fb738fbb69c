"""The people found in one picture: `Poses`, in image pixels, and the forms it takes outside (COCO json, CSV, drawing).

It does not know how the people were found.
"""

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.skeletons import Skeleton

CSV_FIELDS = ("image", "person", "keypoint", "x", "y", "keypoint_score", "score")


@dataclass(frozen=True, repr=False, eq=False)
class Poses:
    """P people with K keypoints each, best first.

    keypoints: (P, K, 2) float32, (x, y) in image pixels (pixel centres at integers + 0.5); NaN where not found.
    keypoint_scores: (P, K) float32, the heatmap value at each keypoint, about 0 to 1; 0 where not found.
    scores: (P,) float32, 0 to 1, how sure the person is: see `decode.group` and `CropPredictor`.
    """

    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    scores: np.ndarray
    skeleton: Skeleton

    def __post_init__(self) -> None:
        P, K = len(self.scores), len(self.skeleton)
        for name, shape in (("keypoints", (P, K, 2)), ("keypoint_scores", (P, K)), ("scores", (P,))):
            array = np.asarray(getattr(self, name), np.float32)
            if array.shape != shape:
                raise ScaleposeError(f"Poses.{name} must have the shape {shape}, not {array.shape}")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"Poses(P={len(self)}, K={len(self.skeleton)}, skeleton={self.skeleton.name!r})"

    def __getitem__(self, people: Any) -> "Poses":
        """The people chosen by a slice, an index array or a boolean mask (numpy's rules, the axis is kept)."""
        index = np.arange(len(self))[people].reshape(-1)
        return replace(
            self,
            keypoints=self.keypoints[index],
            keypoint_scores=self.keypoint_scores[index],
            scores=self.scores[index],
        )

    @property
    def boxes(self) -> np.ndarray:
        """(P, 4) float32, the smallest x1, y1, x2, y2 around each person's keypoints; NaN for a person without any."""
        boxes = np.full((len(self), 4), np.nan, np.float32)
        for box, points in zip(boxes, self.keypoints, strict=True):
            found = points[np.isfinite(points[:, 0])]
            if len(found):
                box[:2], box[2:] = found.min(axis=0), found.max(axis=0)
        return boxes

    def filter(self, score: float = 0.0, keypoint_score: float = 0.0) -> "Poses":
        """Only people scored at least `score`; keypoints below `keypoint_score` become missing (NaN, score 0), and who
        has none left is left out.
        """
        weak = ~(self.keypoint_scores >= keypoint_score)
        poses = replace(
            self,
            keypoints=np.where(weak[..., None], np.float32(np.nan), self.keypoints),
            keypoint_scores=np.where(weak, np.float32(0), self.keypoint_scores),
        )
        return poses[(self.scores >= score) & np.isfinite(poses.keypoints[..., 0]).any(axis=1)]

    @classmethod
    def empty(cls, skeleton: Skeleton) -> "Poses":
        """Nobody."""
        K = len(skeleton)
        return cls(np.zeros((0, K, 2)), np.zeros((0, K)), np.zeros(0), skeleton)

    @classmethod
    def from_coco(cls, results: Sequence[Mapping[str, Any]], skeleton: Skeleton) -> "Poses":
        """Read back the entries of one image of a COCO results list; (x, y, score) with score 0 is a missing keypoint.

        Raises ScaleposeError when an entry has not 3·K numbers.
        """
        K = len(skeleton)
        rows = np.zeros((len(results), K, 3), np.float32)
        scores = np.zeros(len(results), np.float32)
        for p, result in enumerate(results):
            try:
                values = np.asarray(result.get("keypoints", ()), np.float32).reshape(-1)
            except (TypeError, ValueError) as error:
                raise ScaleposeError(f"result {p} has keypoints that are no numbers") from error
            if len(values) != 3 * K:
                raise ScaleposeError(f"result {p} has {len(values)} keypoint numbers; {skeleton.name} needs {3 * K}")
            rows[p] = values.reshape(K, 3)
            scores[p] = result.get("score", rows[p, :, 2].mean())
        points = np.where(rows[..., 2:] > 0, rows[..., :2], np.float32(np.nan))
        return cls(points, rows[..., 2], scores, skeleton)

    def to_coco(self, image_id: int | str) -> list[dict[str, Any]]:
        """One entry a person of a COCO results list; a missing keypoint is 0, 0, 0."""
        rows = np.concatenate([np.nan_to_num(self.keypoints), self.keypoint_scores[..., None]], axis=-1)
        rows[~np.isfinite(self.keypoints[..., 0])] = 0
        return [
            {
                "image_id": image_id,
                "category_id": 1,
                "keypoints": [round(float(v), 4) for v in person.reshape(-1)],
                "score": round(float(score), 6),
            }
            for person, score in zip(rows, self.scores, strict=True)
        ]

    def to_rows(self, image: str) -> Iterator[tuple[Any, ...]]:
        """Tidy rows, one a found keypoint, with the columns `CSV_FIELDS`."""
        for p, k in zip(*np.nonzero(np.isfinite(self.keypoints[..., 0])), strict=True):
            x, y = self.keypoints[p, k]
            value, score = self.keypoint_scores[p, k], self.scores[p]
            yield (
                image,
                int(p),
                self.skeleton.keypoints[k],
                *(round(float(v), 3) for v in (x, y, value, score)),
            )

    def draw(self, image: np.ndarray, keypoint_score: float = 0.0) -> np.ndarray:
        """A copy of `image` (H, W, 3) uint8 RGB with every person drawn in a colour of its own.

        Keypoints below `keypoint_score` and limbs that touch them are left out. Lines are as thick as the person is
        large, left limbs solid and right limbs darker, so that a person seen from behind can be told.
        """
        canvas = np.ascontiguousarray(image).copy()
        sides = dict(pair for a, b in self.skeleton.flip_pairs for pair in ((a, "left"), (b, "right")))
        shown = self.filter(keypoint_score=keypoint_score)
        # Small people last, so that large ones do not hide them.
        boxes = shown.boxes
        extent = np.nan_to_num(np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]))
        for p in np.argsort(-extent):
            bright, dark = _colours(int(p))
            width = min(max(round(float(extent[p]) / 90), 1), 6)
            points = shown.keypoints[p]
            for a, b in self.skeleton.limbs:
                if np.isfinite(points[[a, b]]).all():
                    colour = dark if "right" in (sides.get(a), sides.get(b)) else bright
                    cv2.line(canvas, _fixed(points[a]), _fixed(points[b]), colour, width, cv2.LINE_AA, _SHIFT)
            radius = (0.8 * width + 0.8) * (1 << _SHIFT)
            for k, point in enumerate(points):
                if np.isfinite(point).all():
                    colour = dark if sides.get(k) == "right" else bright
                    cv2.circle(canvas, _fixed(point), round(radius * 1.35), (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
                    cv2.circle(canvas, _fixed(point), round(radius), colour, -1, cv2.LINE_AA, _SHIFT)
        return canvas


_SHIFT = 4  # fractional bits of the coordinates given to OpenCV
_GOLDEN = 0.61803398875  # steps of the golden ratio keep neighbouring hues far apart


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """A point as OpenCV's fixed-point pixel indices (centres at integers), kept within what it can draw."""
    x, y = np.clip((point - 0.5) * (1 << _SHIFT), -(1 << 20), 1 << 20)
    return round(float(x)), round(float(y))


def _colours(person: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    hue = (0.58 + person * _GOLDEN) % 1.0
    bright, dark = (colorsys.hsv_to_rgb(hue, 0.75, value) for value in (1.0, 0.62))
    return (round(bright[0] * 255), round(bright[1] * 255), round(bright[2] * 255)), (
        round(dark[0] * 255), round(dark[1] * 255), round(dark[2] * 255),
    )  # fmt: skip
