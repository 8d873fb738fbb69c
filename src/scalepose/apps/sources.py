"""From what a user names (files, folders, patterns) to a list of picture files.

- A folder stands for every picture in it and below it; hidden files and folders are left out.
- A pattern (`*`, `?`, `[…]`, `**`) is resolved here if the shell has not done so, with the same result.
- In folders and patterns only picture suffixes count. A file named by itself is always taken: its content decides.
- Pictures come in natural order ("frame2" before "frame10"), each once, however often it was named.

It opens no picture.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from itertools import takewhile
from pathlib import Path

# fmt: off
PICTURE_SUFFIXES = frozenset((
    ".avif", ".bmp", ".dib", ".gif", ".jp2", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
))
VIDEO_SUFFIXES = frozenset((
    ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv",
))
# fmt: on


@dataclass(frozen=True)
class Failure:
    """Something that was asked for and could not be done. source: as the user knows it. reason: why, in a clause."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


@dataclass(frozen=True)
class Found:
    """pictures: files in natural order, each once. failures: what was named and yields no picture."""

    pictures: tuple[Path, ...]
    failures: tuple[Failure, ...]


def find_pictures(sources: Sequence[str | Path], leave_out: Path | None = None) -> Found:
    """All pictures that `sources` (files, folders, patterns) stand for.

    leave_out: a folder that is passed over when it lies below a source: where an earlier run put its drawings.
    """
    pictures: dict[str, Path] = {}
    failures: list[Failure] = []
    for source in dict.fromkeys(map(str, sources)):
        known = len(failures)
        if is_pattern := has_magic(source) and not os.path.lexists(source):
            files = _fitting(source, leave_out, failures)
        elif os.path.isdir(source):
            files = list(_walk(source, leave_out, failures))
        elif reason := _unusable(source):
            failures.append(Failure(source, reason))
            continue
        else:
            files = [source]
        if not files and known == len(failures):
            what = "no picture fits this pattern" if is_pattern else "this folder holds no picture"
            failures.append(Failure(source, f"{what}; it would end in one of {' '.join(sorted(PICTURE_SUFFIXES))}"))
        for file in files:
            pictures.setdefault(_identity(file), Path(file))
    return Found(tuple(sorted(pictures.values(), key=_natural)), tuple(failures))


def _natural(path: Path) -> list[tuple[list[str | int], str]]:
    """A sorting key under which numbers inside names count as numbers, folder by folder."""
    return [
        ([int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.casefold())], name)
        for name in path.parts
    ]


def _fitting(pattern: str, leave_out: Path | None, failures: list[Failure]) -> list[str]:
    """Pictures that fit `pattern`, and those in folders that fit it. As in a shell, `*` matches no hidden name."""
    whole = Path(pattern)
    files: list[str] = []
    try:  # of all the ways to resolve a pattern, pathlib's `**` enters no linked folder: loops end
        matches = list(Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))
    except (ValueError, OSError) as error:
        failures.append(Failure(pattern, f"this pattern cannot be read ({error})"))
        return []
    fixed = Path(*takewhile(lambda part: not has_magic(part), whole.parts))
    if leave_out and _lies_in(fixed, leave_out):
        leave_out = None  # it is asked for by name
    for match in matches:
        if any(part.startswith(".") and part not in whole.parts for part in match.parts):
            continue
        if leave_out and _lies_in(match, leave_out):
            continue
        if os.path.isdir(match):
            files += _walk(str(match), leave_out, failures)
        elif _is_picture(match):
            files.append(str(match))
    return files


def _walk(folder: str, leave_out: Path | None, failures: list[Failure]) -> Iterator[str]:
    """Picture files below `folder`. Links are followed, but no folder is entered twice, so a loop ends."""

    def refuse(error: OSError) -> None:
        failures.append(Failure(str(error.filename), f"this folder cannot be read ({error.strerror})"))

    entered = {os.path.realpath(leave_out)} if leave_out else set()
    entered.discard(os.path.realpath(folder))
    for where, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(where)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (os.path.join(where, name) for name in files if not name.startswith("."))
        yield from (path for path in paths if _is_picture(Path(path)))


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _is_picture(path: Path) -> bool:
    try:
        return path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
    except OSError:
        return True  # what may not be looked at is not left out in silence: reading it says why


def _unusable(path: str) -> str | None:
    """Why a file named by the user cannot be a picture, or None."""
    if not os.path.exists(path):
        return "there is no such file or folder"
    if not os.path.isfile(path):
        return "this is no ordinary file"
    if Path(path).suffix.lower() in VIDEO_SUFFIXES:
        return "this is a video; this version reads pictures only"
    return None


def _identity(file: str) -> str:
    """The same for every way to write one place: links to folders are resolved, a link to a file is a file."""
    folder, name = os.path.split(file)
    return os.path.join(os.path.realpath(folder or "."), name)
