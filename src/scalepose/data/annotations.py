"""Who is where in which picture: COCO, CrowdPose and any COCO-style json become `Annotations`.

A record that cannot be used is left out and becomes a `Problem` with file, record and reason; the rest works. Pictures
are not opened here, except by `check_pictures`. It knows nothing of networks or training.
"""

import gc
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalepose.data.images import read_image
from scalepose.data.records import number_faults, numbers, person_fault, picture_fault
from scalepose.data.regions import region_fault
from scalepose.errors import ScaleposeError
from scalepose.geometry import AREA_OF_BOX
from scalepose.skeletons import Skeleton

MAX_FILE_BYTES = 1 << 30  # person_keypoints_train2017.json has 0.24·10⁹
_ROWS = 4096  # records checked at once


@dataclass(frozen=True, eq=False)
class Person:
    """One annotated person, or a region to be ignored.

    keypoints: (K, 3) float32, x and y in image pixels and v: 0 not labelled, 1 hidden, 2 visible.
    box: (4,) float32, x, y, width, height in image pixels. area: square pixels. crowd: a crowd, not one person.
    segmentation: COCO polygons (list) or run lengths (dict); kept only where the person is to be ignored.
    """

    id: int
    keypoints: np.ndarray
    box: np.ndarray
    area: float
    crowd: bool
    segmentation: list[Any] | dict[str, Any] | None

    @property
    def labelled(self) -> bool:
        """Whether any keypoint is labelled; the region of a person without is ignored in training and evaluation."""
        return bool(self.keypoints[:, 2].any())


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture and its people. crowd_index: how crowded it is, 0…1 (CrowdPose), or None. groups: (kind, group)
    pairs under which it is also measured apart, such as ("height", "64")."""

    id: int | str
    path: Path
    width: int
    height: int
    people: tuple[Person, ...]
    crowd_index: float | None
    groups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Problem:
    """Something that had to be left out: which file, which record in it ("annotation 17"), and why."""

    file: str
    record: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.record}: {self.reason}"


@dataclass(frozen=True, eq=False, repr=False)
class Annotations:
    """What a file of annotations says, and what in it could not be used."""

    skeleton: Skeleton
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]
    source: Path

    def __repr__(self) -> str:
        people = sum(len(picture.people) for picture in self.pictures)
        return (
            f"Annotations({self.source.name}, {self.skeleton.name}, {len(self.pictures)} pictures, {people} people, "
            f"{len(self.problems)} problems)"
        )


def read_annotations(
    path: str | Path, images: str | Path | None = None, skeleton: Skeleton | None = None
) -> Annotations:
    """Read a COCO-style json.

    images: folder of the pictures; by default `images` beside the json, or else the folder of the json.
    skeleton: in place of the one that the `categories` entry describes.
    Raises ScaleposeError when nothing can be used: no file, no json, no `images` or `annotations`, no skeleton.
    """
    path = Path(path)
    if images is None:
        images = path.parent / "images" if os.path.isdir(path.parent / "images") else path.parent
    with _no_collection():
        return _read(path, Path(images), skeleton)


def _read(path: Path, images: Path, skeleton: Skeleton | None) -> Annotations:
    content = _load(path)
    skeleton, category = _skeleton(content, skeleton, path)
    problems: list[Problem] = []
    pictures = _pictures(content["images"], images, str(path), problems)
    people: dict[int | str, list[Person]] = {}
    for image_id, person in _people(content["annotations"], category, pictures, skeleton, str(path), problems):
        people.setdefault(image_id, []).append(person)
    return Annotations(
        skeleton,
        tuple(
            Picture(id, file, width, height, tuple(people.get(id, ())), crowd_index, groups)
            for id, (file, width, height, crowd_index, groups) in pictures.items()
        ),
        tuple(problems),
        path,
    )


def check_pictures(annotations: Annotations, workers: int = 4) -> tuple[Problem, ...]:
    """Open every picture: a problem for each that is missing, unreadable or not of the size that the json states."""

    def check(picture: Picture) -> Problem | None:
        record = f"image {picture.id}"
        try:
            h, w = read_image(picture.path).shape[:2]
        except ScaleposeError as error:
            return Problem(str(annotations.source), record, str(error))
        if (w, h) != (picture.width, picture.height):
            stated = f"the json says {picture.width}×{picture.height}"
            return Problem(str(annotations.source), record, f"{picture.path}: has {w}×{h} pixels, {stated}")
        return None

    with ThreadPoolExecutor(workers) as pool:
        return tuple(problem for problem in pool.map(check, annotations.pictures) if problem is not None)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for reference cycles: there are none in json, and looking takes three quarters of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def load_json(path: Path) -> Any:
    """The content of a json file. Raises ScaleposeError when there is none, it is too large, or not valid."""
    try:
        if path.is_dir():
            raise ScaleposeError(f"{path}: is a folder; name the json file in it")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ScaleposeError(f"{path}: has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read. Split the file")
        with _no_collection():
            return json.loads(path.read_bytes())
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise ScaleposeError(f"{path}: is nested too deeply for a file of annotations") from error
    except ValueError as error:
        if isinstance(error, ScaleposeError):
            raise
        raise ScaleposeError(f"{path}: is not valid json ({error})") from error


def save_json(content: Any, out: Path, read: Iterable[Path]) -> None:
    """Write what was made of the files `read`. Raises ScaleposeError when `out` is one of them or cannot be written."""
    if any(os.path.realpath(path) == os.path.realpath(out) for path in read):
        raise ScaleposeError(f"{out}: would replace what is read; name another file")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise ScaleposeError(f"{out}: cannot be written ({error.strerror})") from error


def _load(path: Path) -> dict[str, Any]:
    """The json as a dict with the lists `images` and `annotations`."""
    content = load_json(path)
    if not isinstance(content, dict):
        raise ScaleposeError(f"{path}: must hold a json object with 'images', 'annotations' and 'categories'")
    for key in ("images", "annotations"):
        if not isinstance(content.get(key), list):
            raise ScaleposeError(f"{path}: has no list '{key}'; is it a COCO-style file of annotations?")
    return content


def _skeleton(content: Mapping[str, Any], skeleton: Skeleton | None, path: Path) -> tuple[Skeleton, Any]:
    """The skeleton and the id of its category; None stands for annotations of any category."""
    categories = content.get("categories") or []
    if not isinstance(categories, list):
        raise ScaleposeError(f"{path}: 'categories' must be a list")
    described = [c for c in categories if isinstance(c, dict) and c.get("keypoints")]
    if len(described) > 1:
        names = ", ".join(str(c.get("name")) for c in described)
        raise ScaleposeError(f"{path}: 'categories' describes keypoints of {names}; one kind a file is possible")
    if not described:
        if skeleton is None:
            raise ScaleposeError(f"{path}: 'categories' names no keypoints; give a skeleton (a yaml file) for them")
        return skeleton, None
    own = Skeleton.from_category(described[0], f"{path}: categories") if skeleton is None else skeleton
    stated = described[0]["keypoints"]
    if not isinstance(stated, list) or len(stated) != len(own):
        count = len(stated) if isinstance(stated, list) else "no list of"
        raise ScaleposeError(f"{path}: has {count} keypoints, the skeleton {own.name!r} {len(own)}")
    if sorted(map(str, stated)) == sorted(own.keypoints) and tuple(stated) != own.keypoints:
        raise ScaleposeError(f"{path}: has the keypoints of the skeleton {own.name!r} in another order: {stated}")
    return own, described[0].get("id")


# Path, width, height, crowd index, groups.
_File = tuple[Path, int, int, float | None, tuple[tuple[str, str], ...]]
_MOST_GROUPS, _LONGEST_GROUP = 8, 40  # kinds a picture, characters


def _pictures(records: Sequence[Any], folder: Path, file: str, problems: list[Problem]) -> dict[int | str, _File]:
    pictures: dict[int | str, _File] = {}
    for position, record in enumerate(records):
        fault = picture_fault(record)
        if fault is None and record["id"] in pictures:
            fault = "this id stands more than once"
        if fault is not None:
            problems.append(Problem(file, _name("image", record, position), fault))
            continue
        crowd = record.get("crowdIndex")
        crowd_index = float(crowd) if type(crowd) in (int, float) and 0 <= crowd <= 1 else None
        path = folder / record["file_name"]
        pictures[record["id"]] = (path, record["width"], record["height"], crowd_index, _groups(record.get("groups")))
    return pictures


def _groups(value: Any) -> tuple[tuple[str, str], ...]:
    """What our own benchmarks write; anything else is none of our business."""
    if not isinstance(value, dict) or len(value) > _MOST_GROUPS:
        return ()
    texts = [text for pair in value.items() for text in pair]
    return tuple(value.items()) if all(isinstance(t, str) and len(t) <= _LONGEST_GROUP for t in texts) else ()


def _name(kind: str, record: Any, position: int) -> str:
    if isinstance(record, dict) and type(record.get("id")) in (int, str):
        return f"{kind} {record['id']}"
    return f"{kind} number {position + 1}"


def _people(
    records: Sequence[Any],
    category: Any,
    pictures: Mapping[int | str, _File],
    skeleton: Skeleton,
    file: str,
    problems: list[Problem],
) -> Iterator[tuple[int | str, Person]]:
    """(image id, person) for every usable record of the category; numbers are checked many records at a time."""
    K = len(skeleton)
    seen: set[int] = set()
    for start in range(0, len(records), _ROWS):
        sound: list[tuple[str, dict[str, Any]]] = []
        for position, record in enumerate(records[start : start + _ROWS], start):
            if category is not None and isinstance(record, dict) and record.get("category_id", category) != category:
                continue
            name = _name("annotation", record, position)
            fault = person_fault(record, K, pictures)
            if fault is None and record["id"] in seen:
                fault = "this id stands more than once"
            if fault is None:
                seen.add(record["id"])
                sound.append((name, record))
            else:
                problems.append(Problem(file, name, fault))
        if not sound:
            continue
        boxes = numbers([record["bbox"] for _, record in sound], 4)
        keypoints = numbers([record.get("keypoints") or [0] * 3 * K for _, record in sound], 3 * K).reshape(-1, K, 3)
        sizes = np.array([pictures[record["image_id"]][1:3] for _, record in sound], np.float32)  # (N, 2) w, h
        faults = number_faults(boxes, keypoints, sizes)
        # A stray keypoint is left out by itself: without the person, training would take the body for background.
        labelled = np.greater(keypoints[..., 2], 0)  # (N, K)
        stray = labelled & ((keypoints[..., :2] < 0) | (keypoints[..., :2] > sizes[:, None])).any(axis=2)
        keypoints[stray | ~labelled] = 0
        strays, known = np.any(stray, axis=1), np.any(keypoints, axis=(1, 2))
        for n, (name, record) in enumerate(sound):
            if faults[n]:
                problems.append(Problem(file, name, faults[n]))
                continue
            size = pictures[record["image_id"]][1:3]
            if strays[n]:
                names = ", ".join(skeleton.keypoints[k] for k in np.flatnonzero(stray[n]))
                reason = f"{names} outside the picture of {size[0]}×{size[1]}; taken as not labelled"
                problems.append(Problem(file, name, reason))
            crowd = record.get("iscrowd", 0) == 1
            segmentation = record.get("segmentation") or None if crowd or not known[n] else None
            fault = region_fault(segmentation, size)
            if fault is not None:
                problems.append(Problem(file, name, f"{fault}; its box is taken instead"))
                segmentation = None
            area = float(record["area"]) if "area" in record else AREA_OF_BOX * float(boxes[n, 2] * boxes[n, 3])
            yield record["image_id"], Person(record["id"], keypoints[n], boxes[n], area, crowd, segmentation)
