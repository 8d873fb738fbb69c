"""From torch to an .onnx file that every runtime reads, compared with torch before it is there.

The file takes any batch and any picture whose sides are multiples of 32, or any batch of crops of the card's size. It
has batch norms folded into the convolutions, carries its card, and no trace of the machine it was made on. Decoding
stays outside of the graph.
"""

import copy
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalepose.errors import MissingExtra, ScaleposeError

try:
    import onnx
    import onnxscript  # noqa: F401, torch.onnx needs it
    import torch
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "onnx", "export") from error

from torch import Tensor, nn

from scalepose.models.bottomup import BottomUp
from scalepose.models.cropcards import CropCard
from scalepose.models.topdown import TopDown
from scalepose.models.zoo import ModelCard
from scalepose.runtimes.onnx import OnnxRuntime
from scalepose.runtimes.ports import INPUT, METADATA_KEY, STRIDE, output_channels, output_strides, to_names
from scalepose.runtimes.torch import TorchRuntime

PRECISIONS = ("fp32", "fp16")
OPSET = 18  # the first that torch's exporter writes; ONNX Runtime reads it since 1.14

# Heatmaps reach to 1. Where a network says next to nothing of made-up pictures, rounding is not measured by that.
LEAST_SPREAD = 0.1

# Largest difference to torch, in standard deviations of each output. Half has 11 bits: 5e-4 a weight.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    sizes: (B, H, W) on which it was compared with torch. error: the largest difference over all of them and all
    outputs, in standard deviations of the output.
    """

    path: Path
    precision: str
    bytes: int
    sizes: tuple[tuple[int, int, int], ...]
    error: float

    def __str__(self) -> str:
        sizes = ", ".join(f"{B}×3×{H}×{W}" for B, H, W in self.sizes)
        return (
            f"{self.path}: {self.bytes / 1e6:.1f} MB, {self.precision}; differs from torch by at most "
            f"{self.error:.1e} standard deviations of an output (compared at {sizes})"
        )


def export_onnx(model: BottomUp | TopDown, path: str | Path, precision: str = "fp32") -> ExportReport:
    """Write `model` to an .onnx file: input `images` (B, 3, H, W), outputs as `ports.output_channels` names them.

    precision: "fp16" stores the weights as half floats, half the size; they become float32 when the file is opened, so
    the network is as fast as with "fp32". `model` is left as it was. The file appears in one piece.
    Raises ScaleposeError when it cannot be written or gives other values than torch, and then leaves no file.
    """
    path = Path(path)
    if precision not in PRECISIONS:
        raise ScaleposeError(f"no precision is called {precision!r}; there are: {', '.join(PRECISIONS)}")
    if path.suffix.lower() != ".onnx":
        raise ScaleposeError(f"{path}: ONNX files are written as .onnx; give a name that ends so")
    model = copy.deepcopy(model).float().cpu().eval()
    with _in_one_piece(path) as partial:
        proto = _trace(model)
        if precision == "fp16":
            _store_as_half(proto.graph)
        partial.write_bytes(proto.SerializeToString(deterministic=True))
        error = _largest_difference(model, partial)
        report = ExportReport(path, precision, partial.stat().st_size, _sizes(model.card), error)
        if not report.error <= TOLERANCE[precision]:  # NaN too
            raise ScaleposeError(
                f"{path}: not written, since its outputs would differ from torch by {report.error:.1e} standard "
                f"deviations; {TOLERANCE[precision]:.0e} is the most for {precision}"
            )
    return report


@contextmanager
def _in_one_piece(path: Path) -> Iterator[Path]:
    """A file to write to, which becomes `path` when all went well and is gone otherwise."""
    partial = path.with_name(path.stem + ".part.onnx")
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


class _Flat(nn.Module):
    """The network with a tuple of tensors for outputs: what a graph has."""

    def __init__(self, model: BottomUp | TopDown):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(to_names(self.model(images)).values())


def _trace(model: BottomUp | TopDown) -> onnx.ModelProto:
    """The graph of `model`, of any batch and size, with its card and nothing that is not needed to run it."""
    dim = torch.export.Dim
    if isinstance(model.card, CropCard):
        (W, H), sides = model.card.crop_size, {}
    else:
        H, W = 2 * STRIDE, 3 * STRIDE
        sides = {2: STRIDE * dim("rows", max=4096), 3: STRIDE * dim("columns", max=4096)}
    with _quiet():
        program = torch.onnx.export(
            _Flat(model).eval(),
            (torch.zeros(2, 3, H, W),),
            input_names=[INPUT],
            output_names=list(output_channels(model.card)),
            dynamic_shapes={INPUT: {0: dim("batch"), **sides}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    # Names of source files, lines of code and shapes of everything between: twice the size, and nobody else's business.
    for node in proto.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    proto.graph.ClearField("metadata_props")
    proto.graph.ClearField("value_info")
    proto.ClearField("metadata_props")
    proto.metadata_props.add(key=METADATA_KEY, value=model.card.to_json())
    if sides:
        _name_sides(proto.graph)
    return proto


def _name_sides(graph: onnx.GraphProto) -> None:
    """Names for people: `height` and `width` of the images, `height/4` and so on of the maps."""
    strides = output_strides([value.name for value in graph.output])
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        part = f"/{strides[value.name]}" if value.name in strides else ""
        dims[-2].dim_param, dims[-1].dim_param = f"height{part}", f"width{part}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says about itself (packages it does not need here, its own deprecations)."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _store_as_half(graph: onnx.GraphProto) -> None:
    """Replace every float weight by one of half precision and a cast back, which runtimes undo once when they open it.

    Vectors (biases, with the batch norms folded in) stay as they are: they weigh nothing.
    """
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        values = onnx.numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            raise ScaleposeError(f"weights of up to {np.abs(values).max():.3g} do not fit fp16; export as fp32")
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(half, name + "_half"))
        casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    graph.ClearField("node")
    graph.node.extend(nodes)


def _sizes(card: ModelCard | CropCard) -> tuple[tuple[int, int, int], ...]:
    """(B, H, W) on which a file is compared with torch."""
    if isinstance(card, CropCard):
        width, height = card.crop_size
        return (1, height, width), (3, height, width)
    return (1, 96, 128), (2, 160, 64), (3, 64, 192)


def _largest_difference(model: BottomUp | TopDown, path: Path) -> float:
    """Between what torch and ONNX Runtime make of `_sizes`, in standard deviations of each output of torch."""
    reference, exported = TorchRuntime(model), OnnxRuntime(path)
    random = np.random.default_rng(0)
    worst = 0.0
    for B, H, W in _sizes(model.card):
        # Patches, not single pixels: of those, a trained network makes next to nothing, and any difference looks large.
        images = random.standard_normal((B, 3, H // 4, W // 4), np.float32).repeat(4, axis=2).repeat(4, axis=3)
        expected, given = to_names(reference(images)), to_names(exported(images))
        for name, a in expected.items():
            b = given[name]
            if a.shape != b.shape:
                return float("inf")
            worst = max(worst, float(np.abs(a - b).max() / max(a.std(), LEAST_SPREAD)))
    return worst
