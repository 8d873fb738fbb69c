"""What is wrong with one record of a COCO-style json: a reason in words, or None. It reads no files."""

from collections.abc import Container
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from scalepose.data.images import MAX_PIXELS

_LARGEST_AREA = 1e12  # square pixels; json numbers can exceed what a float holds


def picture_fault(record: Any) -> str | None:
    """Why an entry of `images` cannot be used."""
    if not isinstance(record, dict):
        return "is not a json object"
    missing = [key for key in ("id", "file_name", "width", "height") if key not in record]
    if missing:
        return f"has no {', '.join(missing)}"
    if type(record["id"]) not in (int, str):
        return f"id is {record['id']!r}; a whole number or a string is needed"
    if isinstance(record["id"], str) and not _is_text(record["id"]):
        return f"id is {record['id']!r}, which is no text"
    width, height = record["width"], record["height"]
    if type(width) is not int or type(height) is not int or width < 1 or height < 1:
        return f"width and height are {width!r} and {height!r}; positive whole numbers are needed"
    if width * height > MAX_PIXELS:
        return f"{width}×{height} pixels are more than the {MAX_PIXELS:,} that are read"
    return _path_fault(record["file_name"])


def _path_fault(name: Any) -> str | None:
    """Why a file name is none, or would lead out of the folder of the pictures, on any system."""
    if not isinstance(name, str) or not name or "\0" in name:
        return f"file_name is {name!r}; a file name is needed"
    if not _is_text(name):
        return f"file_name is {name!r}, which is no text"
    if not any(c in name for c in "/\\:") and name not in (".", ".."):
        return None  # nearly all of them; the careful look takes its time
    path = PureWindowsPath(name)  # knows both kinds of separators, and drives
    if path.drive or path.root or ".." in path.parts or name == ".":
        return f"file_name {name!r} leads out of the folder of the pictures"
    return None


def _is_text(string: str) -> bool:
    """Whether it can be written: json may hold halves of characters, which nothing else takes."""
    try:
        string.encode()
    except UnicodeEncodeError:
        return False
    return True


def person_fault(record: Any, K: int, image_ids: Container[int | str]) -> str | None:
    """Why an entry of `annotations` cannot be used, before a look at its numbers; see `number_faults`."""
    if not isinstance(record, dict):
        return "is not a json object"
    crowd = record.get("iscrowd", 0) == 1
    needed = ("id", "image_id", "bbox") if crowd else ("id", "image_id", "bbox", "keypoints")
    missing = [key for key in needed if key not in record]
    if missing:
        return f"has no {', '.join(missing)}"
    if type(record["id"]) is not int:
        return f"id is {record['id']!r}; a whole number is needed"
    if type(record["image_id"]) not in (int, str) or record["image_id"] not in image_ids:
        return f"image_id {record['image_id']!r} is none of the usable images"
    if record.get("iscrowd", 0) not in (0, 1):
        return f"iscrowd is {record['iscrowd']!r}; 0 or 1 is needed"
    if not isinstance(record["bbox"], list) or len(record["bbox"]) != 4:
        return "bbox must be a list of 4 numbers: x, y, width, height"
    keypoints = record.get("keypoints", [])
    if not isinstance(keypoints, list) or len(keypoints) != (0 if crowd and not keypoints else 3 * K):
        found = len(keypoints) if isinstance(keypoints, list) else 0
        return f"has {found} keypoint numbers; {K} keypoints need {3 * K}"
    area = record.get("area", 1)
    if type(area) not in (int, float) or not 0 < area < _LARGEST_AREA:
        return f"area is {area!r}; a positive number is needed"
    return None


def numbers(rows: list[list[Any]], columns: int) -> np.ndarray:
    """(N, columns) float32 of N lists of that length; what a float32 cannot hold is infinite, and a list that holds
    anything but numbers becomes NaN.
    """
    try:
        table = np.array(rows)
        if table.dtype.kind in "biuf" and table.shape == (len(rows), columns):
            with np.errstate(over="ignore"):
                return table.astype(np.float32)
    except (ValueError, OverflowError):  # lists within lists, numbers beyond 64 bits
        pass
    if len(rows) == 1:
        return np.full((1, columns), np.nan, np.float32)
    return np.concatenate([numbers([row], columns) for row in rows])


def number_faults(boxes: np.ndarray, keypoints: np.ndarray, sizes: np.ndarray) -> list[str]:
    """What is wrong with each of N people ("" for nothing): boxes (N, 4), keypoints (N, K, 3), sizes (N, 2)."""
    faults = [""] * len(boxes)
    corner, far = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    v = keypoints[..., 2]
    with np.errstate(invalid="ignore"):
        checks = (
            (~((corner < sizes) & (far > 0)).all(1), "bbox lies outside the picture"),
            (~(boxes[:, 2:] > 0).all(1), "bbox has no width or no height"),
            (~np.isfinite(boxes).all(1), "bbox holds something that is not a finite number"),
            (~((v == 0) | (v == 1) | (v == 2)).all(1), "a keypoint's visibility is not 0, 1 or 2"),
            (~np.isfinite(keypoints).all((1, 2)), "keypoints hold something that is not a finite number"),
        )
    for wrong, reason in checks:  # the most basic reason comes last and stays
        for n in np.flatnonzero(wrong):
            faults[n] = reason
    return faults
