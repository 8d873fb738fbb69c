"""Several looks at one picture (levels of the network, mirrored, at other sizes) brought to one set of maps.

Heatmaps are averaged, and so are centre offsets; tags cannot be, since every look numbers the people in its own way, so
they stand side by side.
HigherHRNet, section 3.4 (heatmap aggregation), and the official multi-scale test. Knows no networks and no grouping.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.geometry import Size
from scalepose.models.outputs import Outputs
from scalepose.skeletons import Skeleton

_TO_THE_LEFT = np.array([-1, 1], np.float32)[:, None, None]  # what a mirror does to x and y of a direction


class Average:
    """The maps of one picture, summed up look by look; memory does not grow with their number.

    size: (w, h) of the heatmaps that come out. project: tags are brought there too, as published; otherwise they stay
    as coarse as they are. aggregate: heatmaps of all levels count, not only the finest.
    """

    def __init__(self, skeleton: Skeleton, size: Size, project: bool, aggregate: bool):
        self._skeleton, self._size, self._project, self._aggregate = skeleton, size, project, aggregate
        self._sum: np.ndarray | None = None
        self._looks = 0
        self._tags: list[np.ndarray] = []
        self._offsets: list[np.ndarray] = []

    def add(self, outputs: Outputs[np.ndarray], mirrored: bool = False, with_tags: bool = True) -> None:
        """Take one look, a batch of one picture. mirrored: the network saw it mirrored. with_tags: keep its tags
        and offsets.

        All looks must cover the same part of the picture, and all whose tags are kept be of one size. Raises
        ScaleposeError when the network gives no tags.
        """
        finest = outputs.heatmaps[-1].shape[:1:-1]
        levels = outputs.heatmaps if self._aggregate else outputs.heatmaps[-1:]
        heatmaps = _resize(levels[0][0], finest)  # (K, h, w)
        for level in levels[1:]:
            heatmaps = heatmaps + _resize(level[0], finest)
        heatmaps = self._upright(_resize(heatmaps / np.float32(len(levels)), self._size), mirrored)
        self._sum = heatmaps if self._sum is None else self._sum + heatmaps
        self._looks += 1
        if outputs.tags is None:
            raise ScaleposeError("the network gives no tags, so its keypoints cannot be grouped into people")
        if with_tags:
            tags = outputs.tags[0]  # (K or 1, h, w)
            if self._project:
                tags = _resize(_resize(tags, finest), self._size)
            self._tags.append(self._upright(tags, mirrored))
            if outputs.offsets is not None:
                offsets = self._upright(outputs.offsets[0], mirrored)  # (K, 2, h, w)
                self._offsets.append(offsets * _TO_THE_LEFT if mirrored else offsets)

    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Heatmaps (K, h, w), tags (K, h', w', T) and centre offsets (K, 2, h'', w'') float32 of all looks. The offsets
        are None for networks that give none; their grid is that of the network's tags.
        """
        assert self._sum is not None
        tags = np.moveaxis(np.stack(self._tags), 0, -1)  # (K or 1, h', w', T), each tag channel in one piece
        tags = np.broadcast_to(tags, (len(self._skeleton), *tags.shape[1:]))
        offsets = np.mean(self._offsets, axis=0) if self._offsets else None
        return self._sum / np.float32(self._looks), tags, offsets

    def _upright(self, maps: np.ndarray, mirrored: bool) -> np.ndarray:
        """Maps (C, …, h, w) of a mirrored picture, mirrored back: left and right change places and names."""
        if not mirrored:
            return maps
        maps = maps[..., ::-1]
        return maps[self._skeleton.flip_index] if len(maps) > 1 else maps


def _resize(maps: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """(C, h, w) → (C, H, W) for the size (W, H), bilinear with pixel centres at + 0.5: torch's `interpolate` with
    `align_corners=False`.
    """
    if maps.shape[:0:-1] == tuple(size):
        return maps
    resized = np.empty((len(maps), size[1], size[0]), np.float32)
    for channel, out in zip(maps, resized, strict=True):
        cv2.resize(channel, tuple(size), dst=out, interpolation=cv2.INTER_LINEAR)
    return resized
