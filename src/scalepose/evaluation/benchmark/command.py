"""The work of `scalepose benchmark`: measure, print the tables, write receipt and plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scalepose.errors import ScaleposeError
from scalepose.evaluation.benchmark.measure import FULL, QUICK, benchmark
from scalepose.evaluation.benchmark.plot import Line, draw_lines
from scalepose.evaluation.benchmark.report import Report
from scalepose.evaluation.benchmark.timing import Spread, Times

BUSY = 0.5  # processes a core, before we began, from which on the clock says little


def benchmark_command(
    models: Sequence[str],
    runtimes: Sequence[str],
    images: Path | None,
    json: Path | None,
    plot: Path | None,
    quick: bool,
) -> int:
    """Returns the exit status, 0. Raises ScaleposeError for what cannot be measured or written."""
    if plot is not None and plot.suffix.lower() != ".png":
        raise ScaleposeError(f"--plot {plot}: the plot is a PNG; name a file that ends in .png")
    report = benchmark(models, runtimes, images, QUICK if quick else FULL, progress=True)
    print(report)
    if json is not None:
        write_receipt(json, report.to_json())
        print(f"{json}: the receipt")
    if plot is not None:
        draw_report(plot, report)
        print(f"{plot}: latency against people")
    return 0


def draw_report(path: Path, report: Report) -> None:
    """The plot of a report: whole pictures with painted people on every configuration, and decoding alone. On a machine
    that was busy with other things it shows processor time, and says so.
    """
    machine = report.machine
    busy = machine.get("load_before", 0) > BUSY * machine["cores"]

    def points(times: Mapping[int, Times]) -> dict[int, Spread]:
        return {people: t.cpu if busy else t.wall for people, t in times.items()}

    lines = [Line(f.label, points({e.people: e.times for e in f.people})) for f in report.configurations]
    lines += [Line(f"grouping alone · {figures.grouping}", points(figures.people)) for figures in report.decode]
    clock = "processor time on a busy machine" if busy else "latency"
    decoded = "×".join(map(str, report.decoded))
    draw_lines(
        path,
        "Time for a picture, by the number of people in it",
        f"{clock} · {machine['processor']} · threads: {machine['threads']} · grouping alone: maps of {decoded} input",
        "people in the picture",
        lines,
    )


def write_receipt(path: Path, text: str) -> None:
    """Raises ScaleposeError when the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of folders need not be text
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be written ({error.strerror})") from error
