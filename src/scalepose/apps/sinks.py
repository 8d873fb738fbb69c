"""Where the people that were found are kept: a COCO results list, a tidy table, drawn pictures.

Each sink takes one `Result` after another and is a context manager. A file grows under its name plus ".part", flushed
after every picture, and gets its real name when all is done: a file under its real name is always complete, and a
stopped or killed run leaves what it had found in the ".part" file (which the next run overwrites).

Pictures are told apart by `identify`; nothing here knows how people are found.
"""

import csv
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np

from scalepose.apps.sources import PICTURE_SUFFIXES
from scalepose.errors import ScaleposeError
from scalepose.poses import CSV_FIELDS, Poses

DRAWN_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?([0-9]{1,18})")


@dataclass(frozen=True)
class Identity:
    """name: the file's name, or its path below the folder that all pictures share where several have that name.

    image_id: the number in a COCO-like name ("000000000785.jpg" → 785), otherwise the name without suffix; `name` where
    two pictures would share it.
    """

    name: str
    image_id: int | str


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """The people of one picture, and its pixels (H, W, 3) uint8 RGB to draw them on."""

    identity: Identity
    image: np.ndarray
    poses: Poses


def identify(pictures: Sequence[Path]) -> list[Identity]:
    """One identity a picture, no two alike, whatever folders the pictures come from."""
    short = [picture.name for picture in pictures]
    times = Counter(map(str.casefold, short))
    long = _below_shared(pictures) if len(times) < len(short) else short
    names = [a if times[a.casefold()] == 1 else b for a, b in zip(short, long, strict=True)]
    plain = [_plain_id(picture.stem) for picture in pictures]
    uses = Counter(plain)
    return [Identity(name, id if uses[id] == 1 else name) for name, id in zip(names, plain, strict=True)]


def _below_shared(pictures: Sequence[Path]) -> list[str]:
    """The path of each below the folder that all share; where Windows has them on several drives, with the drive."""
    absolute = [os.path.abspath(picture) for picture in pictures]
    try:
        shared = os.path.commonpath([os.path.dirname(path) for path in absolute])
    except ValueError:
        return [Path(path).as_posix().replace(":", "").lstrip("/") for path in absolute]
    return [Path(path).relative_to(shared).as_posix() for path in absolute]


def _plain_id(stem: str) -> int | str:
    match = _COCO_NAME.fullmatch(stem)
    return int(match[1]) if match else stem


class Sink(Protocol):
    """A place for results. Leaving its `with` block by an exception leaves the parts, and only them."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def write(self, result: Result) -> None:
        """Keep one picture's people. Raises ScaleposeError when they cannot be written."""
        ...

    def describe(self) -> str:
        """Where to find what was written."""
        ...


class CocoResults:
    """One COCO results list: an entry a person, a line an entry. Raises ScaleposeError when `path` cannot be a file."""

    def __init__(self, path: Path):
        self.file = _GrowingFile(path, start="[", end="\n]\n")
        self.separator = "\n"

    def __enter__(self) -> Self:
        self.file.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close(complete=exception[0] is None)

    def write(self, result: Result) -> None:
        """Add one entry for each person."""
        for entry in result.poses.to_coco(result.identity.image_id):
            self.file.write(self.separator + json.dumps(entry))
            self.separator = ",\n"
        self.file.flush()

    def describe(self) -> str:
        """The file as it is now called."""
        return f"{self.file.where}: people as a COCO results list"


class Table:
    """A tidy CSV: a row for each keypoint found, columns `CSV_FIELDS`, UTF-8. Raises ScaleposeError like the other."""

    def __init__(self, path: Path):
        self.file = _GrowingFile(path, start=_csv([CSV_FIELDS]))

    def __enter__(self) -> Self:
        self.file.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close(complete=exception[0] is None)

    def write(self, result: Result) -> None:
        """Add one row for each keypoint of each person."""
        self.file.write(_csv(list(result.poses.to_rows(result.identity.name))))
        self.file.flush()

    def describe(self) -> str:
        """The file as it is now called."""
        return f"{self.file.where}: keypoints as a table"


class Drawings:
    """The pictures with the people drawn in, under their own names below `folder`.

    A format that people cannot look at everywhere (TIFF, for one) is drawn as PNG, its name with ".png" added.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0

    def __enter__(self) -> Self:
        _make_folder(self.folder)
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def path(self, identity: Identity) -> Path:
        """The file into which a picture is drawn."""
        suffix = Path(identity.name).suffix.lower()
        return self.folder / (identity.name if suffix in DRAWN_SUFFIXES else identity.name + ".png")

    def write(self, result: Result) -> None:
        """Draw one picture."""
        path = self.path(result.identity)
        drawn = cv2.cvtColor(result.poses.draw(result.image), cv2.COLOR_RGB2BGR)
        try:
            done, data = cv2.imencode(path.suffix.lower(), drawn)
        except cv2.error:
            done, data = False, np.zeros(0, np.uint8)
        if not done:
            h, w = result.image.shape[:2]
            raise ScaleposeError(f"{path}: {w}×{h} pixels cannot be drawn into a {path.suffix} file; use --no-draw")
        _make_folder(path.parent)
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(data.tobytes())
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise _unwritable(path, error) from error
        self.count += 1

    def describe(self) -> str:
        """The folder and what is in it."""
        return f"{self.folder}: {self.count} drawn picture{'' if self.count == 1 else 's'}"


def choose_sinks(
    pictures: Sequence[Path],
    identities: Sequence[Identity],
    out: Path | None,
    json: Path | None,
    csv: Path | None,
    draw: bool | None,
    folder: Path,
) -> list[Sink]:
    """The sinks that the options of `predict` ask for. Without `json` and `csv`, or with `out`, all of them, in the
    folder `out` (by default `folder`); otherwise only what is asked for.

    Raises ScaleposeError when a file cannot be what it should, or a drawing would take the place of an original.
    """
    everything = out is not None or (json is None and csv is None)
    out = out or folder
    if everything:
        json, csv = json or out / "people.json", csv or out / "people.csv"
    if json and csv and os.path.realpath(json) == os.path.realpath(csv):
        raise ScaleposeError(f"{csv}: cannot hold both the results list and the table; name another file for one")
    sinks: list[Sink] = []
    if json:
        sinks.append(CocoResults(json))
    if csv:
        sinks.append(Table(csv))
    if everything if draw is None else draw:
        drawings = Drawings(out)
        for picture, identity in zip(pictures, identities, strict=True):
            drawn = drawings.path(identity)
            if os.path.exists(drawn) and drawn.samefile(picture):
                raise ScaleposeError(
                    f"{picture}: would be drawn over; name another folder with --out, or use --no-draw"
                )
        sinks.append(drawings)
    return sinks


@contextmanager
def opened(sinks: Sequence[Sink]) -> Iterator[None]:
    """All sinks open. When the user stops the run, it is said on stderr what is kept."""
    try:
        with ExitStack() as stack:
            for sink in sinks:
                stack.enter_context(sink)
            yield
    except KeyboardInterrupt:
        kept = (sink.describe() for sink in sinks)
        print("scalepose: stopped; what was done is kept:", *kept, sep="\n", file=sys.stderr)
        raise


class _GrowingFile:
    """A text file that grows as "NAME.part" and is called NAME once complete. `end` is written in either case."""

    def __init__(self, path: Path, start: str, end: str = ""):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            raise ScaleposeError(f"{path}: this is the name of a picture; name a file for the results")
        if os.path.exists(path) and not os.path.isfile(path):
            raise ScaleposeError(f"{path}: this is no ordinary file; name a file for the results")
        self.path, self.start, self.end = path, start, end
        self.where = path.with_name(path.name + ".part")

    def open(self) -> None:
        _make_folder(self.path.parent)
        try:
            # File names need not be text: odd bytes pass through unchanged.
            self._file = self.where.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            raise _unwritable(self.where, error) from error
        self.write(self.start)

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise self._stopped(error) from error

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise self._stopped(error) from error

    def close(self, complete: bool) -> None:
        try:
            with self._file:
                self._file.write(self.end)
                self._file.flush()
                os.fsync(self._file.fileno())
            if complete:
                self.where = self.where.replace(self.path)
        except OSError as error:
            if complete:  # otherwise another error is already on its way
                raise self._stopped(error) from error

    def _stopped(self, error: OSError) -> ScaleposeError:
        return ScaleposeError(f"{_unwritable(self.where, error)}; it still holds what was found before")


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(path: Path, error: OSError) -> ScaleposeError:
    return ScaleposeError(f"{path}: cannot be written ({error.strerror or error})")
