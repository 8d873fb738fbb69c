"""Where in a picture it is known who is there: the loss mask of section 3.3, before augmentation.

Unknown are crowds and people without keypoints: their polygons or run lengths, or, where a data set has neither, their
boxes. Run lengths are decoded here: the usual C decoder trusts the file about how much it writes.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from scalepose.geometry import Size

if TYPE_CHECKING:
    from scalepose.data.annotations import Picture

NEAR = 0.25  # "near" a person ends this part of the box's longer side away from the box
_FARTHEST = 1e6  # polygon corners are drawn in fixed point; farther ones are pulled in to here


def known_mask(picture: "Picture", only_near_people: bool = False) -> np.ndarray:
    """(H, W) uint8, 255 where everybody is labelled, 0 where nobody knows.

    only_near_people: also 0 away from labelled people, for data sets in which others stand unmarked.
    """
    if only_near_people:
        known = np.zeros((picture.height, picture.width), np.uint8)
        for person in picture.people:
            if person.labelled:
                x, y, w, h = person.box
                margin = NEAR * max(w, h)
                _fill_box(known, (x - margin, y - margin, w + 2 * margin, h + 2 * margin), 255)
    else:
        known = np.full((picture.height, picture.width), 255, np.uint8)
    for person in picture.people:
        if person.crowd or not person.labelled:
            if isinstance(person.segmentation, dict):
                known[decode_run_lengths(person.segmentation).astype(bool)] = 0
            elif person.segmentation:
                _fill_polygons(known, person.segmentation)
            else:
                _fill_box(known, person.box, 0)
    return known


def region_fault(segmentation: Any, size: Size) -> str | None:
    """Why `segmentation` (COCO polygons, run lengths, or None) cannot be drawn on a picture of `size` (w, h)."""
    if segmentation is None:
        return None
    if isinstance(segmentation, list):
        for polygon in segmentation:
            if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
                return "a polygon of the segmentation is no list of at least 3 x, y pairs"
            if not all(type(v) in (int, float) and math.isfinite(v) for v in polygon):
                return "a polygon of the segmentation holds something that is not a finite number"
        return None
    if not isinstance(segmentation, dict):
        return "segmentation must be a list of polygons or run lengths"
    if segmentation.get("size") != [size[1], size[0]]:
        return f"the segmentation's size {segmentation.get('size')!r} is not the picture's [height, width]"
    try:
        counts = _counts(segmentation.get("counts"))
    except ValueError as error:
        return f"the segmentation's counts {error}"
    if counts.sum() != size[0] * size[1]:
        return f"the segmentation's counts cover {counts.sum()} pixels of {size[0] * size[1]}"
    return None


def decode_run_lengths(segmentation: dict[str, Any]) -> np.ndarray:
    """(H, W) uint8, 1 inside, of a COCO run-length dict that `region_fault` finds nothing wrong with."""
    h, w = segmentation["size"]
    counts = _counts(segmentation["counts"])
    inside = np.arange(len(counts)) % 2  # runs of outside and inside take turns
    return np.repeat(inside, counts).astype(np.uint8).reshape(w, h).T  # column by column


def _counts(counts: Any) -> np.ndarray:
    """Run lengths as int64, from COCO's list or its compressed string. Raises ValueError."""
    if isinstance(counts, str):
        counts = _expand(counts)
    if not isinstance(counts, list) or not all(type(c) is int and 0 <= c < 1 << 40 for c in counts):
        raise ValueError("are no list of whole numbers from 0, nor COCO's compressed form of one")
    return np.array(counts, np.int64)


def _expand(text: str) -> list[int]:
    """COCO's compressed run lengths: numbers of 5 bits a character, lowest first; bit 6 says that more follow, the top
    bit of the last character is the sign. From the fourth on, each is the difference to the one before the last.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text.encode("ascii", "replace"):
        bits = character - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("are not COCO's compressed form")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("end in the middle of a number")
    return counts


def _fill_polygons(mask: np.ndarray, polygons: list[list[float]]) -> None:
    for polygon in polygons:
        corners = np.clip(np.asarray(polygon, np.float64).reshape(-1, 2), -_FARTHEST, _FARTHEST)  # (N, 2)
        cv2.fillPoly(mask, [np.round((corners - 0.5) * 16).astype(np.int32)], (0,), shift=4)


def _fill_box(mask: np.ndarray, box: Sequence[float] | np.ndarray, value: int) -> None:
    x, y, w, h = box
    mask[max(0, math.floor(y)) : max(0, math.ceil(y + h)), max(0, math.floor(x)) : max(0, math.ceil(x + w))] = value
