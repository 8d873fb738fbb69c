"""A graph with fewer bits: weights stored as half floats, or a network that computes in eight bits.

Eight bits are post-training static quantisation (Jacob et al., CVPR 2018, section 3) by ONNX Runtime's own tools:
weights per channel and symmetric, activations per tensor and unsigned, their ranges measured on pictures. The graph
says so by pairs of QuantizeLinear and DequantizeLinear, which ONNX Runtime and OpenVINO both turn into integer kernels.
Knows no files and no pictures.
"""

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from scalepose.errors import MissingExtra, ScaleposeError

try:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "onnx", "export") from error

from scalepose.runtimes.ports import INPUT

# What is computed or carried in eight bits. A transposed convolution is none of them: it has no integer kernel, and
# has been unrolled where that is possible.
QUANTISED = ["Conv", "Relu", "Add", "Resize", "MaxPool", "Slice", "Concat", "DepthToSpace"]


def store_as_half(graph: onnx.GraphProto) -> None:
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


def quantise(proto: onnx.ModelProto, images: Iterable[np.ndarray]) -> onnx.ModelProto:
    """The network in eight bits, but for its first convolution, which sees the picture, and those that predict.

    images: (B, 3, H, W) float32 each, as the network will see them; between the least and the largest value that they
    cause in it lie the 256 steps. Weights take seven bits: processors without VNNI add products of two eight-bit
    numbers in sixteen bits, which overflow, and other people would be found there than here.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        level = logging.getLogger().level
        logging.getLogger().setLevel(logging.ERROR)  # it advises steps that the exporter has taken
        try:
            quantize_static(
                proto,
                path,
                _Reader(images),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=QUANTISED,
                nodes_to_exclude=[*_first(proto.graph), *_last(proto.graph)],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.getLogger().setLevel(level)
        return onnx.load(path)


class _Reader(CalibrationDataReader):
    def __init__(self, images: Iterable[np.ndarray]):
        self._images = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        images = next(self._images, None)
        return None if images is None else {INPUT: images}


def _first(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions of the input."""
    return [node.name for node in graph.node if node.op_type == "Conv" and INPUT in node.input]


def _last(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions behind which come outputs and no other convolution on the way, and of what sorts their
    predictions: in the steps of tags, which reach far, little would be left of heatmaps.
    """
    maker = {output: node for node in graph.node for output in node.output}
    predicted, waiting = set[str](), [value.name for value in graph.output]
    while waiting:
        node = maker.get(waiting.pop())
        if node is None:
            continue
        predicted.update(node.output)
        if node.op_type != "Conv":
            waiting.extend(node.input)
    sorting = (node.name for node in graph.node if node.op_type != "Conv" and predicted & set(node.input))
    return [*(maker[name].name for name in predicted), *sorting]
