"""Predict every annotated picture, or take results that exist, measure them, and write the receipt.

A picture that cannot be used is named, counts as one in which nobody was found, and the rest goes on. Pictures are read
as their pixels lie in the file, without turning by EXIF: so do COCO's annotations.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from scalepose import __version__
from scalepose.data.annotations import Annotations, Picture, read_annotations
from scalepose.data.images import read_image
from scalepose.errors import ScaleposeError
from scalepose.evaluation.by_group import measure_by_group
from scalepose.evaluation.by_height import measure_by_height
from scalepose.evaluation.diagnosis import count_errors
from scalepose.evaluation.journal import Journal, read_journal
from scalepose.evaluation.matching import scenes
from scalepose.evaluation.precision import Protocol, average_precision, measure
from scalepose.evaluation.provenance import commit, sha256
from scalepose.evaluation.receipts import Failure, Receipt, System
from scalepose.evaluation.results import read_results
from scalepose.flow import Stages, flow
from scalepose.poses import Poses
from scalepose.predictor import picture_stages
from scalepose.skeletons import Skeleton


def evaluate(
    predictor: Callable[[np.ndarray], Poses],
    annotations: Annotations,
    protocol: Protocol = "coco",
    system: System | None = None,
    per_image: Path | None = None,
    progress: bool = True,
    batch: int = 1,
) -> Receipt:
    """Predict all pictures of `annotations` and measure.

    predictor: (H, W, 3) uint8 RGB → Poses; a `Predictor` works on several pictures at a time. system: what it is made
    of, for the receipt.
    per_image: file for what is found in each picture (json lines); an evaluation killed on the way continues from it.
    progress: show a bar on stderr. batch: as in `Predictor.predict_many`.
    Raises ScaleposeError when no picture can be used, when the predicted keypoints or the protocol do not fit the
    annotations, and when `per_image` holds something else.
    """
    return _evaluate(picture_stages(predictor, _read), annotations, protocol, system, per_image, progress, batch)


def evaluate_pictures(
    find_people: Callable[[np.ndarray, Picture], Poses],
    annotations: Annotations,
    protocol: Protocol = "coco",
    system: System | None = None,
    per_image: Path | None = None,
    progress: bool = True,
) -> Receipt:
    """`evaluate` for a predictor that is also told which picture it is given."""
    stages = Stages[Picture, Any, Any, tuple[np.ndarray, Poses]](
        prepare=lambda picture: (_read(picture), picture),
        run=lambda pictures: [(image, find_people(image, picture)) for image, picture in pictures],
        finish=lambda found: found,
    )
    return _evaluate(stages, annotations, protocol, system, per_image, progress)


def _evaluate(
    stages: Stages[Picture, Any, Any, tuple[np.ndarray, Poses]],
    annotations: Annotations,
    protocol: Protocol,
    system: System | None,
    per_image: Path | None,
    progress: bool,
    batch: int = 1,
) -> Receipt:
    average_precision(annotations, [], protocol)  # what does not fit should show now, not after hours
    key = {
        **(asdict(system) if system else {}),
        "annotations_sha256": sha256(annotations.source),
        "version": __version__,
        "commit": commit(),
    }
    with Journal(per_image, key) as journal:
        # A file of another folder is another picture, though the annotations call it the same.
        done = {p.id for p in annotations.pictures if journal.done.get(p.id, {}).get("file") == str(p.path)}
        lines = [journal.done[picture.id] for picture in annotations.pictures if picture.id in done]
        todo = [picture for picture in annotations.pictures if picture.id not in done]
        total, earlier = len(annotations.pictures), len(lines)
        start = time.perf_counter()
        with closing(flow(todo, stages, batch)) as found:
            for picture, future in tqdm(
                zip(todo, found, strict=True), "evaluate", total, initial=earlier, unit="picture",
                disable=not progress, dynamic_ncols=True,
            ):  # fmt: skip
                line = _line(picture, future, annotations.skeleton)
                end = time.perf_counter()
                lines.append(line | {"seconds": end - start})  # since the picture before, as several are under way
                start = end
                journal.add(lines[-1])
        failures = [Failure(line["file"], line["failure"]) for line in lines if "failure" in line]
        if len(failures) == total:
            first = f"; the first, {failures[0].file}: {failures[0].reason}" if failures else ""
            raise ScaleposeError(f"{annotations.source}: none of its {total} pictures can be used{first}")
        journal.finish()
    receipt = measure_results(annotations, [person for line in lines for person in line.get("people", ())], protocol)
    return replace(
        receipt,
        failures=failures,
        results=str(per_image) if per_image else None,
        system=system,
        seconds=round(sum(line["seconds"] for line in lines), 3),
    )


def measure_results(
    annotations: Annotations, results: Sequence[Mapping[str, Any]], protocol: Protocol = "coco"
) -> Receipt:
    """Measure a COCO results list. Raises ScaleposeError when it does not fit the annotations."""
    all_scenes = scenes(annotations, results)
    errors = count_errors(all_scenes, annotations.skeleton)
    return Receipt(
        protocol=protocol,
        metrics=measure(all_scenes, protocol),
        heights=measure_by_height(all_scenes),
        groups=measure_by_group(all_scenes),
        errors={"people": errors.people, "keypoints": errors.totals},
        annotations=str(annotations.source),
        annotations_sha256=sha256(annotations.source),
        pictures=len(annotations.pictures),
        people=errors.people["annotated"],
        problems=[str(problem) for problem in annotations.problems],
    )


def evaluate_results(annotations: Annotations, path: Path, protocol: Protocol = "coco") -> Receipt:
    """Measure a file: a COCO results json, or what an evaluation found in each picture (.jsonl).

    Raises ScaleposeError when it cannot be read or does not fit the annotations.
    """
    results = read_journal(path) if path.suffix == ".jsonl" else read_results(path)
    try:
        receipt = measure_results(annotations, results, protocol)
    except ScaleposeError as error:
        raise ScaleposeError(f"{path}: {error}") from error
    return replace(receipt, results=str(path))


def evaluate_command(
    annotations: Path,
    images: Path | None = None,
    model: str = "default",
    protocol: Protocol = "coco",
    profile: str = "fast",
    runtime: str = "auto",
    flip: bool | None = None,
    scales: tuple[float, ...] | None = None,
    json: Path | None = None,
    results: Path | None = None,
    per_image: Path | None = None,
    skeleton: Path | None = None,
    second_look: bool = False,
    second_look_below: float | None = None,
    reader: str | None = None,
) -> int:
    """The work of `scalepose evaluate`: measure, print the table, write the receipt to `json`.

    results: measure this file instead of predicting. per_image: where to keep what is found in each picture; by
    default beside `json`. skeleton: a yaml file in place of the skeleton that the annotations describe.
    second_look: look again at people less than `second_look_below` high, with the model `reader` for crops, or with
    the same model.
    Returns the exit status: 0, or 1 when pictures failed; they are named on stderr.
    """
    truth = read_truth(annotations, images, skeleton, json, results)
    if results:
        receipt = evaluate_results(truth, results, protocol)
    else:
        from scalepose.predictor import Predictor
        from scalepose.runtimes.runtime import model_file

        predictor = Predictor(model, runtime=runtime, profile=profile, flip=flip, scales=scales)
        system = System(
            predictor.card.name,
            sha256(model_file(model, runtime)),
            predictor.runtime.name,
            predictor.profile,
            predictor.flip,
            tuple(predictor.scales),
        )
        if second_look:
            from scalepose.crops import CropPredictor
            from scalepose.models.cropcards import CROP_DEFAULT
            from scalepose.secondlook import SecondLook

            reader = CROP_DEFAULT if reader == "default" else reader
            again = None if reader is None else CropPredictor(reader, runtime, predictor.flip)
            predictor = SecondLook(predictor, again, second_look_below)
            system = replace(
                system,
                second_look=predictor.reader.card.name,
                second_look_sha256=sha256(model_file(model if reader is None else reader, runtime)),
                second_look_below=second_look_below,
            )
        per_image = per_image or (json.with_suffix(".per-image.jsonl") if json else None)
        receipt = evaluate(predictor, truth, protocol, system, per_image)
    return publish(receipt, json)


def read_truth(
    annotations: Path, images: Path | None, skeleton: Path | None, json: Path | None, other: Path | None = None
) -> Annotations:
    """The annotations that are measured against; what is wrong in them is named on stderr.

    Raises ScaleposeError when they cannot be read, or `json`, to be written, is the same file or the `other` read one.
    """
    for given in (annotations, other):
        if json and given and os.path.exists(json) and os.path.exists(given) and json.samefile(given):
            raise ScaleposeError(f"--json {json} would replace what is to be measured; name another file")
    truth = read_annotations(annotations, images, Skeleton.load(skeleton) if skeleton else None)
    for problem in truth.problems:
        print(f"scalepose: {problem}", file=sys.stderr)
    return truth


def publish(receipt: Receipt, json: Path | None) -> int:
    """Print the receipt and write it to `json`. Returns the exit status; pictures that failed are named on stderr."""
    print(receipt)
    for failure in receipt.failures:
        print(f"scalepose: {failure.file}: {failure.reason}", file=sys.stderr)
    if json:
        try:
            json.parent.mkdir(parents=True, exist_ok=True)
            # File names need not be text: an odd byte becomes an escape, which json reads back.
            json.write_text(receipt.to_json(), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ScaleposeError(f"{json}: cannot be written ({error.strerror})") from error
    return 1 if receipt.failures else 0


def _read(picture: Picture) -> np.ndarray:
    image = read_image(picture.path, exif=False)
    h, w = image.shape[:2]
    if (w, h) != (picture.width, picture.height):
        turned = "; it seems to be annotated as EXIF turns it" if (h, w) == (picture.width, picture.height) else ""
        raise ScaleposeError(f"has {w}×{h} pixels, but the annotations say {picture.width}×{picture.height}{turned}")
    return image


def _line(picture: Picture, found: Future[tuple[np.ndarray, Poses]], skeleton: Skeleton) -> dict[str, Any]:
    """The journal's line for one picture, without the time it took."""
    line: dict[str, Any] = {"image_id": picture.id, "file": str(picture.path)}
    try:
        _, poses = found.result()
    except (ScaleposeError, MemoryError) as error:
        reason = str(error).removeprefix(f"{picture.path}: ") or "there is not enough memory for this picture"
        return line | {"failure": reason}
    if len(poses.skeleton) != len(skeleton):
        raise ScaleposeError(
            f"the model predicts {len(poses.skeleton)} keypoints ({poses.skeleton.name}), the annotations have "
            f"{len(skeleton)} ({skeleton.name}); use a model made for them"
        )
    return line | {"people": poses.to_coco(picture.id)}
