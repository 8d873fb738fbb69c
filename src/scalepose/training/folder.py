"""The folder of a run: what was asked, who ran it on what, how it went, and what came out.

recipe.yaml: the resolved recipe. run.json: one entry per start, with command, commit, versions and hardware. log.csv
and tensorboard/: the figures. last.ckpt: to resume from. best.safetensors: the network with the highest validation AP.
model.safetensors: the network at the end.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scalepose.errors import ScaleposeError
from scalepose.evaluation.provenance import command, commit, hardware, versions
from scalepose.training.kinds import read_plan
from scalepose.training.parts import Plan
from scalepose.training.processes import Processes

# Nothing that is learned depends on these keys; a resumed run may have others.
_FREE = ("data.workers", "checkpoint.steps", "checkpoint.minutes", "log_every")


class RunFolder:
    """Names of the files below `path`, and when they may be written."""

    def __init__(self, path: Path):
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.starts = path / "run.json"
        self.log = path / "log.csv"
        self.checkpoint = path / "last.ckpt"
        self.best = path / "best.safetensors"
        self.model = path / "model.safetensors"

    def check(self, recipe: Plan, processes: Processes, resume: bool) -> None:
        """Raise ScaleposeError when `recipe` must not run in this folder."""
        used = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        if used and not resume:
            raise ScaleposeError(f"{self.path} exists already; go on there with --resume, or give another --out")
        if used and not self.recipe.exists():
            raise ScaleposeError(f"{self.path} exists already and is not the folder of a run; give another --out")
        if not used:
            return
        begun = asdict(read_plan(self.recipe))
        other = [key for key in _differences(begun, asdict(recipe)) if key not in _FREE]
        if other:
            raise ScaleposeError(
                f"{self.recipe}: the run was begun with other values of {', '.join(other)}. To go on as it was "
                f"begun: scalepose train {self.recipe} --resume --out {self.path}"
            )
        before = self._starts()[-1]["processes"]
        if before != processes.world_size:
            raise ScaleposeError(
                f"{self.path}: the run was begun by {before} processes and cannot go on with {processes.world_size}"
            )

    def begin(self, recipe: Plan, processes: Processes) -> None:
        """Write down what is asked, and who runs it on what. Raises ScaleposeError when that cannot be written."""
        start: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command(),
            "commit": commit(),
            "seed": recipe.seed,
            "processes": processes.world_size,
            "versions": versions(),
            "hardware": hardware(),
        }
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            starts = [*self._starts(), start] if self.starts.exists() else [start]
            self.starts.write_text(json.dumps(starts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            self.recipe.write_text(recipe.to_yaml(), encoding="utf-8")
        except OSError as error:
            raise ScaleposeError(f"{self.path}: cannot be written ({error.strerror})") from error

    def _starts(self) -> list[dict[str, Any]]:
        try:
            starts = json.loads(self.starts.read_text(encoding="utf-8"))
            int(starts[-1]["processes"])
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise ScaleposeError(f"{self.starts}: is missing or damaged; begin again in another folder") from error
        return starts


def _differences(one: Any, other: Any, key: str = "") -> Iterator[str]:
    """Dotted keys at which two recipes differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one | other:
            yield from _differences(one.get(name), other.get(name), f"{key}.{name}" if key else name)
    elif one != other:
        yield key
