"""From torch to an .onnx file that every runtime reads, compared with torch before it is there.

The file takes any batch and any picture whose sides are multiples of 32, has batch norms folded into the convolutions,
carries its `ModelCard`, and no trace of the machine it was made on. Decoding stays outside of the graph.
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
from scalepose.models.outputs import Outputs
from scalepose.runtimes.onnx import INPUT, METADATA_KEY, OnnxRuntime, output_names
from scalepose.runtimes.runtime import STRIDE
from scalepose.runtimes.torch import TorchRuntime

PRECISIONS = ("fp32", "fp16")
OPSET = 18  # the first that torch's exporter writes; ONNX Runtime reads it since 1.14
SIZES = ((1, 96, 128), (2, 160, 64), (3, 64, 192))  # (B, H, W) on which a file is compared with torch

# Heatmaps reach to 1. Where a network says next to nothing of made-up pictures, rounding is not measured by that.
LEAST_SPREAD = 0.1

# Largest difference to torch, in standard deviations of each output. Half has 11 bits: 5e-4 a weight.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    error: the largest difference to torch over all outputs and sizes, in standard deviations of the output.
    """

    path: Path
    precision: str
    bytes: int
    error: float

    def __str__(self) -> str:
        sizes = ", ".join(f"{B}×3×{H}×{W}" for B, H, W in SIZES)
        return (
            f"{self.path}: {self.bytes / 1e6:.1f} MB, {self.precision}; differs from torch by at most "
            f"{self.error:.1e} standard deviations of an output (compared at {sizes})"
        )


def export_onnx(model: BottomUp, path: str | Path, precision: str = "fp32") -> ExportReport:
    """Write `model` to an .onnx file: input `images` (B, 3, H, W), outputs `heatmaps_0`, `heatmaps_1`, … and `tags`.

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
        report = ExportReport(path, precision, partial.stat().st_size, _largest_difference(model, partial))
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

    def __init__(self, model: BottomUp):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs: Outputs[Tensor] = self.model(images)
        assert outputs.tags is not None
        return *outputs.heatmaps, outputs.tags


def _trace(model: BottomUp) -> onnx.ModelProto:
    """The graph of `model`, of any batch and size, with its card and nothing that is not needed to run it."""
    dim = torch.export.Dim
    sides = {2: STRIDE * dim("rows", max=4096), 3: STRIDE * dim("columns", max=4096)}
    with _quiet():
        program = torch.onnx.export(
            _Flat(model).eval(),
            (torch.zeros(2, 3, 2 * STRIDE, 3 * STRIDE),),
            input_names=[INPUT],
            output_names=output_names(model.card),
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
    _name_sides(proto.graph)
    return proto


def _name_sides(graph: onnx.GraphProto) -> None:
    """Names for people: `height` and `width` of the images, `height/4` and so on of the maps."""
    for i, value in enumerate((*graph.input, *graph.output)):
        dims = value.type.tensor_type.shape.dim
        part = "" if i == 0 else "/4" if value.name == "tags" else f"/{4 >> (i - 1)}"
        dims[2].dim_param, dims[3].dim_param = f"height{part}", f"width{part}"


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


def _largest_difference(model: BottomUp, path: Path) -> float:
    """Between what torch and ONNX Runtime make of `SIZES`, in standard deviations of each output of torch."""
    reference, exported = TorchRuntime(model), OnnxRuntime(path)
    random = np.random.default_rng(0)
    worst = 0.0
    for B, H, W in SIZES:
        # Patches, not single pixels: of those, a trained network makes next to nothing, and any difference looks large.
        images = random.standard_normal((B, 3, H // 4, W // 4), np.float32).repeat(4, axis=2).repeat(4, axis=3)
        expected, given = reference(images), exported(images)
        for a, b in zip([*expected.heatmaps, expected.tags], [*given.heatmaps, given.tags], strict=True):
            assert a is not None
            assert b is not None
            if a.shape != b.shape:
                return float("inf")
            worst = max(worst, float(np.abs(a - b).max() / max(a.std(), LEAST_SPREAD)))
    return worst
