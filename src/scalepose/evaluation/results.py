"""A COCO results list: what was found, as json, checked against the annotations that it is to be measured on.

One entry a person: {"image_id", "keypoints": [x, y, score] × K, "score"}, and optionally "bbox" and "category_id".
A missing keypoint is 0, 0, 0.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalepose.data.annotations import Annotations
from scalepose.errors import ScaleposeError

MAX_FILE_BYTES = 4 << 30
MAX_PEOPLE = 20  # per picture: both protocols look at the twenty best only


@dataclass(frozen=True)
class Found:
    """The D best people found in one picture, best first; equal scores stay in the order of the list.

    keypoints: (D, K, 3) float64, x, y in image pixels and score. scores: (D,) float64. areas: (D,) float64, of the
    "bbox" where one is given, otherwise of the smallest box around all K entries. The missing ones, at (0, 0), are
    within it: COCO's rule, which therefore calls a half-found person large.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    areas: np.ndarray


def read_results(path: str | Path) -> list[dict[str, Any]]:
    """Read a COCO results json. Raises ScaleposeError when the file is missing, too large or holds no list."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScaleposeError(f"{path}: results of at most {MAX_FILE_BYTES >> 30} GiB are read; split the file")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ScaleposeError(f"{path}: is no json ({error})") from error
    if not isinstance(content, list):
        raise ScaleposeError(f"{path}: must hold a list of results, one entry a person, as `scalepose predict` writes")
    return content


def found_people(annotations: Annotations, results: Sequence[Mapping[str, Any]]) -> dict[int | str, Found]:
    """The results of each picture that has any, by picture id.

    Raises ScaleposeError, naming the entry, when a picture is unknown, a number is missing or not finite, the number
    of keypoints is not the skeleton's, or several categories are mixed.
    """
    K = len(annotations.skeleton)
    known = {picture.id for picture in annotations.pictures}
    where: dict[int | str, list[int]] = {}
    for index, result in enumerate(results):
        if not isinstance(result, Mapping) or not {"image_id", "keypoints", "score"} <= result.keys():
            raise _error(index, "needs the keys image_id, keypoints and score")
        picture = result["image_id"]
        if not isinstance(picture, (int, str)) or picture not in known:
            example = next(iter(known), None)
            raise _error(
                index,
                f"is of image_id {picture!r}, which {annotations.source} does not have (its ids are like {example!r})",
            )
        if not isinstance(result["keypoints"], Sequence) or len(result["keypoints"]) != 3 * K:
            raise _error(index, f"needs {3 * K} keypoint numbers (x, y, score for each of {K} keypoints)")
        where.setdefault(picture, []).append(index)
    categories = {str(result.get("category_id", 1)) for result in results}
    if len(categories) > 1:
        raise ScaleposeError(f"the results mix the categories {', '.join(sorted(categories))}; keep those of one")

    everyone = range(len(results))
    keypoints = _numbers(results, everyone, "keypoints", 3 * K).reshape(-1, K, 3)  # (N, 3K) -> (N, K, 3)
    scores = _numbers(results, everyone, "score", 1)[:, 0]
    extent = np.ptp(keypoints[..., :2], axis=1)  # (N, 2)
    boxed = [index for index in everyone if results[index].get("bbox")]
    extent[boxed] = _numbers(results, boxed, "bbox", 4)[:, 2:]
    areas = extent.prod(-1)
    people = {}
    for picture, indices in where.items():
        rows = np.asarray(indices)
        rows = rows[np.argsort(-scores[rows], kind="stable")[:MAX_PEOPLE]]
        people[picture] = Found(keypoints[rows], scores[rows], areas[rows])
    return people


def _numbers(results: Sequence[Mapping[str, Any]], entries: Sequence[int], key: str, width: int) -> np.ndarray:
    """(N, width) float64 of one key of N entries."""
    try:
        numbers = np.array([results[index][key] for index in entries], np.float64).reshape(len(entries), width)
    except (TypeError, ValueError, OverflowError) as error:
        raise ScaleposeError(f"the results' {key!r} must be {width} number(s) in each entry ({error})") from error
    bad = np.flatnonzero(~np.isfinite(numbers).all(-1))
    if len(bad):
        raise _error(entries[bad[0]], f"has a number in {key!r} that is not finite; a missing keypoint is 0, 0, 0")
    return numbers


def _error(index: int, reason: str) -> ScaleposeError:
    return ScaleposeError(f"result {index} (counted from 0) {reason}")
