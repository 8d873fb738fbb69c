"""Rendered scenes as files: pictures and one COCO json beside them, resumable.

Finished pictures are noted one a line in `scenes.jsonl` until the json can be written, so a run that was stopped, or
that is asked for more pictures, goes on where it was and ends with the same bytes.
"""

import json
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2

from scalepose.data.synthetic import benchmark
from scalepose.data.synthetic.labels import Record
from scalepose.data.synthetic.photos import Photos
from scalepose.data.synthetic.rendering import render
from scalepose.data.synthetic.scenes import Scene
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17

ANNOTATIONS = "person_keypoints.json"
JOURNAL = "scenes.jsonl"
QUALITY = 90  # of the JPEG files
MOST_SCENES = 10_000_000
RENDERER = 3  # grows when the same seed gives other pictures


def write_scenes(
    count: int,
    out: str | Path,
    seed: int = 0,
    size: tuple[int, int] = (640, 480),
    people: int | None = None,
    backgrounds: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    warn: Callable[[str], None] | None = None,
    workers: int = 1,
) -> Path:
    """Render scenes 0 to count - 1 of a seed into the folder `out`; returns the path of the COCO json.

    size: (W, H) pixels. people: in every picture; None varies them. backgrounds: a folder of photos to stand behind
    people. progress: called with the number of finished pictures, first with what an earlier run left. warn: called
    once for each photo that cannot be read. workers: processes; the pictures do not depend on them.
    Picture i is `render_scene((seed, i), ...)` as JPEG.
    Raises ScaleposeError when the folder cannot be written or holds other pictures; what is done stays.
    """
    if not 1 <= count <= MOST_SCENES:
        raise ScaleposeError(f"{count} pictures cannot be rendered; ask for 1 to {MOST_SCENES}")
    if seed < 0:
        raise ScaleposeError(f"the seed must not be negative; got {seed}")
    recipe: Record = {"seed": seed, "width": size[0], "height": size[1], "people": people, "renderer": RENDERER}
    if backgrounds is not None:
        recipe |= {"backgrounds": str(backgrounds), "photos": Photos(backgrounds).digest}
    return _write(Path(out), count, recipe, progress, warn, workers)


def write_benchmark(out: str | Path, progress: Callable[[int], None] | None = None, workers: int = 1) -> Path:
    """Render the scale benchmark (`benchmark.py`) into the folder `out`; as `write_scenes` does it."""
    width, height = benchmark.SIZE
    recipe: Record = {"benchmark": "scale", "width": width, "height": height, "renderer": RENDERER}
    return _write(Path(out), benchmark.COUNT, recipe, progress, None, workers)


def _write(
    out: Path,
    count: int,
    recipe: Record,
    progress: Callable[[int], None] | None,
    warn: Callable[[str], None] | None,
    workers: int,
) -> Path:
    warned: set[str] = set()
    try:
        out.mkdir(parents=True, exist_ok=True)
        done = _finished(out, recipe)
        _replace(out / JOURNAL, "".join(json.dumps(line) + "\n" for line in ({"recipe": recipe}, *done)).encode())
        with (out / JOURNAL).open("a", encoding="utf-8") as journal:
            for scene, problems in _rendered(out, range(len(done), count), recipe, workers):
                for problem in problems:
                    if warn is not None and problem not in warned:
                        warn(problem)
                    warned.add(problem)
                if progress is not None:
                    progress(len(done))
                done.append(scene)
                journal.write(json.dumps(scene) + "\n")
                journal.flush()
        _replace(out / ANNOTATIONS, json.dumps(_coco(done, recipe)).encode())
        (out / JOURNAL).unlink()
    except OSError as error:
        place = error.filename or out
        reason = f"{place}: cannot be written ({error.strerror}); what is finished stays, the same call goes on"
        raise ScaleposeError(reason) from error
    except BrokenProcessPool as error:
        reason = f"{out}: a rendering process was killed, perhaps for want of memory; the same call goes on"
        raise ScaleposeError(reason) from error
    if progress is not None:
        progress(len(done))
    return out / ANNOTATIONS


Rendered = tuple[Record, list[str]]


def _rendered(out: Path, indices: range, recipe: Record, workers: int) -> Iterator[Rendered]:
    """The scenes in order, each with the photos that could not be read."""
    if workers < 2 or len(indices) < 2:
        for index in indices:
            yield _write_scene(out, index, recipe)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        waiting: deque[Future[Rendered]] = deque()
        try:
            for index in indices:
                waiting.append(pool.submit(_write_scene, out, index, recipe))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one answers to Ctrl-C


def _write_scene(out: Path, index: int, recipe: Record) -> Rendered:
    name, width, height = f"{index:06d}.jpg", recipe["width"], recipe["height"]
    image: Record = {"id": index, "file_name": name, "width": width, "height": height}
    photos = _photos(recipe["backgrounds"], recipe["photos"]) if "backgrounds" in recipe else None
    if "benchmark" in recipe:
        scene, groups = benchmark.benchmark_scene(index)
        image["groups"] = groups
    else:
        scene = Scene.sample((recipe["seed"], index), width, height, recipe["people"], photos)
    picture, people = render(scene)
    flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    _replace(out / name, cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1].tobytes())
    return {"image": image, "people": people}, list(photos.unreadable.values()) if photos else []


@cache
def _photos(folder: str, digest: str) -> Photos:
    """One a process; the digest tells apart what the folder held at different times."""
    return Photos(folder)


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _finished(out: Path, recipe: Record) -> list[Record]:
    """The scenes that an earlier run with the same recipe finished, in order from 0."""
    path = next((out / name for name in (JOURNAL, ANNOTATIONS) if (out / name).exists()), None)
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
        earlier, done = _journal(text) if path.name == JOURNAL else _journal_of_json(text)
        if earlier != recipe:
            raise ScaleposeError(f"{out}: holds pictures made otherwise ({earlier}, now {recipe}); use another folder")
        intact = []
        for index, scene in enumerate(done):
            if scene["image"]["id"] != index or not (out / scene["image"]["file_name"]).is_file():
                break
            intact.append(scene)
        return intact
    except ScaleposeError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ScaleposeError(f"{path}: was not written by scalepose; use another folder") from error


def _journal(text: str) -> tuple[Any, list[Record]]:
    """The recipe and the scenes of a journal; a last line that was cut off is dropped."""
    records: list[Record] = []
    for line in text.splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return (records[0]["recipe"], records[1:]) if records else (None, [])


def _journal_of_json(text: str) -> tuple[Any, list[Record]]:
    content = json.loads(text)
    people: dict[int, list[Record]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        person = {k: v for k, v in annotation.items() if k not in ("id", "image_id")}
        people[annotation["image_id"]].append(person)
    scenes = [{"image": image, "people": people[image["id"]]} for image in content["images"]]
    return content["info"].get("recipe"), scenes


def _coco(scenes: list[Record], recipe: Record) -> Record:
    rows = [(scene["image"]["id"], person) for scene in scenes for person in scene["people"]]
    return {
        "info": {"description": _command(len(scenes), recipe), "recipe": recipe},
        "images": [scene["image"] for scene in scenes],
        "annotations": [{"id": i, "image_id": image, **person} for i, (image, person) in enumerate(rows, start=1)],
        "categories": [COCO17.to_category()],
    }


def _command(count: int, recipe: Record) -> str:
    if "benchmark" in recipe:
        return "people rendered by: scalepose synth --scale-benchmark"
    people = "" if recipe["people"] is None else f" --people {recipe['people']}"
    behind = f" --backgrounds {recipe['backgrounds']}" if "backgrounds" in recipe else ""
    size = f"{recipe['width']} {recipe['height']}"
    return f"people rendered by: scalepose synth --count {count} --seed {recipe['seed']} --size {size}{people}{behind}"
