"""Boxes from a json (COCO annotations, COCO detections, people found before), and which picture each belongs to.

What cannot be used (no extent, NaN, another category, an unknown image) is left out and becomes a `Problem`. The file
may be hostile: its size and the boxes of a picture are bounded. It opens no pictures.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scalepose.data.annotations import Problem, load_json
from scalepose.data.boxes import Boxes, pose_boxes
from scalepose.data.records import numbers, picture_fault
from scalepose.errors import ScaleposeError
from scalepose.geometry import Size

MAX_PEOPLE = 1000  # of one picture, the best scored ones; detectors give at most 100
_NAMED = 5  # entries with the same fault that are named one by one
_ROWS = 4096  # entries checked at once


@dataclass(frozen=True, eq=False)
class BoxFile:
    """What a json of boxes says.

    people: boxes by image id. files: file name as in the json → image id; empty for a list of detections, which has no
    names. sizes: width and height by image id, where the json states them. problems: entries that cannot be used.
    """

    source: Path
    people: dict[int | str, Boxes]
    files: dict[str, int | str]
    sizes: dict[int | str, Size]
    problems: tuple[Problem, ...]
    _by_name: dict[str, list[tuple[tuple[str, ...], int | str]]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for file, image_id in self.files.items():
            parts = tuple(file.replace("\\", "/").split("/"))
            self._by_name.setdefault(parts[-1], []).append((parts, image_id))

    def image_id(self, path: Path, image_id: int | str) -> int | str | None:
        """Which of its images a picture file is: by name, where the json has names, else by id. None for none.

        image_id: the id of the picture by other knowledge. Of images with one name in several folders, the one whose
        folders are those of `path`.
        """
        if self.files:
            named = self._by_name.get(path.name, [])
            if len(named) > 1:
                named = [entry for entry in named if path.parts[-len(entry[0]) :] == entry[0]]
            return named[0][1] if len(named) == 1 else None
        return next((id for id in (image_id, path.stem, path.name) if id in self.people), None)

    def match(self, pictures: Sequence[tuple[Path, int | str]]) -> list[int | str | None]:
        """`image_id` of each (path, id). Raises ScaleposeError when the file fits none of them."""
        ids = [self.image_id(path, id) for path, id in pictures]
        if pictures and all(id is None for id in ids):
            theirs = next(iter(self.files or self.people), "nothing")
            path, id = pictures[0]
            ours = path.name if self.files else repr(id)
            raise ScaleposeError(
                f"{self.source}: has boxes for none of these pictures; it has such as {theirs!r}, they are such as "
                f"{ours}"
            )
        return ids


def read_boxes(path: str | Path) -> BoxFile:
    """Read a json of boxes: COCO annotations (with or without keypoints), a COCO detections list
    ([{"image_id", "bbox", "score", "category_id"}, …]), or a list of found people as `scalepose predict --json` writes
    it, around whose keypoints boxes are drawn.

    Of annotations, people who are no crowd are taken, whether they have keypoints or not. Their category is the one
    called "person", else 1. Raises ScaleposeError when the file is none of these, or no entry can be used.
    """
    path = Path(path)
    content = load_json(path)
    faults = _Faults(str(path))
    files: dict[str, int | str] = {}
    sizes: dict[int | str, Size] = {}
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        entries = content["annotations"]
        files, sizes = _images(content.get("images"), path)
        people = _people(entries, "annotation", _person_category(content.get("categories")), faults, sizes)
    elif isinstance(content, list):
        entries = content
        people = _people(entries, "detection", 1, faults, None)
    else:
        raise ScaleposeError(f"{path}: is neither a file of annotations nor a list of detections")
    problems = faults.problems()
    if not people and problems:
        raise ScaleposeError(
            f"{path}: none of its {len(entries)} entries can be used; the first, {problems[0].record}, "
            f"{problems[0].reason}"
        )
    return BoxFile(path, people, files, sizes, tuple(problems))


def _people(
    entries: Sequence[Any], kind: str, category: Any, faults: "_Faults", images: Container[int | str] | None
) -> dict[int | str, Boxes]:
    """Boxes by image id of all entries that can be used; `images`: the ids that there are, None for any."""
    rows: dict[int | str, list[np.ndarray]] = {}
    for start in range(0, len(entries), _ROWS):
        sound: list[tuple[str, int | str, list[Any]]] = []
        for position, entry in enumerate(entries[start : start + _ROWS], start):
            if isinstance(entry, dict) and entry.get("iscrowd", 0) == 1:
                continue
            named = isinstance(entry, dict) and type(entry.get("id")) in (int, str)
            name = f"{kind} {entry['id']}" if named else f"{kind} number {position + 1}"
            fault = _entry_fault(entry, category, images)
            if fault is not None:
                faults.add(name, fault)
                continue
            box = entry["bbox"] if "bbox" in entry else _around(entry["keypoints"])
            if box is None:
                faults.add(name, "has fewer than two keypoints")
                continue
            sound.append((name, entry["image_id"], [*box, entry.get("score", 1)]))
        table = numbers([row for _, _, row in sound], 5) if sound else np.zeros((0, 5), np.float32)
        for (name, image_id, _), row in zip(sound, table, strict=True):
            if not np.isfinite(row).all():
                faults.add(name, "box or score hold something that is not a finite number")
            elif not (row[2:4] > 0).all():
                faults.add(name, "box has no width or no height")
            else:
                rows.setdefault(image_id, []).append(row)
    people = {}
    for image_id, found in rows.items():
        table = np.stack(found)  # (P, 5)
        if len(table) > MAX_PEOPLE:
            faults.add(f"image {image_id}", f"has more than {MAX_PEOPLE} boxes; the best scored are taken")
            table = table[np.argsort(-table[:, 4], kind="stable")[:MAX_PEOPLE]]
        people[image_id] = Boxes(table[:, :4], table[:, 4])
    return people


def _entry_fault(entry: Any, category: Any, images: Container[int | str] | None) -> str | None:
    """Why an entry cannot be used, before a look at its numbers."""
    if not isinstance(entry, dict):
        return "is not a json object"
    if type(entry.get("image_id")) not in (int, str):
        return "has no image_id that is a whole number or a string"
    if images is not None and entry["image_id"] not in images:
        return "is of an image that is none of the usable ones of this file"
    if entry.get("category_id", category) != category:
        return f"is of another category than people ({category!r})"
    if "bbox" not in entry and "keypoints" not in entry:
        return "has neither bbox nor keypoints"
    if "bbox" in entry and not (isinstance(entry["bbox"], list) and len(entry["bbox"]) == 4):
        return "bbox must be a list of 4 numbers: x, y, width, height"
    keypoints = entry.get("keypoints", [0, 0, 0])
    if "bbox" not in entry and not (isinstance(keypoints, list) and keypoints and len(keypoints) % 3 == 0):
        return "keypoints must be a list of x, y, score for each keypoint"
    return None


def _around(keypoints: list[Any]) -> list[float] | None:
    """The box around keypoints x, y, score (or visibility) in one list; None where there are fewer than two, NaN where
    something is no number.
    """
    points = numbers([keypoints], len(keypoints)).reshape(1, -1, 3)
    if np.isfinite(points).all() and np.count_nonzero(points[..., 2] > 0) < 2:
        return None
    return pose_boxes(np.where(points[..., 2:] > 0, points[..., :2], np.float32(np.nan)))[0].tolist()


class _Faults:
    """Faults of entries; of many alike the first are named and the rest counted, or a wrong file would fill screens."""

    def __init__(self, file: str):
        self.file = file
        self.named: list[tuple[str, str]] = []
        self.times: Counter[str] = Counter()

    def add(self, record: str, reason: str) -> None:
        self.times[reason] += 1
        if self.times[reason] <= _NAMED:
            self.named.append((record, reason))

    def problems(self) -> list[Problem]:
        more = [(f"{n - _NAMED} more entries", reason) for reason, n in self.times.items() if n > _NAMED]
        return [Problem(self.file, record, reason) for record, reason in (*self.named, *more)]


def _person_category(categories: Any) -> Any:
    named = [c for c in categories if isinstance(c, dict) and "id" in c] if isinstance(categories, list) else []
    people = [c["id"] for c in named if c.get("name") == "person"]
    return people[0] if people else named[0]["id"] if len(named) == 1 else 1


def _images(records: Any, path: Path) -> tuple[dict[str, int | str], dict[int | str, Size]]:
    """File name → id, and id → size, of the sound entries of `images`."""
    if not isinstance(records, list):
        raise ScaleposeError(f"{path}: has no list 'images'; is it a COCO-style file of annotations?")
    files: dict[str, int | str] = {}
    sizes: dict[int | str, Size] = {}
    for record in records:
        fault = picture_fault(record)
        if fault is None:
            files[record["file_name"]] = record["id"]
            sizes[record["id"]] = (record["width"], record["height"])
    return files, sizes
