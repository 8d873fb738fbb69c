"""A transposed convolution of 4×4 at stride 2 as an ordinary one: four times the channels, then sorted into the plane.

Every pixel of a 2×2 block of the output sees 2×2 of the 4×4 weights, always the same ones, so each of the four is a 2×2
convolution of the input (Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016). The sums
are the same; but for ordinary convolutions the runtimes have fast kernels, in eight bits too. Knows graphs only.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, numpy_helper
from onnx.helper import get_attribute_value, make_node

_TAKEN = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1] * 4, "dilations": [1, 1], "output_padding": [0, 0]}
_END = np.iinfo(np.int64).max


def unroll_transposed(graph: onnx.GraphProto) -> None:
    """Replace every transposed convolution of that shape, with the Relu behind it where nothing else reads between."""
    weights = {weight.name: weight for weight in graph.initializer}
    nodes: list[NodeProto] = []
    skipped: set[str] = set()
    for node in graph.node:
        if node.name in skipped:
            continue
        if not _is_taken(node):
            nodes.append(node)
            continue
        readers = [other for other in graph.node if node.output[0] in other.input]
        relu = readers[0] if len(readers) == 1 and readers[0].op_type == "Relu" else None
        if relu is not None:
            skipped.add(relu.name)
        nodes.extend(_unrolled(graph, node, weights, node.output[0] if relu is None else relu.output[0], bool(relu)))
        for name in node.input[1:]:
            graph.initializer.remove(weights[name])
    graph.ClearField("node")
    graph.node.extend(nodes)


def _is_taken(node: NodeProto) -> bool:
    if node.op_type != "ConvTranspose":
        return False
    given = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
    return given.get("group", 1) == 1 and all(list(given.get(key, value)) == value for key, value in _TAKEN.items())


def _unrolled(
    graph: onnx.GraphProto, node: NodeProto, weights: dict[str, onnx.TensorProto], output: str, rectified: bool
) -> Iterator[NodeProto]:
    name = node.name
    kernel = numpy_helper.to_array(weights[node.input[1]])  # (C, O, 4, 4)
    O = kernel.shape[1]

    def constant(part: str, values: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(values, f"{name}_{part}"))
        return f"{name}_{part}"

    # At y of its (h + 1, w + 1) outputs the convolution sees the rows y - 1 and y. Row 2i of the large map comes of
    # rows i - 1 and i, by the weights 3 and 1; row 2i + 1 of i and i + 1, by the weights 2 and 0. Columns alike.
    blocks = [(dy, dx) for dy in (0, 1) for dx in (0, 1)]
    phases = [kernel[:, :, [3 - dy, 1 - dy]][..., [3 - dx, 1 - dx]].swapaxes(0, 1) for dy, dx in blocks]
    inputs = [node.input[0], constant("weight", np.ascontiguousarray(np.concatenate(phases)))]  # (4·O, C, 2, 2)
    if len(node.input) > 2:
        inputs.append(constant("bias", np.tile(numpy_helper.to_array(weights[node.input[2]]), 4)))
    all_phases = f"{name}_phases"
    yield make_node("Conv", inputs, [all_phases], name=name, kernel_shape=[2, 2], pads=[1, 1, 1, 1])
    if rectified:
        yield make_node("Relu", [all_phases], [f"{name}_rectified"], name=f"{name}_relu")
        all_phases = f"{name}_rectified"

    axes = constant("axes", np.array([1, 2, 3]))
    for i, (dy, dx) in enumerate(blocks):  # (B, O, h, w) each
        start = constant(f"start_{i}", np.array([i * O, dy, dx]))
        end = constant(f"end_{i}", np.array([(i + 1) * O, _END if dy else -1, _END if dx else -1]))
        yield make_node("Slice", [all_phases, start, end, axes], [f"{name}_phase_{i}"], name=f"{name}_slice_{i}")
    yield make_node("Concat", [f"{name}_phase_{i}" for i in range(4)], [f"{name}_block"], name=f"{name}_concat", axis=1)
    # (B, 4·O, h, w) -> (B, O, 2h, 2w)
    yield make_node("DepthToSpace", [f"{name}_block"], [output], name=f"{name}_sort", blocksize=2, mode="DCR")
