"""Export: the file is what it should be, takes any batch and size, is half as large as fp16, or is not written."""

import collections
import copy

import numpy as np
import pytest

from scalepose.errors import ScaleposeError
from scalepose.models import ModelCard, Network, build
from scalepose.runtimes import export, export_onnx, open_runtime
from scalepose.skeletons import CROWDPOSE14

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")


def operators(path) -> collections.Counter:
    return collections.Counter(node.op_type for node in onnx.load(path).graph.node)


def test_the_graph(tiny_onnx, tiny_model):
    proto = onnx.load(tiny_onnx)
    onnx.checker.check_model(proto, full_check=True)
    count = operators(tiny_onnx)
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in tiny_model.modules())
    assert count["BatchNormalization"] == 0
    assert count["Conv"] == convolutions + 1  # the deconvolution
    assert count["ConvTranspose"] == 0
    assert count["DepthToSpace"] == 1
    assert count["Shape"] == 0  # sizes are not computed: nothing in the graph knows one
    sides = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in
             (*proto.graph.input, *proto.graph.output)}  # fmt: skip
    assert sides == {
        "images": ["batch", 3, "height", "width"],
        "heatmaps_0": ["batch", 17, "height/4", "width/4"],
        "heatmaps_1": ["batch", 17, "height/2", "width/2"],
        "tags": ["batch", 17, "height/4", "width/4"],
    }


def test_the_file_says_what_it_is_and_nothing_about_the_machine(tiny_onnx, tiny_model):
    content = tiny_onnx.read_bytes()
    (entry,) = onnx.load(tiny_onnx).metadata_props
    assert ModelCard.from_json(entry.value, "test") == tiny_model.card
    assert b".py" not in content
    assert b"forward" not in content


@pytest.fixture(scope="module")
def tiny_int8(tiny_model, tiny_onnx, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "trace", lambda model: onnx.load(tiny_onnx))
        patch.setattr(export, "LEAST_SPREAD", 1.0)  # a random network rounds worse than a trained one
        path = tmp_path_factory.mktemp("int8") / "tiny8.onnx"
        report = export_onnx(tiny_model, path, "int8")
    return path, report


def test_int8_computes_in_eight_bits(tiny_int8, tiny_onnx, tiny_model, tmp_path):
    path, report = tiny_int8
    assert 1e-4 < report.error <= 0.15
    weights, full = (sum(len(w.raw_data) for w in onnx.load(p).graph.initializer) for p in (path, tiny_onnx))
    assert weights / full < 0.35
    (entry,) = onnx.load(path).metadata_props
    assert ModelCard.from_json(entry.value, "test") == tiny_model.card
    assert b".py" not in path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "as_run.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    count = operators(tmp_path / "as_run.onnx")
    floating = count["Conv"] + count["FusedConv"]
    assert floating == 3  # the first and the two that predict
    assert count["QLinearConv"] == operators(tiny_onnx)["Conv"] - floating


def test_int8_says_the_same_on_openvino(tiny_int8):
    pytest.importorskip("openvino")
    path, _ = tiny_int8
    images = np.random.default_rng(0).standard_normal((2, 3, 16, 24), np.float32).repeat(4, axis=2).repeat(4, axis=3)
    a, b = (open_runtime(path, runtime)(images) for runtime in ("onnx", "openvino"))
    for expected, given in zip([*a.heatmaps, a.tags], [*b.heatmaps, b.tags], strict=True):
        assert expected is not None
        assert given is not None
        assert np.sqrt(np.mean((given - expected) ** 2)) < 0.3 * expected.std()


def test_fp16_is_half_the_file_and_the_same_network_once_opened(tiny_model, tiny_onnx, tmp_path, monkeypatch):
    path = tmp_path / "half.onnx"
    monkeypatch.setattr(export, "trace", lambda model: onnx.load(tiny_onnx))
    report = export_onnx(tiny_model, path, "fp16")
    weights, graph = (sum(len(w.raw_data) for w in onnx.load(p).graph.initializer) for p in (path, tiny_onnx))
    assert weights / graph < 0.52
    assert report.bytes == path.stat().st_size
    assert 1e-6 < report.error < 2e-2
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "as_run.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    assert operators(tmp_path / "as_run.onnx")["Cast"] == 0


@pytest.mark.parametrize(
    "card",
    [
        ModelCard("ae", Network(8, 16, 1, (1, 1, 1), 1, deconvs=0, aggregate=False), input_size=64),
        ModelCard(
            "two",
            Network(
                8,
                16,
                1,
                (1, 1, 1),
                1,
                deconvs=2,
                deconv_blocks=0,
                concat=False,
                tag_per_keypoint=False,
                mix=16,
                centre_offsets=True,
            ),
            CROWDPOSE14,
        ),
    ],
    ids=lambda card: card.name,
)
def test_other_networks(card, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "other.onnx"
    report = export_onnx(build(card), path)
    assert report.error <= 1e-4
    assert str(report).startswith(f"{path}: ")
    runtime = open_runtime(path)
    assert runtime.card == card
    K, levels = len(card.skeleton), card.network.deconvs + 1
    outputs = runtime(np.zeros((2, 3, 64, 96), np.float32))
    assert [h.shape for h in outputs.heatmaps] == [(2, K, 16 << i, 24 << i) for i in range(levels)]
    assert outputs.tags is not None
    assert outputs.tags.shape == (2, K if card.network.tag_per_keypoint else 1, 16, 24)
    assert (outputs.offsets is not None) == card.network.centre_offsets
    assert operators(path)["Shape"] == 0  # with one, OpenVINO 2026.4 computes other values of an int8 network


def test_the_model_stays_as_it_was(tiny_model, tmp_path, monkeypatch):
    model = copy.deepcopy(tiny_model).train()
    before = copy.deepcopy(model.state_dict())
    monkeypatch.setattr(export, "trace", lambda model: onnx.ModelProto())
    with pytest.raises(ScaleposeError):
        export_onnx(model, tmp_path / "a.onnx")
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_file_that_differs_from_torch_is_not_written(tiny_model, tiny_onnx, tmp_path, monkeypatch):
    wrong = onnx.load(tiny_onnx)
    bias = next(w for w in wrong.graph.initializer if w.name.endswith("final_layers.1.bias"))
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(1e-3), bias.name))
    monkeypatch.setattr(export, "trace", lambda model: wrong)
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"an older file")
    with pytest.raises(ScaleposeError, match=r"wrong\.onnx: not written, since its outputs would differ from torch by"):
        export_onnx(tiny_model, path)
    assert [p.name for p in tmp_path.iterdir()] == ["wrong.onnx"]
    assert path.read_bytes() == b"an older file"


def test_weights_too_large_for_half(tiny_model, tiny_onnx, tmp_path, monkeypatch):
    large = onnx.load(tiny_onnx)
    weight = next(w for w in large.graph.initializer if len(w.dims) == 4)
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1e7), weight.name))
    monkeypatch.setattr(export, "trace", lambda model: large)
    with pytest.raises(ScaleposeError, match="do not fit fp16; export as fp32"):
        export_onnx(tiny_model, tmp_path / "large.onnx", "fp16")


def test_wrong_requests(tiny_model, tmp_path):
    with pytest.raises(ScaleposeError, match="no precision is called 'int4'; there are: fp32, fp16"):
        export_onnx(tiny_model, tmp_path / "a.onnx", "int4")
    with pytest.raises(ScaleposeError, match=r"written as \.onnx; give a name that ends so"):
        export_onnx(tiny_model, tmp_path / "a.xml")


def test_a_place_that_cannot_be_written(tiny_model, tiny_onnx, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "trace", lambda model: onnx.load(tiny_onnx))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ScaleposeError, match=r"a\.onnx: cannot be written"):
        export_onnx(tiny_model, tmp_path / "file" / "a.onnx")
