"""Files given to ONNX Runtime and OpenVINO that are not what they should be."""

import json

import numpy as np
import pytest

from scalepose.errors import ScaleposeError
from scalepose.models import ModelCard, Network
from scalepose.runtimes import open_runtime

onnx = pytest.importorskip("onnx")

CARD = ModelCard("small", Network(deconvs=0), input_size=64)
both = pytest.mark.parametrize("runtime", ["onnx", "openvino"])


def graph_file(path, outputs: dict[str, int], inputs=("images",), card: str | None = CARD.to_json(), weight=None):
    """An ONNX file whose outputs (name → channels) are zero maps, or sums with `weight`."""
    make, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    nodes, weights = [], []
    for name, channels in outputs.items():
        values = weight or onnx.numpy_helper.from_array(np.zeros((1, channels, 1, 1), np.float32), name + "_0")
        weights.append(values)
        nodes += [
            make.make_node("ReduceMean", ["images"], [name + "_mean"], axes=[1], keepdims=1),
            make.make_node("Mul", [name + "_mean", values.name], [name]),
        ]
    shape = ["batch", 3, "height", "width"]
    graph = make.make_graph(
        nodes,
        "small",
        [make.make_tensor_value_info(name, FLOAT, shape) for name in inputs],
        [make.make_tensor_value_info(name, FLOAT, ["batch", C, "h", "w"]) for name, C in outputs.items()],
        weights,
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    if card is not None:
        model.metadata_props.add(key="scalepose", value=card)
    path.write_bytes(model.SerializeToString())
    return path


def open_with(runtime: str, path):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    return open_runtime(path, runtime)


@both
def test_a_file_is_believed_when_it_holds_what_its_card_says(runtime, tmp_path):
    path = graph_file(tmp_path / "good.onnx", {"tags": 17, "heatmaps_0": 17})  # in any order
    outputs = open_with(runtime, path)(np.zeros((2, 3, 32, 64), np.float32))
    assert repr(outputs) == "Outputs(heatmaps=[2×17×32×64], tags=2×17×32×64, offsets=None)"


@both
@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x09" * 50, b"<html>not found</html>"])
def test_what_is_no_onnx_file(runtime, content, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ScaleposeError, match=r"broken\.onnx: (has 0 bytes|is no ONNX file|carries no description)"):
        open_with(runtime, path)


@both
def test_a_file_cut_off(runtime, tiny_onnx, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(tiny_onnx.read_bytes()[:-5000])
    with pytest.raises(ScaleposeError, match=r"broken\.onnx: "):
        open_with(runtime, path)


@both
def test_a_file_of_somebody_else(runtime, tmp_path):
    path = graph_file(tmp_path / "yolo.onnx", {"heatmaps_0": 17, "tags": 17}, card=None)
    with pytest.raises(ScaleposeError, match=r"yolo\.onnx: carries no description of its network, so scalepose"):
        open_with(runtime, path)


@both
@pytest.mark.parametrize("card", ["{", "[]", json.dumps({"name": "small"}), CARD.to_json().replace("width", "girth")])
def test_a_card_that_we_did_not_write(runtime, card, tmp_path):
    path = graph_file(tmp_path / "odd.onnx", {"heatmaps_0": 17, "tags": 17}, card=card)
    with pytest.raises(ScaleposeError, match=r"odd\.onnx: its description is not one that scalepose wrote"):
        open_with(runtime, path)


@both
@pytest.mark.parametrize("outputs", [{"heatmaps_0": 17}, {"heatmaps_0": 17, "tags": 16}, {"maps": 17, "tags": 17}])
def test_a_file_that_does_not_hold_what_its_card_says(runtime, outputs, tmp_path):
    path = graph_file(tmp_path / "other.onnx", outputs)
    with pytest.raises(ScaleposeError, match=r"other\.onnx: does not hold the network it describes: small gives"):
        open_with(runtime, path)


@both
def test_weights_outside_of_the_folder_are_refused(runtime, tmp_path):
    (tmp_path / "secret.bin").write_bytes(np.ones(17, np.float32).tobytes())
    weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[1, 17, 1, 1])
    weight.data_location = onnx.TensorProto.EXTERNAL
    (tmp_path / "folder").mkdir()
    for location in ("../secret.bin", str(tmp_path / "secret.bin")):
        del weight.external_data[:]
        weight.external_data.add(key="location", value=location)
        path = graph_file(tmp_path / "folder" / "thief.onnx", {"heatmaps_0": 17, "tags": 17}, weight=weight)
        with pytest.raises(ScaleposeError, match=r"thief\.onnx: is no ONNX file that can be run"):
            open_with(runtime, path)
