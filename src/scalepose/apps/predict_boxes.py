"""Pictures and a file of boxes in, people out: the loop behind `scalepose predict --boxes`.

As `predict` in all that is written; it looks at the people in the boxes only. A picture or a box that cannot be used is
named and the rest is done. Which box belongs to which picture is for `data.boxfiles` to say.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from tqdm import tqdm

from scalepose.apps.sinks import Identity, Result, Sink, choose_sinks, identify, opened
from scalepose.apps.sources import Failure, find_pictures
from scalepose.crops import CropPredictor
from scalepose.data.boxes import Boxes
from scalepose.data.boxfiles import BoxFile, read_boxes
from scalepose.data.images import read_image
from scalepose.errors import ScaleposeError

DEFAULT_FOLDER = Path("out")


@dataclass
class Tally:
    """What a run came to. bare: pictures without any box. seconds: of the predictor alone, a picture each."""

    pictures: int = 0
    bare: int = 0
    people: int = 0
    failures: int = 0
    seconds: list[float] = field(default_factory=list)

    def fail(self, source: object, reason: str) -> None:
        """Count something that cannot be used, and name it on stderr, above a progress bar if one is shown."""
        self.failures += 1
        tqdm.write(f"scalepose: {Failure(str(source), reason)}", file=sys.stderr)


def predict_boxes(
    pictures: Sequence[Path],
    identities: Sequence[Identity],
    file: BoxFile,
    predictor: CropPredictor,
    sinks: Sequence[Sink],
    score: float = 0.0,
    keypoint_score: float = 0.0,
) -> Tally:
    """Give the people in the boxes of each picture to every sink; sinks must be open.

    Raises ScaleposeError when the file fits none of the pictures or a sink cannot go on.
    """
    tally = Tally()
    image_ids = file.match(
        [(picture, identity.image_id) for picture, identity in zip(pictures, identities, strict=True)]
    )
    work = zip(pictures, identities, image_ids, strict=True)
    # Without a terminal there is nobody to look at a bar.
    for picture, identity, image_id in tqdm(
        work, total=len(pictures), unit=" pictures", disable=None, dynamic_ncols=True
    ):
        if image_id is None and file.files:
            tally.fail(picture, f"{file.source} has no picture of this name")
            continue
        try:
            image = _read(picture, file, image_id)
            boxes, faults = _boxes(file, image_id).usable((image.shape[1], image.shape[0]))
            for fault in faults:
                tally.fail(picture, fault)
            start = time.perf_counter()
            poses = predictor.people(image, boxes).filter(score, keypoint_score)
        except (ScaleposeError, MemoryError) as error:
            reason = str(error).removeprefix(f"{picture}: ") or "there is not enough memory for this picture"
            tally.fail(picture, reason)
            continue
        if len(boxes):
            tally.seconds.append(time.perf_counter() - start)
        else:
            tally.bare += 1
        tally.pictures += 1
        tally.people += len(poses)
        for sink in sinks:
            sink.write(Result(identity, image, poses))
    return tally


def predict_boxes_command(
    sources: Sequence[str],
    boxes: Path,
    predictor: CropPredictor,
    out: Path | None,
    json: Path | None,
    csv: Path | None,
    draw: bool | None,
    score: float,
    keypoint_score: float,
) -> int:
    """Find pictures, predict, print what came of it. Returns the exit status: 0, or 1 when some inputs failed."""
    if json and os.path.exists(json) and os.path.exists(boxes) and json.samefile(boxes):
        raise ScaleposeError(f"--json {json} would replace the boxes; name another file")
    file = read_boxes(boxes)
    found = find_pictures(sources, leave_out=out or DEFAULT_FOLDER)
    for failure in (*found.failures, *file.problems):
        print(f"scalepose: {failure}", file=sys.stderr)
    if not found.pictures:
        print("scalepose: there is nothing to predict", file=sys.stderr)
        return 1
    identities = identify(found.pictures)
    sinks = choose_sinks(found.pictures, identities, out, json, csv, draw, DEFAULT_FOLDER)
    with opened(sinks):
        tally = predict_boxes(found.pictures, identities, file, predictor, sinks, score, keypoint_score)
    people = "1 person" if tally.people == 1 else f"{tally.people} people"
    pictures = "1 picture" if tally.pictures == 1 else f"{tally.pictures} pictures"
    bare = f", {tally.bare} of them without boxes" if tally.bare else ""
    print(f"{people} in {pictures}{bare} · {predictor.name}", end="")
    print(f" · {1000 * median(tally.seconds):.0f} ms a picture" if tally.seconds else "")
    for sink in sinks:
        print(sink.describe())
    failed = len(found.failures) + len(file.problems) + tally.failures
    if failed:
        print(f"scalepose: {failed} {'input' if failed == 1 else 'inputs'} failed, named above", file=sys.stderr)
    return 1 if failed else 0


def _read(picture: Path, file: BoxFile, image_id: int | str | None) -> np.ndarray:
    """The picture as it was when the boxes were drawn: as its pixels lie in the file, or turned as its EXIF says.

    Annotations state the size of the picture, which tells. Lists do not; `scalepose predict` and most detectors turn.
    """
    stated = None if image_id is None else file.sizes.get(image_id)
    if stated is None:
        return read_image(picture, exif=True)
    for exif in (False, True):
        image = read_image(picture, exif=exif)
        if image.shape[1::-1] == stated:
            return image
    w, h = image.shape[1::-1]
    raise ScaleposeError(f"has {w}×{h} pixels, but {file.source} says {stated[0]}×{stated[1]}")


def _boxes(file: BoxFile, image_id: int | str | None) -> Boxes:
    nobody = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    return nobody if image_id is None else file.people.get(image_id, nobody)
