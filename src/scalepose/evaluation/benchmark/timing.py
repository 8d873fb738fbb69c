"""Times that hold on a machine where other things run too: work is interleaved and repeated, medians are kept, and the
processor's time stands beside the clock's.

It knows nothing of what it times.
"""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)
Work = Callable[[], Mapping[str, float] | None]  # does something once; may say how many seconds parts of it took
WHOLE, CPU = "total", "cpu"  # parts that all work has: by the clock, and processor time of all threads together


@dataclass(frozen=True)
class Spread:
    """Repeated measurements: their median, first and third quartile, and how many there were."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one number."""
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
        return cls(round(median, 4), round(low, 4), round(high, 4), len(values))

    def __str__(self) -> str:
        return f"{self.median:.{self._digits}f}"

    def with_range(self) -> str:
        """Median and quartiles for people: "12.3 (11.9–13.1)"."""
        return f"{self.median:.{self._digits}f} ({self.low:.{self._digits}f}–{self.high:.{self._digits}f})"

    @property
    def _digits(self) -> int:
        """Decimals that leave about three significant figures."""
        return 0 if self.median >= 100 else 1 if self.median >= 10 else 2


@dataclass(frozen=True)
class Times:
    """Milliseconds by the clock, and of the processor, all threads together. Other programs lengthen only the first."""

    wall: Spread
    cpu: Spread


@dataclass(frozen=True)
class Samples:
    """Seconds that each part of one piece of work took, one number a round."""

    parts: Mapping[str, Sequence[float]]

    def part(self, name: str, count: int = 1) -> Spread:
        """Milliseconds of one part, for one of `count` things done in one piece of work."""
        return Spread.of([1000 * seconds / count for seconds in self.parts[name]])

    def times(self, count: int = 1) -> Times:
        """Of the whole, for one of `count` things done."""
        return Times(self.part(WHOLE, count), self.part(CPU, count))

    def ratio(self, other: "Samples", part: str = WHOLE) -> float:
        """How many times as long as `other`, round by round: what slows a whole round down cancels out."""
        return 1 / self.share(other, part, part)

    def share(self, other: "Samples", part: str, whole: str = WHOLE) -> float:
        """How long `part` of `other` took as a share of `whole` of this, round by round."""
        pairs = zip(other.parts[part], self.parts[whole], strict=True)
        return float(np.median([theirs / mine for theirs, mine in pairs]))


def interleave(
    work: Mapping[Name, Work], rounds: int, progress: Callable[[], object] = lambda: None
) -> dict[Name, Samples]:
    """Do all `work` once without counting, then `rounds` times in turn, each round beginning with another piece.

    progress: called after every piece.
    """
    names = list(work)
    taken: dict[Name, list[Mapping[str, float]]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        first = turn % max(len(names), 1)
        for name in names[first:] + names[:first]:
            seconds = _time(work[name])
            if turn:
                taken[name].append(seconds)
            progress()
    return {
        name: Samples({part: [seconds[part] for seconds in all_rounds] for part in all_rounds[0]})
        for name, all_rounds in taken.items()
    }


def _time(work: Work) -> Mapping[str, float]:
    start, cpu = time.perf_counter(), time.process_time()
    parts = work()
    return {**(parts or {}), WHOLE: time.perf_counter() - start, CPU: time.process_time() - cpu}
