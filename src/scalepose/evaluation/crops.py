"""Measure a top-down model on annotated pictures, with boxes from any source, at full or at low resolution.

The boxes: of the annotations themselves (as the papers do where they leave detection aside), of a file, or around the
people whom a bottom-up model finds. People are scored and suppressed as in the papers (`decode.suppress`).
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from scalepose.crops import CropPredictor
from scalepose.data.annotations import Annotations, Picture, Problem
from scalepose.data.boxes import Boxes, annotated_boxes, boxes_of_poses
from scalepose.data.boxfiles import read_boxes
from scalepose.data.degrade import Degradation
from scalepose.evaluation.evaluate import evaluate_pictures, publish, read_truth
from scalepose.evaluation.precision import Protocol
from scalepose.evaluation.provenance import sha256
from scalepose.evaluation.receipts import Receipt, System
from scalepose.models.cropcards import CROP_DEFAULT
from scalepose.poses import Poses

PROFILE = "top-down"  # what receipts say in the place of a bottom-up model's profile

FindBoxes = Callable[[np.ndarray, Picture], Boxes]


def evaluate_crops(
    predictor: CropPredictor,
    find_boxes: FindBoxes,
    annotations: Annotations,
    protocol: Protocol = "coco",
    system: System | None = None,
    per_image: Path | None = None,
    progress: bool = True,
) -> Receipt:
    """As `evaluate`, of the people in boxes.

    find_boxes: a picture (H, W, 3) uint8 RGB and what the annotations call it → usable boxes.
    """

    def find_people(image: np.ndarray, picture: Picture) -> Poses:
        return predictor.people(image, find_boxes(image, picture))

    return evaluate_pictures(find_people, annotations, protocol, system, per_image, progress)


def known_boxes(boxes: dict[int | str, Boxes]) -> FindBoxes:
    """Boxes that are known by picture id; nobody where there are none."""
    nobody = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    return lambda _, picture: boxes.get(picture.id, nobody)


def boxes_of_people(find_people: Callable[[np.ndarray], Poses]) -> FindBoxes:
    """Boxes around the people whom a bottom-up model finds."""

    def find_boxes(image: np.ndarray, _: Picture) -> Boxes:
        return boxes_of_poses(find_people(image)).usable((image.shape[1], image.shape[0]))[0]

    return find_boxes


def boxes_from_file(path: Path, annotations: Annotations) -> tuple[dict[int | str, Boxes], list[Problem]]:
    """The boxes of a file (see `data.boxfiles`) by the ids of the annotated pictures; and what cannot be used.

    Raises ScaleposeError when the file cannot be read or fits none of the pictures.
    """
    file = read_boxes(path)
    problems = list(file.problems)
    pictures = annotations.pictures
    matched = file.match([(picture.path, picture.id) for picture in pictures])
    boxes: dict[int | str, Boxes] = {}
    for picture, image_id in zip(pictures, matched, strict=True):
        if image_id in file.people:
            usable, faults = file.people[image_id].usable((picture.width, picture.height))
            boxes[picture.id] = usable
            problems += [Problem(str(path), f"image {image_id}", fault) for fault in faults]
    unknown = [image_id for image_id in file.people if image_id not in matched]
    if unknown:
        count = sum(len(file.people[image_id]) for image_id in unknown)
        reason = f"{count} boxes of {len(unknown)} images that {annotations.source.name} does not have"
        problems.append(Problem(str(path), f"image {unknown[0]}{' and others' if unknown[1:] else ''}", reason))
    return boxes, problems


def evaluate_crops_command(
    annotations: Path,
    boxes: str,
    images: Path | None = None,
    model: str = "default",
    protocol: Protocol = "coco",
    runtime: str = "auto",
    flip: bool | None = None,
    low_res: str | None = None,
    finder: str = "default",
    json: Path | None = None,
    per_image: Path | None = None,
    skeleton: Path | None = None,
) -> int:
    """The work of `scalepose evaluate --boxes`: as `evaluate_command` does it.

    boxes: "annotations", "people" (found by the bottom-up model `finder`), or a file. flip: by default yes, as in all
    published figures. low_res: as `Degradation.parse` reads it.
    """
    from scalepose.runtimes.runtime import model_file

    model = CROP_DEFAULT if model == "default" else model
    degradation = Degradation.parse(low_res) if low_res else None
    predictor = CropPredictor(model, runtime, True if flip is None else flip, degradation)
    source = None if boxes in ("annotations", "people") else Path(boxes)
    truth = read_truth(annotations, images, skeleton, json, source)
    problems: list[Problem] = []
    if source:
        found, problems = boxes_from_file(source, truth)
        find_boxes, origin, origin_sha256 = known_boxes(found), str(source), sha256(source)
    elif boxes == "annotations":
        found, problems = annotated_boxes(truth)
        find_boxes, origin, origin_sha256 = known_boxes(found), boxes, None
    else:
        from scalepose.predictor import Predictor

        first = Predictor(finder, runtime=runtime)
        find_boxes, origin_sha256 = boxes_of_people(first), sha256(model_file(finder, runtime))
        origin = f"people found by {first.card.name}"
    for problem in problems:
        print(f"scalepose: {problem}", file=sys.stderr)
    system = System(
        predictor.card.name,
        sha256(model_file(model, runtime)),
        predictor.runtime.name,
        PROFILE,
        predictor.flip,
        (1.0,),
        origin,
        origin_sha256,
        str(degradation) if degradation else None,
    )
    per_image = per_image or (json.with_suffix(".per-image.jsonl") if json else None)
    receipt = evaluate_crops(predictor, find_boxes, truth, protocol, system, per_image)
    receipt = replace(receipt, problems=[*receipt.problems, *map(str, problems)])
    return publish(receipt, json) or (1 if source and problems else 0)
