"""`scalepose synth`: rendered people as a data set, with a progress bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from scalepose.data.synthetic import benchmark, write_benchmark, write_scenes
from scalepose.runtimes.runtime import cores

PICTURES_PER_WORKER = 8  # a process takes as long to start as it takes to render about so many


def synth_command(
    count: int,
    out: Path,
    seed: int,
    size: tuple[int, int],
    people: int | None,
    backgrounds: Path | None = None,
    workers: int | None = None,
) -> int:
    """Render `count` pictures of size (W, H) into `out` and say where.

    workers: processes; None takes one a core. Returns the exit status: 0, or 1 when some backgrounds could not be read.
    Raises ScaleposeError when the folder cannot be written or holds other pictures, or no background can be read.
    """
    unreadable: list[str] = []

    def warn(problem: str) -> None:
        unreadable.append(problem)
        tqdm.write(f"scalepose: {problem}", file=sys.stderr)

    processes = _processes(workers, count)
    with _progress(count, out) as advance:
        path = write_scenes(count, out, seed, size, people, backgrounds, advance, warn, processes)
    print(f"{path}: {count} pictures with people, their keypoints and outlines")
    if unreadable:
        print(f"scalepose: {len(unreadable)} backgrounds could not be read, named above", file=sys.stderr)
    return 1 if unreadable else 0


def benchmark_command(out: Path, workers: int | None = None) -> int:
    """Render the scale benchmark into `out` and say where. Arguments, status and errors as for `synth_command`."""
    with _progress(benchmark.COUNT, out) as advance:
        path = write_benchmark(out, advance, _processes(workers, benchmark.COUNT))
    print(f"{path}: the scale benchmark; measure a model with: scalepose evaluate --annotations {path}")
    return 0


def _processes(workers: int | None, count: int) -> int:
    return min(workers or cores(), max(1, count // PICTURES_PER_WORKER))


@contextmanager
def _progress(count: int, out: Path) -> Iterator[Callable[[int], None]]:
    """A bar, and a word where the user stops the work."""
    with tqdm(total=count, unit="picture", disable=None) as bar:

        def advance(done: int) -> None:
            bar.update(done - bar.n)

        try:
            yield advance
        except KeyboardInterrupt:
            print(f"scalepose: stopped; {out} keeps what was done, the same command goes on", file=sys.stderr)
            raise
