"""Annotated people as crops of one size: what a top-down network is trained on. `datasets.Mixture` mixes several.

As in `datasets`, all randomness comes from a generator that the caller gives; the data set keeps none. So that a whole
photo need not be decoded for every crop, the surroundings of people are kept in memory, up to a bound; what is kept
changes nothing in the crops. Recipe: SimpleBaseline (Xiao et al. 2018), HRNet (Sun et al. 2019).
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.annotations import Annotations, Person, Picture, Problem
from scalepose.data.boxes import annotated_box
from scalepose.data.cropaugmentation import HALF_PADDING, CropAugmentation
from scalepose.data.cutting import Cutout
from scalepose.data.degrade import Degradation
from scalepose.data.images import read_image
from scalepose.errors import ScaleposeError
from scalepose.geometry import PADDING, Alignment, Size, View

CACHE_BYTES = 512 << 20
_DETAIL = 2  # kept pixels per pixel of the plain crop, for crops of half a body and of less padding


@dataclass(frozen=True, repr=False, eq=False)
class CropSample:
    """One person's crop of H×W pixels, before or after augmentation.

    image: (H, W, 3) uint8 RGB. keypoints: (K, 3) float32, x and y in crop pixels (the middle of pixel i at i) and
    visibility as annotated; those outside of the crop stay what they are. view: how the crop came from the picture.
    image_id, person_id: as in the annotations.
    """

    image: np.ndarray
    keypoints: np.ndarray
    view: View
    image_id: int | str
    person_id: int

    def __repr__(self) -> str:
        h, w = self.image.shape[:2]
        return f"CropSample(person {self.person_id} of {self.image_id}, {w}×{h}, K={len(self.keypoints)})"


class CropDataset:
    """The people with labelled keypoints in one file of annotations.

    crop_size: (width, height). alignment: that of the network's head. augmentation: None for plain crops.
    low_res: crops are made worse at random, up to this; see `Degradation.milder`.
    cache_bytes: of memory, in every process that reads, for the surroundings of people.
    problems: people who cannot be used. Raises ScaleposeError when nobody is left.
    """

    def __init__(
        self,
        annotations: Annotations,
        crop_size: Size,
        alignment: Alignment,
        augmentation: CropAugmentation | None = None,
        low_res: Degradation | None = None,
        cache_bytes: int = CACHE_BYTES,
    ):
        self.skeleton = annotations.skeleton
        self.crop_size = crop_size
        self.alignment: Alignment = alignment
        self.augmentation = augmentation
        self.low_res = low_res
        self.people: list[tuple[Picture, Person, np.ndarray]] = []
        problems = []
        for picture in annotations.pictures:
            for person in picture.people:
                if person.crowd or not person.labelled:
                    continue
                box = annotated_box(person.box, (picture.width, picture.height))
                if box[2:].min() > 0:
                    self.people.append((picture, person, box))
                else:
                    reason = "bbox is too small for a crop: less than 2 pixels wide or high"
                    problems.append(Problem(str(annotations.source), f"annotation {person.id}", reason))
        self.problems = tuple(problems)
        if not self.people:
            raise ScaleposeError(f"{annotations.source}: nobody with labelled keypoints is left to take crops of")
        self._kept: dict[int, Cutout] = {}
        self._room = cache_bytes

    def __len__(self) -> int:
        return len(self.people)

    @property
    def input_size(self) -> Size:
        """`crop_size`, as `datasets.Source` calls it."""
        return self.crop_size

    def sample(self, index: int, rng: np.random.Generator) -> CropSample:
        """The crop of a person as the network will see it, changed at random by `rng`.

        Raises ScaleposeError when the picture cannot be read or is not what the annotations say.
        """
        picture, person, box = self.people[index]
        size, mirrored = (picture.width, picture.height), False
        if self.augmentation is None:
            view = View.crop(size, box, self.crop_size, self.alignment, PADDING)
        else:
            view, mirrored = self.augmentation.draw_view(
                size, box, person.keypoints, self.skeleton, self.crop_size, self.alignment, rng
            )
        cutout = self._cutout(index)
        if self.low_res is None:
            crop = cutout.crop(view)
        else:
            crop = self.low_res.milder(self.crop_size, rng)(cutout, view, rng=rng)
        if self.augmentation is not None:
            crop = self.augmentation.recolour(crop, rng)
        keypoints = person.keypoints.copy()
        keypoints[:, :2] = view.to_input(keypoints[:, :2].astype(np.float64))
        keypoints[keypoints[:, 2] == 0] = 0
        if mirrored:
            keypoints = keypoints[self.skeleton.flip_index]
        return CropSample(crop, keypoints, view, picture.id, person.id)

    def _cutout(self, index: int) -> Cutout:
        """The surroundings of a person, at a resolution that is enough for crops of this size."""
        if index in self._kept:
            return self._kept[index]
        picture = self.people[index][0]
        image = read_image(picture.path)
        h, w = image.shape[:2]
        if (w, h) != (picture.width, picture.height):
            stated = f"the annotations say {picture.width}×{picture.height}"
            raise ScaleposeError(f"{picture.path}: has {w}×{h} pixels, {stated}")
        # People of a picture follow each other: while it is decoded, all of them are kept.
        first = last = index
        while first > 0 and self.people[first - 1][0] is picture:
            first -= 1
        while last + 1 < len(self) and self.people[last + 1][0] is picture:
            last += 1
        wanted = self._around(image, self.people[index][2])
        for other in range(first, last + 1):
            if other not in self._kept and self._room > 0:
                cutout = wanted if other == index else self._around(image, self.people[other][2])
                self._room -= cutout.pixels.nbytes
                self._kept[other] = cutout
        return wanted

    def _around(self, image: np.ndarray, box: np.ndarray) -> Cutout:
        x, y, w, h = map(float, box)
        W, H = self.crop_size
        width, height = max(w, h * W / H), max(h, w * H / W)  # in the shape of the crop
        # The largest crop, turned any way. Of half a body, as large as the whole, a corner may lie outside of it.
        largest = PADDING if self.augmentation is None else HALF_PADDING * (1 + self.augmentation.scale)
        reach = largest * np.hypot(width, height) / 2 + 2
        return Cutout.around(image, (x + w / 2, y + h / 2), reach, _DETAIL * W / (PADDING * width))

    @property
    def sources(self) -> tuple[tuple[int, float], ...]:
        """(number of people, weight) of each source: one here."""
        return ((len(self), 1.0),)
