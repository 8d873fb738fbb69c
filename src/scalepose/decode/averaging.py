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
    """The maps of one picture, summed up look by look; memory does not grow with the number of scales.

    size: (w, h) of the heatmaps that come out. project: tags are brought there too, as published; otherwise they stay
    as coarse as they are. aggregate: heatmaps of all levels count, not only the finest.

    Looks of one size are summed as the network gives them and resized once, which is the same up to rounding and half
    the work with a mirrored look.
    """

    def __init__(self, skeleton: Skeleton, size: Size, project: bool, aggregate: bool):
        self._skeleton, self._size, self._project, self._aggregate = skeleton, size, project, aggregate
        self._looks = 0
        self._levels: list[np.ndarray] = []  # sums over looks of one size, (K, h, w) coarse to fine
        self._sum: np.ndarray | None = None  # over looks of other sizes, as large as the result
        self._tags: list[np.ndarray] = []  # (K or 1, h, w) each
        self._tags_finest: tuple[int, ...] = ()  # size of the finest heatmaps beside them
        self._offsets: list[np.ndarray] = []

    def add(
        self, outputs: Outputs[np.ndarray], mirrored: bool = False, with_tags: bool = True, picture: int = 0
    ) -> None:
        """Take one look. mirrored: the network saw the picture mirrored. with_tags: keep its tags and offsets.
        picture: which one of the batch.

        All looks must cover the same part of the picture, and all whose tags are kept be of one size. Raises
        ScaleposeError when the network gives no tags.
        """
        if outputs.tags is None:
            raise ScaleposeError("the network gives no tags, so its keypoints cannot be grouped into people")
        levels = [self._upright(level[picture], mirrored) for level in outputs.heatmaps]  # (K, h, w)
        levels = levels if self._aggregate else levels[-1:]
        if [level.shape for level in levels] == [level.shape for level in self._levels]:
            self._levels = [total + level for total, level in zip(self._levels, levels, strict=True)]
        else:
            self._sum = self._total() if self._levels else None
            self._levels = levels
        self._looks += 1
        if with_tags:
            self._tags.append(self._upright(outputs.tags[picture], mirrored))
            self._tags_finest = outputs.heatmaps[-1].shape[:1:-1]
            if outputs.offsets is not None:
                offsets = self._upright(outputs.offsets[picture], mirrored)  # (K, 2, h, w)
                self._offsets.append(offsets * _TO_THE_LEFT if mirrored else offsets)

    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Heatmaps (K, h, w), tags (K, h', w', T) and centre offsets (K, 2, h'', w'') float32 of all looks. The offsets
        are None for networks that give none; their grid is that of the network's tags.
        """
        if self._project:
            w, h = self._size
            tags = np.empty((len(self._tags), len(self._tags[0]), h, w), np.float32)
            for one, projected in zip(self._tags, tags, strict=True):
                _resize(_resize(one, self._tags_finest), self._size, out=projected)
        else:
            tags = np.stack(self._tags)
        tags = np.moveaxis(tags, 0, -1)  # (K or 1, h', w', T), each tag channel in one piece
        tags = np.broadcast_to(tags, (len(self._skeleton), *tags.shape[1:]))
        offsets = np.mean(self._offsets, axis=0) if self._offsets else None
        return self._total(self._looks), tags, offsets

    def _total(self, looks: int = 1) -> np.ndarray:
        """The heatmaps of all looks so far, summed and divided by `looks`, as large as the result."""
        *coarser, heatmaps = self._levels
        for level in coarser:
            heatmaps = heatmaps + _resize(level, heatmaps.shape[:0:-1])
        heatmaps = _resize(heatmaps / np.float32(len(self._levels) * looks), self._size)
        if self._sum is not None:
            heatmaps += self._sum / np.float32(looks)
        return heatmaps

    def _upright(self, maps: np.ndarray, mirrored: bool) -> np.ndarray:
        """Maps (C, …, h, w) of a mirrored picture, mirrored back: left and right change places and names."""
        if not mirrored:
            return maps
        maps = maps[..., ::-1]
        return maps[self._skeleton.flip_index] if len(maps) > 1 else maps


def _resize(maps: np.ndarray, size: Sequence[int], out: np.ndarray | None = None) -> np.ndarray:
    """(C, h, w) → (C, H, W) for the size (W, H), bilinear with pixel centres at + 0.5: torch's `interpolate` with
    `align_corners=False`. Written to `out` if that is given.
    """
    if out is None:
        if maps.shape[:0:-1] == tuple(size):
            return maps
        out = np.empty((len(maps), size[1], size[0]), np.float32)
    for channel, resized in zip(maps, out, strict=True):
        cv2.resize(channel, tuple(size), dst=resized, interpolation=cv2.INTER_LINEAR)
    return out
