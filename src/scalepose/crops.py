"""The Python API for people whose boxes are known: each box is cut out, read by a top-down network, and decoded.

The counterpart of `predictor` for single people. Knows the order of the steps and nothing of what happens inside of
them. Test procedure of SimpleBaseline and HRNet; of UDP and CAL where the network's head is theirs.
"""

from pathlib import Path

import numpy as np

from scalepose.data.boxes import Boxes, box_fault
from scalepose.data.cutting import Cutout
from scalepose.data.degrade import Degradation, Enlarge, bicubic
from scalepose.data.images import check_image, read_image
from scalepose.decode.crops import average_flip, decode_crops
from scalepose.decode.suppress import rescore, suppress
from scalepose.errors import ScaleposeError
from scalepose.geometry import PADDING, Size, View
from scalepose.models.cropcards import CROP_DEFAULT, CropCard
from scalepose.models.normalise import normalise
from scalepose.poses import Poses
from scalepose.runtimes import Runtime, open_runtime

BATCH_PIXELS = 64 * 128 * 96  # of crops that the network reads at once: 64 of 128x96


class CropPredictor:
    """Reads the keypoints of people in boxes: `CropPredictor()("photo.jpg", boxes)`.

    model: a name of the zoo, a .onnx or .safetensors file, or an open `Runtime` (then `runtime` says nothing).
    runtime: what runs the network, one of `scalepose.runtimes.RUNTIMES`.
    flip: average with the mirrored crop, as in all published figures.
    low_res: bring every crop down to fewer pixels first; enlarge: what brings it up again, if it must be.
    Raises ScaleposeError when there is no such model, or it is one for whole pictures.
    """

    def __init__(
        self,
        model: str | Path | Runtime[CropCard] = "default",
        runtime: str = "auto",
        flip: bool = False,
        low_res: Degradation | None = None,
        enlarge: Enlarge = bicubic,
    ):
        self.flip = flip
        self.low_res = low_res
        self.enlarge = enlarge
        name = CROP_DEFAULT if model == "default" else model
        self.runtime: Runtime[CropCard] = open_runtime(name, runtime) if isinstance(name, (str, Path)) else name
        if not isinstance(self.runtime.card, CropCard):
            raise ScaleposeError(
                f"{self.runtime.card.name} reads whole pictures; for boxes name a model that reads crops, such as "
                f"{CROP_DEFAULT}"
            )

    @property
    def card(self) -> CropCard:
        """Which network it is, with its skeleton."""
        return self.runtime.card

    @property
    def name(self) -> str:
        """Which network runs on what, for people."""
        return f"{self.card.name} on {self.runtime.name}"

    def __repr__(self) -> str:
        return f"CropPredictor({self.card.name!r}, flip={self.flip}, low_res={self.low_res}, {self.runtime.name})"

    def __call__(
        self, image: str | Path | np.ndarray, boxes: np.ndarray, box_scores: np.ndarray | None = None
    ) -> Poses:
        """One person for each box, in the order of the boxes.

        image: a picture file, turned as its EXIF says, as `Predictor` does; or an (H, W, 3) uint8 RGB array.
        boxes: (P, 4), x, y, width, height in its pixels. box_scores: (P,), how sure each box is; by default 1.
        Every person has all keypoints; a value near 0 says that the network saw none. A person's score is the box's,
        times the mean of the values above 0.2.
        Raises ScaleposeError when the file cannot be read, the array is no picture, or a box is unusable.
        """
        image = read_image(image, exif=True) if isinstance(image, (str, Path)) else image
        check_image(image)
        boxes, box_scores = _checked(boxes, box_scores, (image.shape[1], image.shape[0]))
        P, K = len(boxes), len(self.card.skeleton)
        points, values = np.zeros((P, K, 2), np.float32), np.zeros((P, K), np.float32)
        whole = Cutout(image)
        views = [self._view(image, box) for box in boxes]
        W, H = self.card.crop_size
        step = max(1, BATCH_PIXELS // (W * H))
        for start in range(0, P, step):
            some = slice(start, start + step)
            crops = np.stack([normalise(self._crop(whole, view)) for view in views[some]])  # (B, 3, H, W)
            points[some], values[some] = self._read(crops)
        map_size = self.card.map_size
        points = np.stack([v.to_image(p, map_size) for v, p in zip(views, points, strict=True)]) if P else points
        values = np.maximum(values, 0)
        return Poses(points, values, rescore(values, box_scores), self.card.skeleton)

    def people(self, image: str | Path | np.ndarray, boxes: Boxes) -> Poses:
        """The different people in `boxes`, best first: of those that are nearly the same the best one stays (OKS-NMS).

        Raises ScaleposeError as a call does.
        """
        poses = self(image, boxes.boxes, boxes.scores)
        W, H = self.card.crop_size
        w, h = boxes.boxes[:, 2], boxes.boxes[:, 3]
        areas = PADDING**2 * np.maximum(w, h * W / H) * np.maximum(h, w * H / W)  # of what was looked at
        return poses[suppress(poses.keypoints, poses.scores, areas, np.asarray(self.card.skeleton.sigmas))]

    def _view(self, image: np.ndarray, box: np.ndarray) -> View:
        size = (image.shape[1], image.shape[0])
        return View.crop(size, box, self.card.crop_size, self.card.alignment, PADDING)

    def _crop(self, whole: Cutout, view: View) -> np.ndarray:
        return whole.crop(view) if self.low_res is None else self.low_res(whole, view, self.enlarge)

    def _read(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, 3, H, W) crops → points (B, K, 2) in map pixels and values (B, K)."""
        head = self.card.network.head
        outputs = self.runtime(crops)
        if self.flip:
            mirrored = self.runtime(np.ascontiguousarray(crops[..., ::-1]))
            outputs = average_flip(head, outputs, mirrored, self.card.skeleton)
        return decode_crops(head, outputs.heatmaps[-1], outputs.offsets, self.card.sigma)


def _checked(boxes: np.ndarray, box_scores: np.ndarray | None, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (P, 4) and their scores (P,), float32. Raises ScaleposeError for what cannot be used."""
    boxes = np.asarray(boxes, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ScaleposeError(f"boxes have the shape (P, 4): x, y, width, height; not {boxes.shape}")
    scores = np.ones(len(boxes), np.float32) if box_scores is None else np.asarray(box_scores, np.float32)
    if scores.shape != (len(boxes),):
        raise ScaleposeError(f"{len(boxes)} boxes need box_scores of the shape ({len(boxes)},), not {scores.shape}")
    for p, box in enumerate(boxes):
        fault = box_fault(box, size)
        if fault:
            raise ScaleposeError(f"box {p} (counted from 0) {fault}")
    return boxes, scores
