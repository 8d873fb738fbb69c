"""Rendered scenes as files: pictures and one COCO json beside them, resumable.

Finished pictures are noted one a line in `scenes.jsonl` until the json can be written, so a run that was stopped, or
that is asked for more pictures, goes on where it was and ends with the same bytes.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from scalepose.data.synthetic.rendering import render_scene
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17

ANNOTATIONS = "person_keypoints.json"
JOURNAL = "scenes.jsonl"
QUALITY = 90  # of the JPEG files
MOST_SCENES = 10_000_000

Record = dict[str, Any]


def write_scenes(
    count: int,
    out: str | Path,
    seed: int = 0,
    size: tuple[int, int] = (640, 480),
    people: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Render scenes 0 to count - 1 of a seed into the folder `out`; returns the path of the COCO json.

    size: (W, H) pixels. people: in every picture; None varies them. progress: called with the number of finished
    pictures, first with what an earlier run left. Picture i is `render_scene((seed, i), ...)` as JPEG.
    Raises ScaleposeError when the folder cannot be written or holds other pictures; what is done stays.
    """
    if not 1 <= count <= MOST_SCENES:
        raise ScaleposeError(f"{count} pictures cannot be rendered; ask for 1 to {MOST_SCENES}")
    if seed < 0:
        raise ScaleposeError(f"the seed must not be negative; got {seed}")
    out = Path(out)
    recipe = {"seed": seed, "width": size[0], "height": size[1], "people": people}
    try:
        out.mkdir(parents=True, exist_ok=True)
        done = _finished(out, recipe)
        _replace(out / JOURNAL, "".join(json.dumps(line) + "\n" for line in ({"recipe": recipe}, *done)).encode())
        with (out / JOURNAL).open("a", encoding="utf-8") as journal:
            for index in range(len(done), count):
                if progress is not None:
                    progress(index)
                done.append(_write_scene(out, index, recipe))
                journal.write(json.dumps(done[-1]) + "\n")
                journal.flush()
        _replace(out / ANNOTATIONS, json.dumps(_coco(done, recipe)).encode())
        (out / JOURNAL).unlink()
    except OSError as error:
        place = error.filename or out
        reason = f"{place}: cannot be written ({error.strerror}); what is finished stays, the same call goes on"
        raise ScaleposeError(reason) from error
    if progress is not None:
        progress(len(done))
    return out / ANNOTATIONS


def _write_scene(out: Path, index: int, recipe: Record) -> Record:
    width, height = recipe["width"], recipe["height"]
    picture, people = render_scene((recipe["seed"], index), width, height, recipe["people"])
    name = f"{index:06d}.jpg"
    flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    _replace(out / name, cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1].tobytes())
    return {"image": {"id": index, "file_name": name, "width": width, "height": height}, "people": people}


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    os.replace(partial, path)


def _finished(out: Path, recipe: Record) -> list[Record]:
    """The scenes that an earlier run with the same recipe finished, in order from 0."""
    if (out / JOURNAL).exists():
        lines = (out / JOURNAL).read_text(encoding="utf-8").splitlines()
        earlier, done = _journal(lines)
    elif (out / ANNOTATIONS).exists():
        earlier, done = _journal_of_json(out / ANNOTATIONS)
    else:
        return []
    if earlier != recipe:
        raise ScaleposeError(f"{out}: holds pictures made otherwise ({earlier}, now {recipe}); use another folder")
    intact = []
    for index, scene in enumerate(done):
        if scene["image"]["id"] != index or not (out / scene["image"]["file_name"]).is_file():
            break
        intact.append(scene)
    return intact


def _journal(lines: list[str]) -> tuple[Any, list[Record]]:
    """The recipe and the scenes of a journal; a last line that was cut off is dropped."""
    records: list[Record] = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return (records[0].get("recipe"), records[1:]) if records else (None, [])


def _journal_of_json(path: Path) -> tuple[Any, list[Record]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        people: dict[int, list[Record]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            person = {k: v for k, v in annotation.items() if k not in ("id", "image_id")}
            people[annotation["image_id"]].append(person)
        scenes = [{"image": image, "people": people[image["id"]]} for image in content["images"]]
        return content["info"].get("recipe"), scenes
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ScaleposeError(f"{path}: was not written by scalepose; use another folder") from error


def _coco(scenes: list[Record], recipe: Record) -> Record:
    rows = [(scene["image"]["id"], person) for scene in scenes for person in scene["people"]]
    return {
        "info": {"description": _command(len(scenes), recipe), "recipe": recipe},
        "images": [scene["image"] for scene in scenes],
        "annotations": [{"id": i, "image_id": image, **person} for i, (image, person) in enumerate(rows, start=1)],
        "categories": [COCO17.to_category()],
    }


def _command(count: int, recipe: Record) -> str:
    people = "" if recipe["people"] is None else f" --people {recipe['people']}"
    size = f"{recipe['width']} {recipe['height']}"
    return f"people rendered by: scalepose synth --count {count} --seed {recipe['seed']} --size {size}{people}"
