"""From torch to files that run without it: .onnx, and OpenVINO's .xml with its .bin; compared with torch before they
are there.

A file takes any batch and any picture whose sides are multiples of 32, or any batch of crops of the card's size, and
carries its card. Decoding stays outside of the graph.
"""

import copy
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalepose.runtimes.trace import strip, trace  # first, for it says which extra is missing

# isort: split
from scalepose.errors import ScaleposeError
from scalepose.models.bottomup import BottomUp
from scalepose.models.cropcards import CropCard
from scalepose.models.topdown import TopDown
from scalepose.models.zoo import ModelCard
from scalepose.runtimes.calibration import calibration_images
from scalepose.runtimes.compress import quantise, store_as_half
from scalepose.runtimes.onnx import OnnxRuntime
from scalepose.runtimes.ports import to_names
from scalepose.runtimes.runtime import Runtime
from scalepose.runtimes.torch import TorchRuntime

PRECISIONS = ("fp32", "fp16", "int8")

# Heatmaps reach to 1. Where a network says next to nothing of a picture, rounding is not measured by that.
LEAST_SPREAD = 0.1

# The most that an output may differ from torch's, in its standard deviations: the largest difference, with int8 the
# root mean square. Half has 11 bits, 5e-4 a weight; 8 bits leave about 0.05 after a hundred convolutions.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2, "int8": 0.15}


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    sizes: (B, H, W) of the pictures on which it was compared with torch. error: as `TOLERANCE` has it, of the output
    that differs most.
    """

    path: Path
    precision: str
    bytes: int
    sizes: tuple[tuple[int, int, int], ...]
    error: float

    def __str__(self) -> str:
        shapes = [f"{B}×3×{H}×{W}" for B, H, W in dict.fromkeys(self.sizes)]
        sizes = ", ".join(shapes[:3]) + (f" and {len(shapes) - 3} more sizes" if len(shapes) > 3 else "")
        return (
            f"{self.path}: {self.bytes / 1e6:.1f} MB, {self.precision}; differs from torch by "
            f"{_measure(self.precision)} {self.error:.1e} standard deviations of an output (compared at {sizes})"
        )


def export_onnx(
    model: BottomUp | TopDown, path: str | Path, precision: str = "fp32", pictures: Sequence[str | Path] = ()
) -> ExportReport:
    """Write `model` to an .onnx file: input `images` (B, 3, H, W), outputs as `ports.output_channels` names them.

    precision: "fp16" stores the weights as half floats, half the size; they become float32 when the file is opened, so
    the network is as fast as with "fp32". "int8" computes in eight bits, a quarter of the size; `compress.quantise`.
    pictures: for int8, files like those the network will see, 64 are enough; by default rendered scenes.
    `model` is left as it was. The file appears in one piece.
    Raises ScaleposeError when it cannot be written or gives other values than torch, and then leaves no file.
    """
    path = _checked(path, ".onnx", precision)
    model = copy.deepcopy(model).float().cpu().eval()
    with written_in_one_piece(path) as partial:
        examples = _write_onnx(model, partial, precision, pictures)
        return _compared(path, precision, partial.stat().st_size, model, OnnxRuntime(partial), examples)


def export_openvino(
    model: BottomUp | TopDown, path: str | Path, precision: str = "fp32", pictures: Sequence[str | Path] = ()
) -> ExportReport:
    """As `export_onnx`, in OpenVINO's own format: an .xml file, and beside it a .bin file with the weights."""
    from scalepose.runtimes.openvino import OpenvinoRuntime, convert

    path = _checked(path, ".xml", precision)
    model = copy.deepcopy(model).float().cpu().eval()
    with (
        written_in_one_piece(path) as graph,
        written_in_one_piece(path.with_suffix(".bin")) as weights,
        tempfile.TemporaryDirectory() as folder,
    ):
        source = Path(folder) / "model.onnx"
        examples = _write_onnx(model, source, precision, pictures)
        convert(source, graph, half=precision == "fp16")
        size = graph.stat().st_size + weights.stat().st_size
        return _compared(path, precision, size, model, OpenvinoRuntime(graph), examples)


@contextmanager
def written_in_one_piece(path: Path) -> Iterator[Path]:
    """A file to write to, which becomes `path` when all went well and is gone otherwise."""
    partial = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()  # finds out now, not after a minute of tracing, whether it can be written
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _checked(path: str | Path, suffix: str, precision: str) -> Path:
    path = Path(path)
    if precision not in PRECISIONS:
        raise ScaleposeError(f"no precision is called {precision!r}; there are: {', '.join(PRECISIONS)}")
    if path.suffix.lower() != suffix:
        raise ScaleposeError(f"{path}: such files are written as {suffix}; give a name that ends so")
    return path


def _write_onnx(
    model: BottomUp | TopDown, path: Path, precision: str, pictures: Sequence[str | Path]
) -> list[np.ndarray]:
    """Write the file, and give the (B, 3, H, W) pictures on which it is to be compared with torch."""
    examples = _noise(model.card)
    proto = trace(model)
    if precision == "fp16":
        store_as_half(proto.graph)
    if precision == "int8":
        # Of noise as never came to the calibration, eight bits know nothing. Every fourth picture is kept for this.
        images = calibration_images(model.card, pictures)
        examples = images[::4]
        proto = quantise(proto, [image for i, image in enumerate(images) if i % 4] or images)
        strip(proto, model.card.to_json())
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return examples


def _noise(card: ModelCard | CropCard) -> list[np.ndarray]:
    """Patches, not single pixels: of those, a trained network makes next to nothing, and any difference looks large."""
    if isinstance(card, CropCard):
        width, height = card.crop_size
        sizes = [(1, height, width), (3, height, width)]
    else:
        sizes = [(1, 96, 128), (2, 160, 64), (3, 64, 192)]
    random = np.random.default_rng(0)
    return [
        random.standard_normal((B, 3, H // 4, W // 4), np.float32).repeat(4, axis=2).repeat(4, axis=3)
        for B, H, W in sizes
    ]


def _compared(
    path: Path,
    precision: str,
    size: int,
    model: BottomUp | TopDown,
    exported: Runtime[ModelCard | CropCard],
    examples: Sequence[np.ndarray],
) -> ExportReport:
    """The report on a file of `size` bytes. Raises ScaleposeError when it differs too much from torch."""
    error = _difference(TorchRuntime(model), exported, examples, precision)
    if not error <= TOLERANCE[precision]:  # NaN too
        hint = "; calibrate it with pictures like those that it will see, or use fp16" if precision == "int8" else ""
        raise ScaleposeError(
            f"{path}: not written, since its outputs would differ from torch by {_measure(precision)} {error:.1e} "
            f"standard deviations; {TOLERANCE[precision]:.0e} is the most for {precision}{hint}"
        )
    sizes = tuple((image.shape[0], *image.shape[2:]) for image in examples)
    return ExportReport(path, precision, size, sizes, error)


def _difference(
    reference: Runtime[ModelCard | CropCard],
    exported: Runtime[ModelCard | CropCard],
    examples: Sequence[np.ndarray],
    precision: str,
) -> float:
    """As `TOLERANCE` has it, the worst of all outputs; infinite when shapes differ."""
    pairs = [(to_names(reference(images)), to_names(exported(images))) for images in examples]
    worst = 0.0
    for name in pairs[0][0]:
        if any(expected[name].shape != given[name].shape for expected, given in pairs):
            return float("inf")
        expected, given = (np.concatenate([pair[i][name].ravel() for pair in pairs]) for i in (0, 1))
        difference = np.abs(given - expected)
        typical = np.sqrt(np.mean(difference**2)) if precision == "int8" else difference.max()
        worst = max(worst, float(typical / max(expected.std(), LEAST_SPREAD)))
    return worst


def _measure(precision: str) -> str:
    return "a root mean square of" if precision == "int8" else "at most"
