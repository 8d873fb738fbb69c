"""People whose left and right are labelled the wrong way round, told by what a trained model finds.

Who labels somebody who faces the camera takes the left of the picture for the person's left all too easily. A network
that learns from it confuses sides. The model is not always right either: look at some before you trust it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from scalepose.data.annotations import Annotations, Person, load_json, read_annotations, save_json
from scalepose.data.boxfiles import read_boxes
from scalepose.errors import ScaleposeError
from scalepose.evaluation.oks import oks
from scalepose.evaluation.results import found_people, read_results

ALIKE = 0.5  # OKS at which somebody found and somebody labelled the other way round are one person
MARGIN = 0.2  # by so much the OKS must be better the other way round


def turn_sides(annotations: str | Path, found: str | Path, out: str | Path) -> tuple[int, int]:
    """Write to `out` the annotations, left and right exchanged of everybody who so fits what was found far better.

    annotations: a COCO-style json whose skeleton has pairs of left and right. found: people in the same pictures, as
    `scalepose predict --json` writes them. A person is turned around when, with left and right exchanged, somebody
    found has an OKS of 0.5 or more to it, and nobody found comes within 0.2 of that to the person as labelled. Returns
    how many were turned, and how many labelled people there are. Raises ScaleposeError when a file cannot be read or
    written, or `found` is of other pictures or another skeleton; `out` may be neither of them.
    """
    known = read_annotations(annotations)
    if not known.skeleton.flip_pairs:
        raise ScaleposeError(f"{annotations}: its skeleton knows no left and right (`flip_pairs` in its category)")
    other_side = known.skeleton.flip_index
    sigmas = np.asarray(known.skeleton.sigmas)
    people = _find(known, found)
    turned = {
        person.id
        for picture in known.pictures
        for person in picture.people
        if person.labelled and picture.id in people and _is_turned(person, people[picture.id], other_side, sigmas)
    }
    content = load_json(Path(annotations))
    for record in content["annotations"]:
        if isinstance(record, dict) and type(record.get("id")) is int and record["id"] in turned:
            keypoints = record.get("keypoints")
            if isinstance(keypoints, list) and len(keypoints) == 3 * len(other_side):
                record["keypoints"] = [number for k in other_side for number in keypoints[3 * k : 3 * k + 3]]
    save_json(content, Path(out), (Path(annotations), Path(found)))
    return len(turned), sum(person.labelled for picture in known.pictures for person in picture.people)


def _find(known: Annotations, found: str | Path) -> dict[int | str, np.ndarray]:
    """(D, K, 3) people found by picture id."""
    boxes = read_boxes(found)  # knows which pictures they are of
    ids = boxes.match([(picture.path, picture.id) for picture in known.pictures]) if boxes.people else []
    ours = {id: picture.id for id, picture in zip(ids, known.pictures, strict=False) if id is not None}
    same = [
        {**result, "image_id": ours[result["image_id"]]}
        for result in read_results(found)
        if isinstance(result, dict) and type(result.get("image_id")) in (int, str) and result["image_id"] in ours
    ]
    return {id: people.keypoints for id, people in found_people(known, same).items()}


def _is_turned(person: Person, found: np.ndarray, other_side: np.ndarray, sigmas: np.ndarray) -> bool:
    """Whether those found (D, K, 3) say that left and right are exchanged."""
    both = np.stack([person.keypoints, person.keypoints[other_side]])  # (2, K, 3)
    boxes, areas = np.stack([person.box, person.box]), np.array([person.area, person.area])
    as_labelled, turned = oks(both, boxes, areas, found, sigmas).max(axis=0)
    return bool(turned >= ALIKE and turned > as_labelled + MARGIN)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scalepose.evaluation.sides",
        description="Exchange left and right of people who are labelled the wrong way round, as a model finds them.",
    )
    parser.add_argument("annotations", type=Path, help="a COCO-style json")
    parser.add_argument("--found", type=Path, required=True, help="what `scalepose predict --json` wrote")
    parser.add_argument("--out", type=Path, required=True, help="the json to write")
    arguments = parser.parse_args()
    try:
        turned, people = turn_sides(arguments.annotations, arguments.found, arguments.out)
    except ScaleposeError as error:
        print(f"scalepose: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: left and right exchanged of {turned} of {people} people")
    return 0


if __name__ == "__main__":
    sys.exit(main())
