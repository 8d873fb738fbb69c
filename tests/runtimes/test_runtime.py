"""Opening a network: which runtime is taken, the same maps and people on each, and what a wrong request is told."""

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from scalepose.errors import MissingExtra, ScaleposeError
from scalepose.models import zoo
from scalepose.models.normalise import normalise
from scalepose.predictor import Predictor
from scalepose.runtimes import RUNTIMES, open_runtime
from scalepose.runtimes.runtime import cores


def picture(w: int, h: int, seed: int) -> np.ndarray:
    """Smooth coloured noise: (h, w, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (h // 8, w // 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)


def open_tiny(runtime: str, tiny_onnx, tiny_safetensors):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    return open_runtime(tiny_safetensors if runtime == "torch" else tiny_onnx, runtime)


@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name != "auto"])
def test_the_same_maps_on_every_runtime(runtime, tiny_model, tiny_onnx, tiny_safetensors):
    import torch

    opened = open_tiny(runtime, tiny_onnx, tiny_safetensors)
    assert opened.card == tiny_model.card
    for B, h, w in ((1, 64, 96), (3, 128, 64), (1, 64, 96)):
        images = np.stack([normalise(picture(w, h, seed)) for seed in range(B)])
        with torch.inference_mode():
            expected = tiny_model(torch.from_numpy(images))
        given = opened(images)
        assert given.offsets is None
        assert len(given.heatmaps) == 2
        for a, b in zip([*expected.heatmaps, expected.tags], [*given.heatmaps, given.tags], strict=True):
            assert a is not None
            assert b is not None
            assert b.dtype == np.float32
            np.testing.assert_allclose(b, a.numpy(), atol=1e-4 * float(a.std()))


def test_bf16_maps_are_near(tiny_safetensors):
    images = np.stack([normalise(picture(96, 64, seed)) for seed in range(2)])
    exact, near = (open_runtime(tiny_safetensors, runtime) for runtime in ("torch", "torch-bf16"))
    assert near.name == exact.name + " · bf16"
    a, b = exact(images), near(images)
    for expected, given in zip([*a.heatmaps, a.tags], [*b.heatmaps, b.tags], strict=True):
        assert expected is not None
        assert given is not None
        assert given.dtype == np.float32
        difference = np.sqrt(np.mean((given - expected) ** 2)) / expected.std()
        assert 1e-4 < difference < 0.05


@pytest.mark.parametrize("profile", ["paper", "fast"])
@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_the_same_people_on_every_runtime(runtime, profile, tiny_onnx, tiny_safetensors):
    reference = Predictor(open_runtime(tiny_onnx), profile=profile)
    other = Predictor(open_tiny(runtime, tiny_onnx, tiny_safetensors), profile=profile)
    found, same = 0, []
    for seed, size in enumerate([(160, 120), (120, 200), (128, 128)]):
        expected, given = (predictor(picture(*size, seed)) for predictor in (reference, other))
        assert len(given) == len(expected)
        # Of everybody the like is sought among all: people with scores alike to the last digit may change places.
        moved = np.abs(given.keypoints[:, None] - expected.keypoints).max(-1)  # NaN where a joint is missing
        lost = np.isnan(given.keypoints[:, None]) != np.isnan(expected.keypoints)
        other_score = np.abs(given.keypoint_scores[:, None] - expected.keypoint_scores) > 1e-4
        alike = ~lost.any(-1) & ~(moved > 0.01) & ~other_score  # (given, expected, keypoints)
        same.append(alike[alike.sum(-1).argmax(0), np.arange(len(expected))])
        found += len(given)
    assert found >= 3
    assert np.concatenate(same).mean() > 0.99  # in noise, two peaks may be equal to the last digit


def test_auto_takes_the_runtime_of_the_file(tiny_onnx, tiny_safetensors):
    assert open_runtime(tiny_onnx).name.startswith("onnxruntime ")
    assert open_runtime(str(tiny_safetensors)).name.startswith("torch ")


def test_names_say_what_runs(tiny_onnx):
    runtime = open_runtime(tiny_onnx)
    assert f"CPUExecutionProvider · {cores()} threads" in runtime.name
    assert repr(runtime) == f"OnnxRuntime('tiny', {runtime.name})"


def test_shipped_weights_open_by_name(tiny_onnx, tiny_safetensors, monkeypatch):
    card = replace(open_runtime(tiny_onnx).card, name="shipped", weights="shipped")
    monkeypatch.setitem(zoo.MODELS, "shipped", card)
    monkeypatch.setattr(zoo, "files", lambda package: tiny_onnx.parent)
    (tiny_onnx.parent / "weights").mkdir(exist_ok=True)
    (tiny_onnx.parent / "weights" / "shipped.onnx").write_bytes(tiny_onnx.read_bytes())
    assert open_runtime("shipped").name.startswith("onnxruntime ")
    with pytest.raises(ScaleposeError, match="'shipped' is not shipped in a form that torch runs"):
        open_runtime("shipped", "torch")


@pytest.mark.parametrize(
    ("model", "runtime", "reason"),
    [
        ("nobody", "auto", "no model is called 'nobody'; there are: .*higherhrnet-w32-512"),
        ("higherhrnet-w32-512", "auto", "no weights of 'higherhrnet-w32-512' are shipped; .*scalepose import"),
        ("missing.onnx", "auto", "missing.onnx: there is no such file"),
        ("missing.safetensors", "torch", "missing.safetensors: there is no such file"),
        ("nobody", "tensorrt", "no runtime is called 'tensorrt'; there are: auto, onnx, openvino, torch"),
    ],
)
def test_what_is_not_there_is_said(model, runtime, reason):
    with pytest.raises(ScaleposeError, match=reason):
        open_runtime(model, runtime)


def test_a_file_for_another_runtime_is_said(tiny_onnx, tiny_safetensors, tmp_path):
    with pytest.raises(ScaleposeError, match=r"torch runs \.safetensors only; give the file from which"):
        open_runtime(tiny_onnx, "torch")
    for runtime in ("onnx", "openvino"):
        with pytest.raises(ScaleposeError, match=rf"{runtime} needs an ONNX file; make one with: scalepose export"):
            open_runtime(tiny_safetensors, runtime)
    checkpoint = tmp_path / "official.pth"
    checkpoint.write_bytes(b"x")
    with pytest.raises(ScaleposeError, match=r"scalepose import .*official\.pth --model NAME"):
        open_runtime(checkpoint)


@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name != "auto"])
@pytest.mark.parametrize(
    ("shape", "dtype", "reason"),
    [
        ((1, 3, 64, 80), np.float32, "multiples of 32 pixels, not 80×64"),
        ((0, 3, 64, 64), np.float32, "batch of 0"),
        ((1, 3, 0, 64), np.float32, "not 64×0"),
        ((1, 4, 64, 64), np.float32, r"takes \(B, 3, H, W\) float32 images"),
        ((3, 64, 64), np.float32, r"takes \(B, 3, H, W\) float32 images, not \(3, 64, 64\)"),
        ((1, 3, 64, 64), np.float64, "float64"),
    ],
)
def test_images_that_the_network_cannot_take(runtime, shape, dtype, reason, tiny_onnx, tiny_safetensors):
    with pytest.raises(ScaleposeError, match=reason):
        open_tiny(runtime, tiny_onnx, tiny_safetensors)(np.zeros(shape, dtype))


MEMORY = {
    "onnx": "[ONNXRuntimeError] : 1 : FAIL : ... Failed to allocate memory for requested buffer of size 134217728",
    "openvino": "Exception from src/inference/src/cpp/infer_request.cpp:116:\nstd::bad_alloc",
    "torch": "CUDA out of memory. Tried to allocate 2.00 GiB.\nMore of it",
}


@pytest.mark.parametrize("runtime", MEMORY)
def test_what_goes_wrong_in_a_run_ends_one_picture_only(runtime, tiny_onnx, tiny_safetensors, monkeypatch):
    opened = open_tiny(runtime, tiny_onnx, tiny_safetensors)
    images = np.zeros((1, 3, 64, 96), np.float32)
    said = ""

    class Broken:
        card = opened.card

        def __call__(self, *_):
            raise RuntimeError(said)

        run = __call__

    monkeypatch.setattr(opened, "_session" if runtime == "onnx" else "_model", Broken())
    said = "Node 7 is unwell\nwith a stack"
    with pytest.raises(ScaleposeError, match=r"tiny cannot be run on 1×3×64×96 values \(Node 7 is unwell\); try "):
        opened(images)
    said = MEMORY[runtime]
    with pytest.raises(MemoryError, match=r"not enough memory for tiny on 1×3×64×96 values; a smaller picture"):
        opened(images)


def test_compiled_torch_tells_lack_of_memory_from_lack_of_a_compiler(tiny_safetensors, monkeypatch):
    opened = open_runtime(tiny_safetensors, "torch-compiled")
    for said, kind in (("No working C++ compiler", ScaleposeError), (MEMORY["torch"], MemoryError)):

        def fail(batch, said=said):
            raise RuntimeError(said)

        monkeypatch.setattr(opened, "_compiled", fail)
        with pytest.raises(kind):
            opened(np.zeros((1, 3, 64, 96), np.float32))


def test_the_death_of_a_loading_process_is_not_the_network_s(tiny_safetensors, monkeypatch):
    opened = open_runtime(tiny_safetensors, "torch")

    def interrupted(batch):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")

    monkeypatch.setattr(vars(opened)["_model"], "forward", interrupted)
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        opened(np.zeros((1, 3, 64, 96), np.float32))


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cores() == 3
    for value in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cores() >= 1


@pytest.mark.parametrize(("module", "extra"), [("openvino", "openvino"), ("onnx", "export"), ("onnxscript", "export")])
def test_a_missing_package_names_its_extra(module, extra, monkeypatch):
    owner = "scalepose.runtimes." + ("openvino" if module == "openvino" else "export")
    for loaded in [owner, "scalepose.runtimes.compress", "scalepose.runtimes.trace"]:
        monkeypatch.delitem(sys.modules, loaded, raising=False)
    monkeypatch.setitem(sys.modules, module, None)  # what an import of a missing module meets
    with pytest.raises(MissingExtra, match=rf"{module} is not installed; run: pip install 'scalepose\[{extra}\]'"):
        __import__(owner)


def test_predicting_with_onnx_loads_no_torch(tiny_onnx):
    code = (
        "import sys, numpy as np; from scalepose import Predictor; "
        f"Predictor({str(tiny_onnx)!r})(np.zeros((64, 64, 3), np.uint8)); "
        "sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_torch_missing_is_said(tiny_safetensors):
    code = (
        "import sys; sys.modules['torch'] = None; from scalepose.runtimes import open_runtime\n"
        f"try: open_runtime({str(tiny_safetensors)!r})\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stdout
    assert said.startswith("MissingExtra torch is not installed; run: pip install 'scalepose[torch]'")
