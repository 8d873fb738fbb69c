"""What a benchmark found: `Report`, as json with all that is needed to repeat it, and as tables for people.

Times are milliseconds. It does not measure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scalepose.evaluation.benchmark.timing import CPU, Samples, Spread, Times
from scalepose.evaluation.provenance import command, commit, versions


@dataclass(frozen=True)
class NetworkFigures:
    """The network alone on one picture of size×size pixels. gflop: of its convolutions, two per multiply-add, and
    share: its speed as a part of the machine's matrix product, both by processor time, which holds on a busy machine;
    both None without torch, which counts them.
    """

    size: int
    times: Times
    gflop: float | None
    share: float | None


@dataclass(frozen=True)
class Ratio:
    """How many times as long, by the clock and of the processor: medians of the rounds' ratios."""

    wall: float
    cpu: float

    @classmethod
    def of(cls, samples: Samples, others: Samples) -> "Ratio":
        """Of `samples` to `others`."""
        return cls(round(samples.ratio(others), 3), round(samples.ratio(others, CPU), 3))


@dataclass(frozen=True)
class PeopleFigures:
    """The whole pipeline on one picture in memory. people: painted into the maps, or found. tiles: photos in the
    picture, None where people were painted.
    """

    people: int
    times: Times
    tiles: int | None = None


@dataclass(frozen=True)
class ConfigurationFigures:
    """One model on one runtime.

    parts: of a picture of the folder, one after the other; times: of all parts together. folder: a picture, the folder
    being predicted as a whole. share_of_network: of that time, what the network alone takes; by processor time, the
    folder's throughput against the network's own where all cores are at work. ratio: of a picture with
    the most people to one with the fewest. peak_mebibytes: of a process that predicts the folder.
    """

    model: str
    runtime: str
    file: str
    file_sha256: str
    file_megabytes: float
    network: NetworkFigures
    parts: Mapping[str, Spread]
    times: Times
    folder: Times
    share_of_network: Ratio
    people: Sequence[PeopleFigures]
    ratio: Ratio
    mosaics: Sequence[PeopleFigures]
    peak_mebibytes: float | None

    @property
    def label(self) -> str:
        """For tables and the plot."""
        return f"{Path(self.model).stem} · {self.runtime.split()[0]}"


@dataclass(frozen=True)
class DecodeFigures:
    """Grouping alone, in one of `work.GROUPINGS`, by number of people painted into the maps. ratio: of the most people
    to the fewest.
    """

    grouping: str
    people: Mapping[int, Times]
    ratio: Ratio


@dataclass(frozen=True)
class Report:
    """Everything.

    ceiling: GFLOP/s of NumPy's matrix product by the clock; ceiling_core: by processor time. decoded: width and height
    of the input whose maps were grouped.
    pictures: how many there were, from the folder `source`. left_out: what could not be measured, and why.
    """

    rounds: int
    ceiling: Spread
    ceiling_core: Spread
    decoded: tuple[int, int]
    decode: Sequence[DecodeFigures]
    pictures: int
    source: str
    configurations: Sequence[ConfigurationFigures]
    left_out: Sequence[str]
    machine: Mapping[str, Any]
    command: str = field(default_factory=command)
    commit: str | None = field(default_factory=commit)
    versions: Mapping[str, str] = field(default_factory=versions)
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self) -> str:
        """The receipt."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def __str__(self) -> str:
        """Tables for people."""
        many = self.configurations
        lines = [
            machine_line(self.machine),
            f"matrix product {self.ceiling} GFLOP/s, {self.ceiling_core} a core · "
            f"{self.rounds} rounds in turn, medians, ms",
            "",
            f"grouping alone, {self.decoded[0]}×{self.decoded[1]} input, by number of people",
            *table([_header(self.decode[0].people), *(row for d in self.decode for row in _decode_rows(d))]),
            "",
            f"a picture from file to people, {self.pictures} pictures ({self.source})",
            *table([_PICTURE_COLUMNS, *map(_picture_row, many)]),
            "",
            "the network alone, and memory",
            *table([_NETWORK_COLUMNS, *map(_network_row, many)]),
            "",
            "a picture in memory, with so many people painted into its maps",
            *table([_header([entry.people for entry in many[0].people]), *(r for f in many for r in _people_rows(f))]),
            "",
            "a mosaic of so many pictures (and people found in it)",
            *table([["", *(str(entry.tiles) for entry in many[0].mosaics)], *map(_mosaic_row, many)]),
        ]
        lines += ["", *(f"left out: {reason}" for reason in self.left_out)] if self.left_out else []
        return "\n".join(lines)


_PICTURE_COLUMNS = [
    "",
    "read",
    "prepare",
    "network",
    "decode",
    "total (quartiles)",
    "cpu",
    "folder: cpu",
    "pictures/s",
    "network's share (cpu)",
]
_NETWORK_COLUMNS = ["", "input", "ms (quartiles)", "cpu", "GFLOP", "a core", "of ceiling", "file MB", "peak MiB"]


def machine_line(machine: Mapping[str, Any]) -> str:
    """`machine.describe_machine` in a line."""
    instructions = f" ({', '.join(machine['instructions'])})" if machine["instructions"] else ""
    busy = f" · load before {machine['load_before']}" if "load_before" in machine else ""
    return f"{machine['processor']}{instructions} · {machine['threads']} threads on {machine['cores']} cores{busy}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned columns, the first to the left."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    ]


def _picture_row(figures: ConfigurationFigures) -> list[str]:
    times, folder = figures.times, figures.folder
    row = [figures.label, *map(str, figures.parts.values()), times.wall.with_range(), str(times.cpu)]
    share = figures.share_of_network
    shares = f"{100 * share.wall:.0f} % ({100 * share.cpu:.0f} %)"
    return [*row, str(folder.cpu), f"{1000 / folder.wall.median:.1f}", shares]


def _network_row(figures: ConfigurationFigures) -> list[str]:
    network = figures.network
    return [
        figures.label,
        f"{network.size}×{network.size}",
        network.times.wall.with_range(),
        str(network.times.cpu),
        f"{network.gflop:.1f}" if network.gflop is not None else "–",
        f"{1000 * network.gflop / network.times.cpu.median:.0f}" if network.gflop is not None else "–",
        f"{100 * network.share:.0f} %" if network.share is not None else "–",
        f"{figures.file_megabytes:.1f}",
        f"{figures.peak_mebibytes:.0f}" if figures.peak_mebibytes is not None else "–",
    ]


def _decode_rows(figures: DecodeFigures) -> Iterator[list[str]]:
    yield [figures.grouping, *(str(times.wall) for times in figures.people.values()), f"{figures.ratio.wall:.2f}"]
    yield ["  cpu", *(str(times.cpu) for times in figures.people.values()), f"{figures.ratio.cpu:.2f}"]


def _people_rows(figures: ConfigurationFigures) -> Iterator[list[str]]:
    yield [figures.label, *(str(entry.times.wall) for entry in figures.people), f"{figures.ratio.wall:.2f}"]
    yield ["  cpu", *(str(entry.times.cpu) for entry in figures.people), f"{figures.ratio.cpu:.2f}"]


def _mosaic_row(figures: ConfigurationFigures) -> list[str]:
    return [figures.label, *(f"{entry.times.wall} ({entry.people})" for entry in figures.mosaics)]


def _header(people: Sequence[int] | Mapping[int, Times]) -> list[str]:
    numbers = list(people)
    return ["", *map(str, numbers), f"{numbers[-1]} / {numbers[0]}"]
