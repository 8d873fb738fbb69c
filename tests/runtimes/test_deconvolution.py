"""Transposed convolutions unrolled: the same values as torch's own, and others left alone."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from scalepose.runtimes.deconvolution import unroll_transposed  # noqa: E402


def graph_of(layer, relu: bool, read_twice: bool = False):
    make, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    padding, kernel, stride = layer.padding[0], layer.kernel_size[0], layer.stride[0]
    tensors = {"w": layer.weight} | ({} if layer.bias is None else {"b": layer.bias})
    nodes = [
        make.make_node(
            "ConvTranspose", ["x", *tensors], ["up"], name="up", group=layer.groups, kernel_shape=[kernel] * 2,
            strides=[stride] * 2, pads=[padding] * 4,
        )
    ]  # fmt: skip
    outputs = ["up"]
    if relu:
        nodes.append(make.make_node("Relu", ["up"], ["y"], name="relu"))
        outputs = ["y"]
    if read_twice:
        nodes.append(make.make_node("Neg", ["up"], ["z"], name="neg"))
        outputs = ["y", "z"]
    return make.make_graph(
        nodes,
        "g",
        [make.make_tensor_value_info("x", FLOAT, ["B", layer.in_channels, "h", "w"])],
        [make.make_tensor_value_info(name, FLOAT, ["B", layer.out_channels, "H", "W"]) for name in outputs],
        [onnx.numpy_helper.from_array(t.detach().numpy(), name) for name, t in tensors.items()],
    )


def run(graph, x):
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"x": x}
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(1, 5, 1, 1), (2, 5, 3, 4), (1, 5, 7, 2)])
def test_the_same_values_as_torch(bias, relu, shape):
    torch.manual_seed(0)
    layer = torch.nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1, bias=bias)
    x = torch.randn(shape)
    with torch.inference_mode():
        expected = layer(x).relu() if relu else layer(x)
    graph = graph_of(layer, relu)
    unroll_transposed(graph)
    assert "ConvTranspose" not in {node.op_type for node in graph.node}
    assert "w" not in {weight.name for weight in graph.initializer}
    np.testing.assert_allclose(run(graph, x.numpy())[0], expected.numpy(), atol=1e-5)


def test_a_value_that_others_read_stays_unrectified():
    layer = torch.nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1)
    graph = graph_of(layer, relu=True, read_twice=True)
    x = torch.randn(1, 2, 4, 4)
    with torch.inference_mode():
        expected = layer(x)
    unroll_transposed(graph)
    rectified, negative = run(graph, x.numpy())
    np.testing.assert_allclose(rectified, expected.relu().numpy(), atol=1e-5)
    np.testing.assert_allclose(negative, -expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("options", [(2, 2, 0, 1), (4, 2, 0, 1), (4, 2, 1, 2), (3, 1, 1, 1)])
def test_other_shapes_are_left_alone(options):
    kernel, stride, padding, groups = options
    graph = graph_of(torch.nn.ConvTranspose2d(4, 4, kernel, stride, padding, groups=groups), relu=True)
    before = graph.SerializeToString()
    unroll_transposed(graph)
    assert graph.SerializeToString() == before
