"""Pictures in, people out: the loop behind `scalepose predict`.

A picture that cannot be used is named and the others are done. The loop knows neither networks nor file formats: a
predictor finds the people, sinks keep them.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scalepose.apps.sinks import Identity, Result, Sink, choose_sinks, identify, opened
from scalepose.apps.sources import Failure, find_pictures
from scalepose.data.images import read_image
from scalepose.errors import ScaleposeError
from scalepose.flow import flow
from scalepose.poses import Poses
from scalepose.predictor import Predictor, picture_stages
from scalepose.secondlook import SecondLook

DEFAULT_FOLDER = Path("out")


@dataclass(frozen=True)
class Summary:
    """What a run came to. milliseconds: from file to result, all pictures' time by their number; None without any."""

    pictures: int
    people: int
    failures: tuple[Failure, ...]
    milliseconds: float | None


def predict_pictures(
    pictures: Sequence[Path],
    identities: Sequence[Identity],
    find_people: Callable[[np.ndarray], Poses],
    sinks: Sequence[Sink],
    exif: bool = True,
    score: float = 0.0,
    keypoint_score: float = 0.0,
    batch: int = 1,
) -> Summary:
    """Give the people of each picture to every sink, in the order of the pictures; sinks must be open.

    find_people: (H, W, 3) uint8 RGB → Poses; a `Predictor` works on several pictures at a time. exif: turn pictures as
    their EXIF orientation says. score, keypoint_score: what is less certain is left out. batch: as in `predict_many`.
    Each picture that fails is named on stderr at once. Raises ScaleposeError when a sink cannot go on.
    """
    people = 0
    failures: list[Failure] = []
    start = time.perf_counter()
    stages = picture_stages(find_people, lambda picture: read_image(picture, exif=exif))
    with closing(flow(pictures, stages, batch)) as found:
        work = zip(pictures, identities, found, strict=True)
        # Without a terminal there is nobody to look at a bar.
        for picture, identity, future in tqdm(
            work, total=len(pictures), unit=" pictures", disable=None, dynamic_ncols=True
        ):
            try:
                image, poses = future.result()
            except (ScaleposeError, MemoryError) as error:
                reason = str(error).removeprefix(f"{picture}: ") or "there is not enough memory for this picture"
                failures.append(Failure(str(picture), reason))
                report(failures[-1])
                continue
            poses = poses.filter(score, keypoint_score)
            people += len(poses)
            for sink in sinks:
                sink.write(Result(identity, image, poses))
    done = len(pictures) - len(failures)
    return Summary(done, people, tuple(failures), 1000 * (time.perf_counter() - start) / done if done else None)


def predict_command(
    sources: Sequence[str],
    find_people: Predictor | SecondLook,
    out: Path | None,
    json: Path | None,
    csv: Path | None,
    draw: bool | None,
    score: float,
    keypoint_score: float,
    batch: int = 1,
) -> int:
    """Find pictures, predict, print what came of it. Returns the exit status: 0, or 1 when some inputs failed.

    Without `json` and `csv`, or with `out`, everything goes to the folder `out`; otherwise only what is asked for.
    """
    found = find_pictures(sources, leave_out=out or DEFAULT_FOLDER)
    for failure in found.failures:
        report(failure)
    if not found.pictures:
        print("scalepose: there is nothing to predict", file=sys.stderr)
        return 1
    identities = identify(found.pictures)
    sinks = choose_sinks(found.pictures, identities, out, json, csv, draw, DEFAULT_FOLDER)
    exif = find_people.profile == "fast"
    with opened(sinks):
        summary = predict_pictures(found.pictures, identities, find_people, sinks, exif, score, keypoint_score, batch)
    print(f"{_count(summary.people, 'person', 'people')} in {_count(summary.pictures, 'picture', 'pictures')}", end="")
    if summary.milliseconds is not None:
        print(f" · {find_people.name} · {summary.milliseconds:.0f} ms a picture", end="")
    print()
    for sink in sinks:
        print(sink.describe())
    failed = len(found.failures) + len(summary.failures)
    if failed:
        print(f"scalepose: {_count(failed, 'input', 'inputs')} failed, named above", file=sys.stderr)
    return 1 if failed else 0


def report(failure: Failure) -> None:
    """Name what failed on stderr, above a progress bar if one is shown."""
    tqdm.write(f"scalepose: {failure}", file=sys.stderr)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
