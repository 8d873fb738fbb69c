"""A second look: a model finds the people of a picture, then each is read again, by itself (`zoom`) or by a model for
crops (`crops`).

The first look sees the whole picture at once and little of each person; the second sees one person, large. Where both
agree the person is real and the keypoints are their mean; where they do not the surer one counts. Fragments and doubles
of one person become alike when they are read again, and are then suppressed.

Knows the order of these steps: what a model sees, how estimates are merged (`decode.merging`) and what is a double
(`decode.duplicates`) is for others. No paper has it; each half is published alone (HigherHRNet; CAL).
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from scalepose.crops import CropPredictor
from scalepose.data.boxes import box_fault, pose_boxes
from scalepose.data.images import check_image, read_image
from scalepose.decode.duplicates import without_duplicates
from scalepose.decode.merging import merge, merge_scores, similarity
from scalepose.errors import ScaleposeError
from scalepose.flow import Stages, flow
from scalepose.geometry import AREA_OF_BOX, Size
from scalepose.poses import Poses
from scalepose.predictor import Looks, Predictor, Seen
from scalepose.zoom import Zoom

Content = TypeVar("Content", Looks, Seen)

LEAST_SIDE = 8.0  # picture pixels: a person's box counts as so wide and high at least where two people are compared
LEAST_SCORE = 0.1  # of those worth another look: half of all whom the default model finds, and nearly all real ones
UNREAD = 0.8  # what reading again makes of the usual score: with it, people too high to be read again keep their rank
SAME_PERSON = 0.7  # OKS of doubles

Opened = tuple[np.ndarray, Content]


class SecondLook:
    """Finds people and reads each again: `SecondLook()("photo.jpg")`. To be used as a `Predictor`.

    first: finds them, by default the shipped model. reader: reads them again, and needs the same keypoints; by default
    the network of `first`, looking closely.
    below: read people again whose box around the keypoints is less than this high, in pixels of the picture; None for
    everybody.
    Raises ScaleposeError when the models' keypoints differ, or `below` makes no sense.
    """

    def __init__(
        self,
        first: Predictor | None = None,
        reader: "CropPredictor | Zoom | None" = None,
        below: float | None = None,
    ):
        if below is not None and not below > 0:
            raise ScaleposeError(f"a second look at people less than {below} pixels high looks at nobody")
        self.first = Predictor() if first is None else first
        self.reader = Zoom(self.first.runtime, self.first.flip) if reader is None else reader
        self.below = below
        ours, theirs = self.first.card.skeleton, self.reader.card.skeleton
        if ours.keypoints != theirs.keypoints:
            raise ScaleposeError(
                f"{self.first.card.name} finds {len(ours)} keypoints ({ours.name}), {self.reader.card.name} reads "
                f"{len(theirs)} ({theirs.name}); a second look needs two models of the same keypoints"
            )

    @property
    def profile(self) -> str:
        """That of the first look."""
        return self.first.profile

    @property
    def name(self) -> str:
        """Which networks run on what, for people."""
        return f"{self.first.name}, again by {'itself' if isinstance(self.reader, Zoom) else self.reader.name}"

    def __repr__(self) -> str:
        return f"SecondLook({self.first!r}, {self.reader!r}, below={self.below})"

    def __call__(self, image: str | Path | np.ndarray) -> Poses:
        """The people in a picture, as `Predictor` gives them; those read again by a `CropPredictor` have all keypoints.

        Raises ScaleposeError when the file cannot be read or the array is no picture.
        """
        prepared = self.prepare(image)
        return self.finish(self.run([prepared])[0])

    def predict_many(self, images: Iterable[str | Path | np.ndarray], batch: int = 1) -> Iterator[Poses]:
        """As `Predictor.predict_many`."""
        with closing(flow(images, self.stages(), batch)) as all_poses:
            for poses in all_poses:
                yield poses.result()

    def stages(self) -> "Stages[str | Path | np.ndarray, Opened[Looks], Any, Poses]":
        """A call in its parts, for `flow`. People are read again while the first model is at the next picture, unless
        one network does both and cannot be in two places at the same time.
        """

        def run_and_finish(pictures: list[Opened[Looks]]) -> list[Poses]:
            return [self.finish(found) for found in self.run(pictures)]

        def sizes(opened: Opened[Looks]) -> Hashable:
            return opened[1].sizes()

        if isinstance(self.reader, Zoom) and not self.reader.concurrent:
            return Stages(self.prepare, run_and_finish, lambda people: people, sizes)
        return Stages(self.prepare, self.run, self.finish, sizes, self.first.runners)

    def prepare(self, image: str | Path | np.ndarray) -> "Opened[Looks]":
        """First part of a call: read the picture and bring it to network input."""
        if isinstance(image, (str, Path)):
            image = read_image(image, exif=self.profile == "fast")
        check_image(image)
        return image, self.first.prepare(image)

    def run(self, pictures: "Sequence[Opened[Looks]]") -> "list[Opened[Seen]]":
        """Second part: run the first network on pictures whose inputs are of the same sizes."""
        seen = self.first.run([looks for _, looks in pictures])
        return [(image, maps) for (image, _), maps in zip(pictures, seen, strict=True)]

    def finish(self, found: "Opened[Seen]") -> Poses:
        """Third part: find the people in the maps, and read them again."""
        image, seen = found
        return self.reread(image, self.first.finish(seen))

    def reread(self, image: np.ndarray, people: Poses) -> Poses:
        """People found in a picture (H, W, 3) uint8 RGB, after the second look, best first.

        Who is scored below `LEAST_SCORE`, has less than two keypoints or lies outside of the picture stays as found.
        Who is not less than `below` high keeps the keypoints, and `UNREAD` of the score.
        """
        boxes = pose_boxes(people.keypoints)
        again = self._worth_it(boxes, people.scores, (image.shape[1], image.shape[0]))
        first = people[again]
        second = self.reader(image, first) if isinstance(self.reader, Zoom) else self.reader(image, boxes[again])
        sigmas = np.asarray(people.skeleton.sigmas, np.float32)
        agreement = similarity(first.keypoints, second.keypoints, AREA_OF_BOX * boxes[again, 2:].prod(axis=1), sigmas)
        both = (first.keypoint_scores, second.keypoint_scores, agreement)  # (P, K) each
        points, values, scores = people.keypoints.copy(), people.keypoint_scores.copy(), people.scores.copy()
        points[again], values[again] = merge(first.keypoints, second.keypoints, *both)
        scores[again] = merge_scores(first.scores, second.scores, *both)
        if self.below is not None:
            scores[boxes[:, 3] >= self.below] *= UNREAD
        kept, scores = without_duplicates(points, scores, sigmas, SAME_PERSON, LEAST_SIDE)
        return Poses(points[kept], values[kept], scores, people.skeleton)

    def _worth_it(self, boxes: np.ndarray, scores: np.ndarray, size: Size) -> np.ndarray:
        """Indices of the people to read again. boxes: (P, 4), scores: (P,), size: (w, h) of the picture."""
        low = np.ones(len(boxes), bool) if self.below is None else boxes[:, 3] < self.below
        sound = np.array([box_fault(box, size) is None for box in boxes], bool)
        return np.flatnonzero(sound & low & (scores >= LEAST_SCORE))
