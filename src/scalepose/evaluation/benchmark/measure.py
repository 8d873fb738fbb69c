"""The measurement: everything once to warm up, then everything in turn, round after round; then memory, in processes of
its own.
"""

import tempfile
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scalepose.data.images import read_image
from scalepose.evaluation.benchmark import report
from scalepose.evaluation.benchmark.configurations import Configuration, open_configurations
from scalepose.evaluation.benchmark.machine import PRODUCT_FLOP, describe_machine, matrix_product_work, multiply_adds
from scalepose.evaluation.benchmark.memory import measure_memory
from scalepose.evaluation.benchmark.pictures import find_pictures, mosaic, render_pictures
from scalepose.evaluation.benchmark.timing import CPU, WHOLE, Samples, Spread, Work, interleave
from scalepose.evaluation.benchmark.work import (
    DECODED,
    GROUPINGS,
    NETWORK_CPU,
    PARTS,
    decode_work,
    folder_work,
    mosaic_work,
    network_work,
    people_work,
    picture_work,
)
from scalepose.evaluation.provenance import sha256
from scalepose.predictor import Predictor

CEILING = "matrix product"


@dataclass(frozen=True)
class Effort:
    """How much is measured. pictures: at most so many of a folder; rendered: so many without one. people, tiles: in
    one picture, ascending.
    """

    rounds: int = 10
    pictures: int = 20
    rendered: int = 6
    people: Sequence[int] = (1, 2, 5, 10, 13, 20, 30)
    tiles: Sequence[int] = (1, 4, 9, 16, 30)


FULL = Effort()
QUICK = Effort(rounds=3, pictures=3, rendered=2, people=(1, 30), tiles=(1, 30))


def benchmark(
    models: Sequence[str],
    runtimes: Sequence[str] = (),
    images: Path | None = None,
    effort: Effort = FULL,
    progress: bool = False,
) -> report.Report:
    """Measure every model on every runtime (by default those that are installed) with the pictures of the folder
    `images` (by default rendered ones).

    progress: show a bar on stderr. Raises ScaleposeError when there is nothing to measure.
    """
    machine = describe_machine()  # before we make it busy
    found = open_configurations(models, runtimes)
    with ExitStack() as stack:
        if images is None:
            pictures = render_pictures(Path(stack.enter_context(tempfile.TemporaryDirectory())), effort.rendered)
        else:
            pictures = find_pictures(images, effort.pictures)
        mosaics = {tiles: mosaic(pictures, tiles) for tiles in effort.tiles}
        work: dict[Hashable, Work] = {CEILING: matrix_product_work()}
        for grouping in GROUPINGS:
            work |= {(grouping, n): decode_work(n, grouping) for n in effort.people}
        first = read_image(pictures[0], exif=True)
        for c in found.configurations:
            work[c, "network"] = network_work(c, c.runtime.card.input_size)
            work[c, "picture"] = picture_work(c, pictures)
            work[c, "folder"] = folder_work(c, pictures)
            work |= {(c, "people", n): people_work(c, first, n) for n in effort.people}
            work |= {(c, "tiles", n): mosaic_work(c, picture) for n, picture in mosaics.items()}
        with tqdm(total=len(work) * (1 + effort.rounds), desc="benchmark", disable=None if progress else True) as bar:
            samples = interleave(work, effort.rounds, bar.update)
        return report.Report(
            rounds=effort.rounds,
            ceiling=_speed(samples[CEILING], WHOLE),
            ceiling_core=_speed(samples[CEILING], CPU),
            decoded=DECODED,
            decode=[_decode_figures(grouping, samples, effort) for grouping in GROUPINGS],
            pictures=len(pictures),
            source="rendered" if images is None else str(images),
            configurations=[_figures(c, samples, effort, pictures, mosaics) for c in found.configurations],
            left_out=found.left_out,
            machine=machine,
        )


def _decode_figures(grouping: str, samples: Mapping[Hashable, Samples], effort: Effort) -> report.DecodeFigures:
    times = {n: samples[grouping, n].times() for n in effort.people}
    ratio = report.Ratio.of(samples[grouping, effort.people[-1]], samples[grouping, effort.people[0]])
    return report.DecodeFigures(grouping, times, ratio)


def _figures(
    c: Configuration,
    samples: Mapping[Hashable, Samples],
    effort: Effort,
    pictures: Sequence[Path],
    mosaics: Mapping[int, np.ndarray],
) -> report.ConfigurationFigures:
    network, picture, folder = (samples[c, what] for what in ("network", "picture", "folder"))
    fewest, most = samples[c, "people", effort.people[0]], samples[c, "people", effort.people[-1]]
    predictor = Predictor(c.runtime)
    return report.ConfigurationFigures(
        model=c.model,
        runtime=c.runtime.name,
        file=c.file.name,
        file_sha256=sha256(c.file),
        file_megabytes=_megabytes(c.file),
        network=_network_figures(c, network, samples[CEILING]),
        parts={part: picture.part(part, len(pictures)) for part in PARTS},
        times=picture.times(len(pictures)),
        folder=folder.times(len(pictures)),
        share_of_network=report.Ratio(
            round(folder.share(picture, "network"), 3), round(folder.share(picture, NETWORK_CPU, CPU), 3)
        ),
        people=[report.PeopleFigures(n, samples[c, "people", n].times()) for n in effort.people],
        ratio=report.Ratio.of(most, fewest),
        mosaics=[
            report.PeopleFigures(len(predictor(image)), samples[c, "tiles", tiles].times(), tiles)
            for tiles, image in mosaics.items()
        ],
        peak_mebibytes=measure_memory(c, pictures),
    )


def _network_figures(c: Configuration, network: Samples, product: Samples) -> report.NetworkFigures:
    size = c.runtime.card.input_size
    count = multiply_adds(c.runtime.card, size)
    if count is None:
        return report.NetworkFigures(size, network.times(), None, None)
    share = 2 * count / PRODUCT_FLOP / network.ratio(product, CPU)
    return report.NetworkFigures(size, network.times(), round(2 * count / 1e9, 3), round(share, 3))


def _speed(product: Samples, part: str) -> Spread:
    """GFLOP/s of the matrix product."""
    return Spread.of([PRODUCT_FLOP / seconds / 1e9 for seconds in product.parts[part]])


def _megabytes(file: Path) -> float:
    """Of a model's file; the weights of an .xml lie in the .bin beside it."""
    files = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return round(sum(part.stat().st_size for part in files) / 1e6, 2)
