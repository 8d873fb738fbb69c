"""Rendered people as a training set without files: every sample is a scene that was never drawn before."""

from pathlib import Path

import numpy as np

from scalepose.data.augmentation import Augmentation
from scalepose.data.samples import Sample
from scalepose.data.synthetic.photos import Photos
from scalepose.data.synthetic.rendering import render_scene
from scalepose.geometry import Size, View
from scalepose.skeletons import COCO17

ROUND = 1000  # scenes that count as once through the set, which has no end


class RenderedPeople:
    """Endless scenes. Which one comes is drawn by the sample's generator; the index means nothing.

    size: (W, H) pixels of the pictures before augmentation. people: in every picture; None: as many as photos show.
    backgrounds: a folder of photos to stand behind them, or None for drawn places.
    Raises ScaleposeError when no picture can be drawn that way.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        input_size: int,
        size: Size,
        people: int | None = None,
        backgrounds: str | Path | None = None,
    ):
        self.skeleton = COCO17
        self.augmentation = augmentation
        self.input_size = input_size
        self.size = size
        self.people = people
        self.photos = None if backgrounds is None else Photos(backgrounds)
        self.load(0)  # fails now, not in the middle of a run

    def __len__(self) -> int:
        return ROUND

    def load(self, seed: int) -> Sample:
        """The scene of a seed, in its own pixels."""
        W, H = self.size
        image, records = render_scene(seed, W, H, self.people, self.photos)
        points = np.array([record["keypoints"] for record in records], np.float32).reshape(-1, 17, 3)
        boxes = np.array([record["bbox"] for record in records], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return Sample(
            image=image,
            view=View((W, H), (W, H), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))),
            keypoints=np.where(points[..., 2:] > 0, points[..., :2], np.float32(np.nan)),
            boxes=boxes,
            mask=np.ones((H, W), bool),
            channels=np.ones(17, bool),
            image_id=seed,
        )

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """A scene as the network will see it: all of it follows from `rng`."""
        seed = int(rng.integers(2**48))
        return self.augmentation(self.load(seed), self.skeleton, self.input_size, rng)

    @property
    def sources(self) -> tuple[tuple[int, float], ...]:
        """(number of pictures, weight) of each source: one here."""
        return ((len(self), 1.0),)
