"""Rendered people as a training set without files: every sample is a scene that was never drawn before, or one of a
fixed number of scenes that stay in memory once they are drawn.
"""

from pathlib import Path

import numpy as np

from scalepose.data.augmentation import Augmentation
from scalepose.data.samples import Sample
from scalepose.data.synthetic.photos import Photos
from scalepose.data.synthetic.rendering import render_scene
from scalepose.errors import ScaleposeError
from scalepose.geometry import Size, View
from scalepose.skeletons import COCO17

ROUND = 1000  # scenes that count as once through a set that has no end
FIRST = 2**47  # seed of the first of a fixed number of scenes
MOST_BYTES = 2 * 2**30  # that fixed scenes may take in memory


class RenderedPeople:
    """Scenes to train on. Of endless ones the sample's generator draws which comes; the index means nothing.

    size: (W, H) pixels of the pictures before augmentation. people: in every picture; None: as many as photos show.
    backgrounds: a folder of photos to stand behind them, or None for drawn places. scenes: how many there are, drawn
    when they are first asked for and then kept; None: no scene comes twice. hidden: as for `PoseDataset`.
    Raises ScaleposeError when no picture can be drawn that way, or the scenes need more memory than `MOST_BYTES`.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        input_size: int,
        size: Size,
        people: int | None = None,
        backgrounds: str | Path | None = None,
        scenes: int | None = None,
        hidden: float = 1,
    ):
        W, H = size
        needed = 0 if scenes is None else scenes * W * H * 4
        if needed > MOST_BYTES:
            raise ScaleposeError(
                f"{scenes} scenes of {W}×{H} pixels take {needed / 2**30:.1f} GiB of memory, more than the "
                f"{MOST_BYTES / 2**30:.0f} allowed; write them to files with scalepose synth and train on those"
            )
        self.skeleton = COCO17
        self.augmentation = augmentation
        self.input_size = input_size
        self.size = size
        self.people = people
        self.photos = None if backgrounds is None else Photos(backgrounds)
        self.scenes = scenes
        self.hidden = hidden
        self._kept: dict[int, Sample] = {}
        self.load(0)  # fails now, not in the middle of a run

    def __len__(self) -> int:
        return ROUND if self.scenes is None else self.scenes

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
            hidden=points[..., 2] == 1,
            boxes=boxes,
            mask=np.ones((H, W), bool),
            channels=np.ones(17, bool),
            image_id=seed,
        )

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """A scene as the network will see it: all of it follows from `rng`, and from `index` if scenes are kept."""
        if self.scenes is None:
            scene = self.load(int(rng.integers(2**47)))
        else:
            if index not in self._kept:
                self._kept[index] = self.load(FIRST + index)
            scene = self._kept[index]
        return self.augmentation(scene.with_hidden(self.hidden, rng), self.skeleton, self.input_size, rng)

    @property
    def sources(self) -> tuple[tuple[int, float], ...]:
        """(number of pictures, weight) of each source: one here."""
        return ((len(self), 1.0),)
