"""The receipt of a measurement: every figure together with what it takes to get it again. It does not measure."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from scalepose.evaluation.provenance import command, commit, hardware, versions


@dataclass(frozen=True)
class Failure:
    """A picture that could not be measured, and why. It counts as one in which nobody was found."""

    file: str
    reason: str


@dataclass(frozen=True)
class System:
    """What is measured: the model's name and the SHA-256 of its file, what runs it, and how it is used.

    boxes: where the boxes come from of which crops are read, with the SHA-256 of the file or of the model that gave
    them; None where whole pictures are read. low_res: to what crops were brought down.
    second_look: the model that read people again, with the SHA-256 of its file; None where nobody was read again.
    second_look_below: only people less high than so many pixels; None for everybody.
    """

    model: str
    model_sha256: str
    runtime: str
    profile: str
    flip: bool
    scales: tuple[float, ...]
    boxes: str | None = None
    boxes_sha256: str | None = None
    low_res: str | None = None
    second_look: str | None = None
    second_look_sha256: str | None = None
    second_look_below: float | None = None


@dataclass(frozen=True)
class Receipt:
    """What was measured, on what, with what.

    metrics: 0 to 1 by name, NaN where there was nobody to find (null in the json). heights: the same by person height,
    with the number of people. groups: the same for groups of pictures, by kind, where the annotations name some.
    errors: counts of people and of keypoints by kind of error (`diagnosis.Diagnosis`).
    annotations, results: the files. system: None when the results came from elsewhere.
    people: annotated people who count. seconds: reading and predicting, of all runs that this one continued.
    problems: records of the annotations that could not be used.
    """

    protocol: str
    metrics: dict[str, float]
    heights: dict[str, dict[str, float | int]]
    errors: dict[str, dict[str, int]]
    annotations: str
    annotations_sha256: str
    pictures: int
    people: int
    problems: Sequence[str]
    groups: dict[str, dict[str, dict[str, float | int]]] = field(default_factory=dict)
    failures: Sequence[Failure] = ()
    results: str | None = None
    system: System | None = None
    seconds: float | None = None
    command: str = field(default_factory=command)
    commit: str | None = field(default_factory=commit)
    versions: dict[str, str] = field(default_factory=versions)
    hardware: dict[str, Any] = field(default_factory=hardware)
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self) -> str:
        """The receipt as strict json text. Metrics and system stand flat at the top; NaN becomes null."""
        plain = asdict(self)
        metrics = plain.pop("metrics")
        system = plain.pop("system") or {entry.name: None for entry in fields(System)}
        return json.dumps(_without_nan(metrics | system | plain), indent=1, ensure_ascii=False) + "\n"

    def __str__(self) -> str:
        """A table for people."""
        system = self.system
        title = [system.model, system.runtime, f"profile {system.profile}"] if system else []
        title += [f"boxes: {system.boxes}"] if system and system.boxes else []
        if system and system.second_look:
            below = "" if system.second_look_below is None else f" below {system.second_look_below:g} pixels"
            title += [f"second look by {system.second_look}{below}"]
        title += [f"low resolution {system.low_res}"] if system and system.low_res else []
        lines = [" · ".join([*title, f"protocol {self.protocol}"])]
        lines += [f"{self.pictures} pictures, {self.people} people ({self.annotations})", ""]
        lines += _columns([list(self.metrics), [_figure(value) for value in self.metrics.values()]])
        lines += _table("by height of the person in pixels", self.heights)
        for kind, groups in self.groups.items():
            lines += _table(f"by {kind}, as the pictures are grouped", groups)
        lines += ["", *(f"{what}: {_counts(counts)}" for what, counts in self.errors.items())]
        if self.seconds is not None:
            rate = f"{self.pictures / self.seconds:.2f} pictures/s" if self.seconds else ""
            lines += ["", f"{self.seconds:.1f} s, {rate}"]
        if self.failures:
            lines += ["", f"{len(self.failures)} pictures failed and count as empty"]
        return "\n".join(lines)


def _table(title: str, rows: dict[str, dict[str, float | int]]) -> list[str]:
    head = ["", *next(iter(rows.values()))]
    return ["", title, *_columns([head, *([name, *map(_figure, row.values())] for name, row in rows.items())])]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    return "–" if math.isnan(value) else f"{value:.3f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
