"""What was found in each picture, line by line as it comes, so that an evaluation that was killed goes on.

A file of json lines. The first holds the key: what the results depend on. Then one line a picture: image_id, file,
seconds, and either people (entries of a COCO results list) or failure (the reason). The last says that all is done.
Only an unfinished file is continued; a finished one is replaced by the next evaluation of the same name. Of several
lines of one picture the last counts.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scalepose.errors import ScaleposeError

KEY, END = "scalepose_evaluation", "finished"


class Journal:
    """An open journal. Without a path nothing is kept on disk.

    done: the line of each picture that was finished earlier, by image_id; pictures that failed are not among them.
    Raises ScaleposeError when the file is something else, or an unfinished evaluation with another key.
    """

    def __init__(self, path: Path | None, key: Mapping[str, Any]):
        self.done: dict[int | str, dict[str, Any]] = {}
        self._file = None
        if path is None:
            return
        lines, size = _read(path) if os.path.exists(path) else ([], 0)
        if lines and END in lines[-1]:
            lines, size = [], 0
        if lines:
            ours = json.loads(json.dumps(key))  # json knows no tuples
            differs = [name for name, value in ours.items() if lines[0][KEY].get(name) != value]
            if differs:
                raise ScaleposeError(
                    f"{path}: holds an unfinished evaluation with another {', '.join(differs)}; "
                    "delete it, or name another file for this one"
                )
            self.done = {id: line for id, line in _by_picture(lines).items() if "failure" not in line}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if lines else "wb")
            self._file.truncate(self._file.seek(size))
        except OSError as error:
            raise ScaleposeError(f"{path}: cannot be written ({error.strerror})") from error
        if not lines:
            self.add({KEY: dict(key)})

    def add(self, line: Mapping[str, Any]) -> None:
        """Write one line, at once. Raises ScaleposeError when it cannot be written."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise ScaleposeError(
                f"{self._file.name}: cannot be written ({error.strerror}); it keeps the pictures done before, and the "
                "same command goes on from there"
            ) from error

    def finish(self) -> None:
        """Write that every picture is done."""
        self.add({END: True})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._file is not None:
            with suppress(OSError):  # of a line that `add` has already complained about
                self._file.close()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The COCO results list of a journal. Raises ScaleposeError when the file is none or is unfinished."""
    lines, _ = _read(path)
    if not lines or END not in lines[-1]:
        raise ScaleposeError(f"{path}: is unfinished; repeat the command that wrote it, and it will go on")
    return [person for line in _by_picture(lines).values() for person in line.get("people", ())]


def _by_picture(lines: Sequence[dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The last line of each picture, by image_id; before it may stand a failure, or what was found in another file."""
    return {line["image_id"]: line for line in lines[1:] if END not in line}


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a journal and the bytes they take; the last line may have been cut off by the kill, even the
    first may never have been written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    if not content:
        return [], 0
    size = content.rfind(b"\n") + 1
    try:
        lines = [json.loads(line) for line in content[:size].splitlines()]
    except (ValueError, RecursionError):
        lines = []
    sound = bool(lines) and all(isinstance(line, dict) for line in lines) and isinstance(lines[0].get(KEY), dict)
    if not sound or not all(END in line or _is_of_picture(line) for line in lines[1:]):
        raise ScaleposeError(f"{path}: was not written by scalepose evaluate; name another file")
    return lines, size


def _is_of_picture(line: Mapping[str, Any]) -> bool:
    return type(line.get("image_id")) in (int, str) and "seconds" in line
