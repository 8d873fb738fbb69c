"""Networks for crops on every runtime: the same maps, fixed crops, any batch."""

from dataclasses import replace

import numpy as np
import pytest

from scalepose.errors import ScaleposeError
from scalepose.models import CropCard, CropNetwork, cropcards, zoo
from scalepose.predictor import Predictor
from scalepose.runtimes import RUNTIMES, open_runtime

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from scalepose.models import TopDown, build_crops  # noqa: E402
from scalepose.runtimes import export_onnx  # noqa: E402
from scalepose.runtimes.torch import TorchRuntime  # noqa: E402

each_runtime = pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name != "auto"])


@pytest.fixture
def open_tiny(tiny_crop_onnx, tiny_crop_safetensors):
    def opened(runtime: str):
        if runtime == "openvino":
            pytest.importorskip("openvino")
        return open_runtime(tiny_crop_safetensors if runtime == "torch" else tiny_crop_onnx, runtime)

    return opened


@each_runtime
def test_the_same_maps_on_every_runtime(runtime, open_tiny, tiny_crop_model):
    opened = open_tiny(runtime)
    assert opened.card == tiny_crop_model.card
    for B in (1, 5, 2):
        crops = np.random.default_rng(B).standard_normal((B, 3, 8, 6), np.float32).repeat(8, axis=2).repeat(8, axis=3)
        with torch.inference_mode():
            expected = tiny_crop_model(torch.from_numpy(crops))
        given = opened(crops)
        assert repr(given) == f"Outputs(heatmaps=[{B}×17×16×12], tags=None, offsets={B}×17×2×16×12)"
        for a, b in ((expected.heatmaps[0], given.heatmaps[0]), (expected.offsets, given.offsets)):
            assert b.dtype == np.float32
            np.testing.assert_allclose(b, a.numpy(), atol=1e-4 * float(a.std()))


@each_runtime
@pytest.mark.parametrize("shape", [(1, 3, 48, 64), (0, 3, 64, 48), (2, 3, 128, 96), (1, 3, 64, 64)])
def test_crops_of_another_size_are_refused(runtime, shape, open_tiny):
    with pytest.raises(ScaleposeError, match="tiny-crops takes crops of 48×64 pixels, not "):
        open_tiny(runtime)(np.zeros(shape, np.float32))


def test_the_graph(tiny_crop_onnx, tiny_crop_model):
    proto = onnx.load(tiny_crop_onnx)
    onnx.checker.check_model(proto, full_check=True)
    operators = {node.op_type for node in proto.graph.node}
    assert not operators & {"BatchNormalization", "Shape"}
    sides = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in
             (*proto.graph.input, *proto.graph.output)}  # fmt: skip
    assert sides == {
        "images": ["batch", 3, 64, 48],
        "heatmaps_0": ["batch", 17, 16, 12],
        "offsets": ["batch", 17, 2, 16, 12],
    }
    assert b".py" not in tiny_crop_onnx.read_bytes()
    (entry,) = proto.metadata_props
    assert CropCard.from_json(entry.value, "test") == tiny_crop_model.card


def of_head(head) -> TopDown:
    network = CropNetwork(width=4, stem=4, layer1=1, modules=(1, 1, 1), blocks=1, branches=3, head=head)
    return build_crops(CropCard(head, network, crop_size=(48, 64)))


def test_two_branches(tmp_path):
    model = of_head("cal")
    report = export_onnx(model, tmp_path / "cal.onnx")
    assert report.error <= 1e-4
    assert "compared at 1×3×64×48, 3×3×64×48" in str(report)
    runtime = open_runtime(tmp_path / "cal.onnx")
    assert runtime.card == model.card
    assert "offsets=2×17×2×16×12" in repr(runtime(np.zeros((2, 3, 64, 48), np.float32)))


def test_heatmaps_alone():
    outputs = TorchRuntime(of_head("heatmap"))(np.zeros((2, 3, 64, 48), np.float32))
    assert repr(outputs) == "Outputs(heatmaps=[2×17×16×12], tags=None, offsets=None)"


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_file_that_does_not_hold_what_its_card_says(runtime, tiny_crop_onnx, tiny_crop_model, tmp_path):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    proto = onnx.load(tiny_crop_onnx)
    card = tiny_crop_model.card
    liar = replace(card, network=replace(card.network, head="heatmap"))
    proto.metadata_props[0].value = liar.to_json()
    (tmp_path / "liar.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ScaleposeError, match=r"liar\.onnx: does not hold the network it describes: tiny-crops gives"):
        open_runtime(tmp_path / "liar.onnx", runtime)


def test_shipped_weights_open_by_name(tiny_crop_onnx, tiny_crop_model, monkeypatch):
    monkeypatch.setitem(cropcards.CROP_MODELS, "shipped", replace(tiny_crop_model.card, weights="shipped-crops"))
    monkeypatch.setattr(zoo, "files", lambda package: tiny_crop_onnx.parent)
    (tiny_crop_onnx.parent / "weights").mkdir(exist_ok=True)
    (tiny_crop_onnx.parent / "weights" / "shipped-crops.onnx").write_bytes(tiny_crop_onnx.read_bytes())
    assert open_runtime("shipped").card.crop_size == (48, 64)


def test_names_without_weights_say_how_to_bring_them():
    with pytest.raises(ScaleposeError, match=r"no weights of 'cal-w32-128x96' are shipped; .*scalepose import"):
        open_runtime("cal-w32-128x96")


def test_pictures_are_not_given_to_a_network_for_crops(tiny_crop_onnx):
    with pytest.raises(ScaleposeError, match="tiny-crops reads crops of single people, not pictures"):
        Predictor(tiny_crop_onnx)
