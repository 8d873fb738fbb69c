"""From a torch module to an ONNX graph that carries its card and no trace of the machine it was made on.

Batch norms are folded into the convolutions. Knows neither files nor precisions.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from scalepose.errors import MissingExtra

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
from scalepose.runtimes.deconvolution import unroll_transposed
from scalepose.runtimes.ports import INPUT, METADATA_KEY, STRIDE, output_channels, output_strides, to_names

OPSET = 18  # the first that torch's exporter writes; ONNX Runtime reads it since 1.14


def trace(model: BottomUp | TopDown) -> onnx.ModelProto:
    """The graph of `model`, named as in `ports`: of any batch, and for whole pictures of any size."""
    if isinstance(model.card, CropCard):
        (W, H), sides = model.card.crop_size, {}
    else:
        H, W = 2 * STRIDE, 3 * STRIDE
        dim = torch.export.Dim
        sides = {2: STRIDE * dim("rows", max=4096), 3: STRIDE * dim("columns", max=4096)}
    names = list(output_channels(model.card))
    proto = trace_module(_Flat(model), torch.zeros(2, 3, H, W), INPUT, names, sides, model.card.to_json())
    unroll_transposed(proto.graph)
    if sides:
        _name_sides(proto.graph)
    return proto


def trace_module(
    module: nn.Module, example: Tensor, name: str, outputs: Sequence[str], sides: Mapping[int, Any], card: str
) -> onnx.ModelProto:
    """The graph of a module with one input, `name`, and any batch.

    example: an input of two or more. sides: dimension → `torch.export.Dim`, where it may differ from the example's.
    card: the text that the file carries.
    """
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            input_names=[name],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("batch"), **sides},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    strip(proto, card)
    return proto


def strip(proto: onnx.ModelProto, card: str) -> None:
    """Leave nothing in it but what runs and the card: names of source files, lines of code and shapes of everything
    between are twice the size, and nobody else's business.
    """
    for node in proto.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    proto.graph.ClearField("metadata_props")
    proto.graph.ClearField("value_info")
    proto.ClearField("metadata_props")
    proto.metadata_props.add(key=METADATA_KEY, value=card)


class _Flat(nn.Module):
    """The network with a tuple of tensors for outputs: what a graph has."""

    def __init__(self, model: BottomUp | TopDown):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(to_names(self.model(images)).values())


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
