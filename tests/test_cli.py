"""The command line as its users see it: what is written, what is printed, and the exit status."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose import __version__
from scalepose.cli import _overrides, main
from scalepose.errors import ScaleposeError
from scalepose.models.cropcards import CROP_MODELS
from scalepose.models.zoo import MODELS
from scalepose.predictor import Predictor
from scalepose.runtimes import open_runtime
from scalepose.runtimes.onnx import OnnxRuntime
from scalepose.skeletons import COCO17

VERBS = (
    "benchmark",
    "check",
    "doctor",
    "evaluate",
    "export",
    "import",
    "models",
    "predict",
    "preview",
    "synth",
    "train",
)


LONG = "long" * 80  # more than any file system takes


def run(*arguments: str | Path) -> int:
    """The exit status of `scalepose ARGUMENTS`, in this process."""
    return main([str(argument) for argument in arguments])


def write_picture(path: Path, width: int = 96, height: int = 64, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC))
    return path


def write_data_set(folder: Path, pictures: int = 3) -> Path:
    """A COCO-style data set with two people a picture; the path of its json."""
    random = np.random.default_rng(0)
    images, people = [], []
    for i in range(pictures):
        write_picture(folder / "images" / f"{i + 1:012d}.jpg", seed=i)
        images.append({"id": i + 1, "file_name": f"{i + 1:012d}.jpg", "width": 96, "height": 64})
        for left in (4, 50):
            points = np.c_[random.uniform(left, left + 40, 17), random.uniform(4, 60, 17), np.full(17, 2)]
            box = [left, 4, 40, 56]
            people.append({"id": len(people) + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "bbox": box})
            people[-1] |= {"area": 0.5 * 40 * 56, "keypoints": points.ravel().tolist()}
    content = {"images": images, "annotations": people, "categories": [COCO17.to_category()]}
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return path


# ---- help, usage, errors


def test_help_names_every_verb_and_every_verb_explains_its_options(capsys: pytest.CaptureFixture[str]):
    assert run("--help") == 0
    overview = capsys.readouterr().out
    for verb in VERBS:
        assert f"│ {verb} " in overview
        assert run(verb, "--help") == 0
        described = capsys.readouterr().out
        options = [line for line in described.splitlines() if line.startswith(("│ --", "│ *"))]
        assert all(len(line.split()) > 4 for line in options), described


def test_version(capsys: pytest.CaptureFixture[str]):
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["preditc", "a.jpg"], "preditc"),
        (["predict"], "SOURCES"),
        (["predict", "a.jpg", "--profile", "slow"], "--profile"),
        (["predict", "a.jpg", "--score", "high"], "--score"),
        (["predict", "a.jpg", "--modle", "x"], "--modle"),
        (["predict", "a.jpg", "--batch", "0"], "--batch"),
        (["evaluate"], "--annotations"),
        (["export", "m.safetensors"], "--out"),
        (["models", "nothing-like-it"], "higherhrnet-w32-512"),
        (["preview", "no-such-recipe.yaml"], "no-such-recipe.yaml"),
        (["train", "r.yaml", "stray"], "stray"),
        (["train", "r.yaml", "--lr"], "--lr needs a value"),
        (["preview", "r.yaml", "--out", "grid.gif"], "grid.gif"),
        (["import", "no.pth", "--model", "higherhrnet-w32-512", "--out", "o.safetensors"], "no.pth"),
        (["export", "no.safetensors", "--out", "o.onnx"], "no.safetensors"),
        (["check", "no.json"], "no.json"),
        (["predict", "a.jpg", "--model", "nothing-like-it"], "nothing-like-it"),
        (["predict", "a.jpg", "--model", "no.onnx"], "no.onnx"),
        (["predict", "a.jpg", "--model", LONG + ".onnx"], "no such file"),
        (["predict", "a.jpg", "--json", LONG], "File name too long"),
        (["predict", "a.jpg", "--out", LONG], "File name too long"),
        (["predict", "a.jpg", "--boxes", "b.json", "--json", LONG], "b.json: cannot be read"),
        (["predict", f"{LONG}/*.jpg", "--boxes", "a.jpg"], "not valid json"),
        (["check", LONG], "File name too long"),
        (["check", f"{LONG}/people.json"], "File name too long"),
        (["evaluate", "--annotations", LONG, "--json", "r.json"], "File name too long"),
        (["export", LONG, "--out", "o.onnx"], "models"),
        (["evaluate", "--annotations", "no.json", "--finder", "x"], "--boxes people"),
        (["evaluate", "--annotations", "no.json", "--finder", "x", "--boxes", "annotations"], "--boxes people"),
    ],
)
def test_mistake_is_one_line_and_status_2(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "a.jpg")
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("scalepose: ")
    assert said.err.count("\n") == 1
    assert complaint in said.err


def test_overrides():
    assert _overrides(["--a.b", "1", "--c=x=y", "--d", "-1e-3"]) == {"a.b": "1", "c": "x=y", "d": "-1e-3"}
    with pytest.raises(ScaleposeError, match="twice"):
        _overrides(["--a", "1", "--a=2"])


def test_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    for module in [
        name for name in sys.modules if name.startswith(("scalepose.models.weights", "scalepose.models.bo"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("import", "a.pth", "--model", "higherhrnet-w32-512", "--out", tmp_path / "o.safetensors") == 2
    assert capsys.readouterr().err == "scalepose: torch is not installed; run: pip install 'scalepose[torch]'\n"


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (ScaleposeError("no"), 2), (OSError("no"), 2)]
)
def test_exit_status_of_what_stops_a_verb(error: BaseException, status: int, monkeypatch):
    def stop(_: object) -> None:
        raise error

    monkeypatch.setattr("scalepose.cli.app", stop)
    assert main([]) == status


def test_a_defect_is_not_hidden(monkeypatch):
    def fail(_: object) -> None:
        raise ModuleNotFoundError("no module of ours", name="scalepose.nowhere")

    monkeypatch.setattr("scalepose.cli.app", fail)
    with pytest.raises(ModuleNotFoundError):
        main([])


# ---- as processes: what only they can show


def process(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


def test_importing_and_helping_load_nothing_heavy():
    code = (
        "import sys, scalepose, scalepose.cli\n"
        "heavy = {'torch', 'onnxruntime', 'cv2', 'numpy', 'scipy', 'lightning'}\n"
        "assert scalepose.cli.main(['predict', '--help']) == 0\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    assert process("-c", code).stderr == "[]\n"


def test_process_ends_without_traceback(tmp_path: Path):
    done = process("-m", "scalepose", "check", str(tmp_path / "none.json"))
    assert done.returncode == 2
    assert done.stderr.startswith("scalepose: ")
    assert "Traceback" not in done.stderr


def test_reader_that_leaves_early_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "scalepose", "models"], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert done.stderr == b""
    assert done.returncode == 141


def test_names_that_are_no_text_can_be_printed(tmp_path: Path):
    path = write_data_set(tmp_path)
    content = json.loads(path.read_text())
    content["images"][0]["file_name"] = "\ud800.jpg"
    content["images"][1]["id"] = "\udcff"
    content["images"][2]["file_name"] = "café.jpg"
    path.write_text(json.dumps(content))
    done = process("-m", "scalepose", "check", str(path), env=os.environ | {"PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == f"{path}: image 1: file_name is '\\ud800.jpg', which is no text"
    assert lines[1] == f"{path}: image \\udcff: id is '\\udcff', which is no text"
    assert "café.jpg: there is no such file" in done.stdout


# ---- models, check, doctor


def test_models_lists_all_and_describes_one(capsys: pytest.CaptureFixture[str]):
    assert run("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*MODELS, *CROP_MODELS]
    assert run("models", "higherhrnet-w32-512-crowdpose") == 0
    card = capsys.readouterr().out
    assert "crowdpose14" in card
    assert "scalepose import" in card


def test_check_names_every_broken_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_data_set(tmp_path)
    assert run("check", path) == 0
    assert "no problems" in capsys.readouterr().out

    content = json.loads(path.read_text())
    content["annotations"][0]["keypoints"].pop()
    content["annotations"][3]["image_id"] = 99
    path.write_text(json.dumps(content))
    (tmp_path / "images" / "000000000003.jpg").unlink()
    assert run("check", path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines[:3])
    assert "annotation 1:" in lines[0]
    assert "annotation 4:" in lines[1]
    assert "image 3:" in lines[2]
    assert lines[-1] == "3 problems"

    assert run("check", path, "--no-pictures") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 problems"


def test_doctor_names_what_is_wrong(monkeypatch, tiny_onnx: Path, capsys: pytest.CaptureFixture[str]):
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "2.6.3" if name == "lightning" else real(name))
    monkeypatch.setattr("scalepose.predictor.open_runtime", lambda model, runtime: OnnxRuntime(tiny_onnx))
    assert run("doctor") == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "off", "warn", "fail"}
    assert [line for line in lines if line.startswith("fail")] == [
        "fail lightning 2.6.3 is a malicious release: uninstall it and change all passwords and keys on this machine"
    ]
    assert any("the default model tiny runs on onnxruntime" in line for line in lines)


def test_doctor_without_extras(monkeypatch, capsys: pytest.CaptureFixture[str]):
    installed = dict(metadata.packages_distributions())
    required = [*(metadata.requires("scalepose") or ()), "openvino; extra == 'openvino'"]
    monkeypatch.setattr(metadata, "requires", lambda name: required)
    for module in ("torch", "onnx", "lightning", "openvino"):
        installed.pop(module, None)
    installed["cv2"] = ["opencv-python-headless", "opencv-python-headless", "numpy"]
    monkeypatch.setattr(metadata, "packages_distributions", lambda: installed)
    monkeypatch.setattr("scalepose.predictor.open_runtime", lambda model, runtime: open_runtime("nowhere.onnx"))
    assert run("doctor") == 1
    said = capsys.readouterr().out
    assert (
        "off  [torch] to run .safetensors files and import published weights: torch missing; run: pip install" in said
    )
    for extra in ("train", "export", "openvino"):
        assert f"pip install 'scalepose[{extra}]'" in said
    assert "warn numpy" in said
    assert "both bring cv2" in said
    assert "fail the default model does not run: nowhere.onnx" in said


# ---- synth, predict, evaluate, import, train


def test_synth_makes_a_data_set_that_check_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("synth", "--count", "2", "--out", tmp_path, "--size", "96", "64", "--people", "1") == 0
    (path,) = tmp_path.glob("*.json")
    assert run("check", path) == 0
    assert "2 pictures, 2 people, 0 problems" in capsys.readouterr().out


def test_synth_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("synth", "--out", tmp_path) == 2
    assert "--count" in capsys.readouterr().err
    assert run("synth", "--out", tmp_path, "--scale-benchmark", "--seed", "1") == 2
    assert "always the same" in capsys.readouterr().err


def test_predict(tiny_onnx: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    write_picture(Path("in/000000000012.jpg"), 200, 120)
    write_picture(Path("in/beach.png"), 64, 64, seed=1)
    asked = ("predict", "in", "--model", tiny_onnx)
    assert run(*asked, "--out", "out", "--json", "people.json", "--score", "0.1") == 0
    results = json.loads(Path("people.json").read_text())
    assert {entry["image_id"] for entry in results} == {12, "beach"}
    for name in ("000000000012.jpg", "beach.png"):
        drawn, original = cv2.imread(f"out/{name}"), cv2.imread(f"in/{name}")
        assert drawn is not None
        assert original is not None
        assert drawn.shape == original.shape
    rows = Path("out/people.csv").read_text().splitlines()
    assert len(rows) - 1 == sum(value > 0 for entry in results for value in entry["keypoints"][2::3])
    assert f"{len(results)} people in 2 pictures · tiny on onnxruntime" in capsys.readouterr().out

    everybody = Predictor(tiny_onnx)("in/beach.png")
    assert [entry for entry in results if entry["image_id"] == "beach"] == everybody.filter(0.1).to_coco("beach")
    assert run(*asked, "--json", "sure.json") == 0
    sure = [entry for entry in json.loads(Path("sure.json").read_text()) if entry["image_id"] == "beach"]
    assert sure == everybody.filter(0.25).to_coco("beach")  # the least score unless another is asked for
    assert run("predict", "in/beach.png", "--model", tiny_onnx, "--json", "all.json", "--score", "0") == 0
    assert json.loads(Path("all.json").read_text()) == everybody.to_coco("beach")

    assert (
        run(
            "predict", "in", "missing.jpg", "--model", tiny_onnx, "--json", "again.json", "--flip", "--scales", "1", "2"
        )
        == 1
    )
    assert "scalepose: missing.jpg: there is no such file" in capsys.readouterr().err
    assert json.loads(Path("again.json").read_text()) != results


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_predict_into_a_place_that_cannot_be_written(tiny_onnx: Path, tmp_path: Path, capsys):
    picture = write_picture(tmp_path / "a.jpg")
    tmp_path.chmod(0o555)
    try:
        assert run("predict", picture, "--model", tiny_onnx, "--out", tmp_path / "out") == 2
    finally:
        tmp_path.chmod(0o755)
    assert capsys.readouterr().err == f"scalepose: {tmp_path}/out: cannot be written (Permission denied)\n"


def test_predict_into_a_file(tiny_onnx: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    picture = write_picture(tmp_path / "a.jpg")
    (tmp_path / "out").write_text("a file")
    assert run("predict", picture, "--model", tiny_onnx, "--out", tmp_path / "out") == 2
    assert capsys.readouterr().err == f"scalepose: {tmp_path}/out: cannot be written (File exists)\n"


def test_evaluate(tiny_onnx: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_data_set(tmp_path)
    assert run("evaluate", "--annotations", path, "--model", tiny_onnx, "--json", tmp_path / "r.json") == 0
    metrics = json.loads((tmp_path / "r.json").read_text())
    assert {"AP", "AP50", "AP75", "APM", "APL", "AR"} <= metrics.keys()
    assert "AP" in capsys.readouterr().out

    people = json.loads(path.read_text())["annotations"]
    perfect = [{k: person[k] for k in ("image_id", "category_id", "keypoints")} | {"score": 1.0} for person in people]
    (tmp_path / "perfect.json").write_text(json.dumps(perfect))
    receipt = tmp_path / "perfect-receipt.json"
    assert run("evaluate", "--annotations", path, "--results", tmp_path / "perfect.json", "--json", receipt) == 0
    assert json.loads(receipt.read_text())["AP"] == pytest.approx(1)


def test_boxes(tiny_crop_safetensors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    annotations = write_data_set(tmp_path)
    model = ("--model", tiny_crop_safetensors, "--runtime", "torch")
    out = tmp_path / "people.json"
    pictures = tmp_path / "images"
    assert run("predict", pictures, "--boxes", annotations, *model, "--json", out, "--score", "0") == 0
    assert len(json.loads(out.read_text())) == 6
    receipt = tmp_path / "receipt.json"
    measured = ("evaluate", "--annotations", annotations, *model, "--json", receipt)
    assert run(*measured, "--boxes", "annotations", "--low-res", "32x24") == 0
    assert json.loads(receipt.read_text())["low_res"] == "32x24"
    assert run(*measured, "--boxes", out) == 0
    capsys.readouterr()
    for arguments, words in (
        ((*measured, "--low-res", "64x48"), "--boxes"),
        ((*measured, "--boxes", "annotations", "--scales", "1"), "--scales"),
        ((*measured, "--boxes", "annotations", "--low-res", "64"), "HEIGHTxWIDTH"),
        ((*measured, "--boxes", "nowhere.json"), "nowhere.json"),
        (("predict", pictures, "--boxes", annotations, "--profile", "paper"), "--profile"),
        (("predict", pictures, "--boxes", annotations, "--batch", "2"), "--batch"),
    ):
        assert run(*arguments) == 2
        assert words in capsys.readouterr().err


def test_boxes_need_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    samples = Path(__file__).parents[1] / "samples"
    boxes, out = samples / "person_keypoints.json", tmp_path / "people.json"
    assert run("predict", samples, "--boxes", boxes, "--json", out, "--score", "0") == 0
    assert len(json.loads(out.read_text())) == len(json.loads(boxes.read_text())["annotations"])
    assert "people in 6 pictures · cal-light-w16-128x96" in capsys.readouterr().out


def test_import(tiny_model, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    torch = pytest.importorskip("torch")
    monkeypatch.setitem(MODELS, "tiny", tiny_model.card)
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in tiny_model.state_dict().items()}}, tmp_path / "official.pth"
    )
    out = tmp_path / "tiny.safetensors"
    assert run("import", tmp_path / "official.pth", "--model", "tiny", "--out", out) == 0
    assert "tensors loaded" in capsys.readouterr().out
    assert run("import", tmp_path / "official.pth", "--model", "hrnet-ae-w32-512", "--out", out) == 2
    assert "tiny" in capsys.readouterr().err

    picture = write_picture(tmp_path / "a.jpg")
    assert run("predict", picture, "--model", out, "--csv", tmp_path / "p.csv") == 0
    assert "tiny on torch" in capsys.readouterr().out


def test_train_passes_recipe_overrides_and_folder_on(tmp_path: Path, monkeypatch):
    pytest.importorskip("lightning")
    import scalepose.training

    calls = []
    results = iter([tmp_path / "model.safetensors", None])

    def train(*arguments, **options):
        calls.append((arguments, options))
        return next(results)

    monkeypatch.setattr(scalepose.training, "train", train, raising=False)
    assert run("train", "r.yaml", "--resume", "--schedule.epochs", "3", "--optimiser.lr=-1", "--out", "o") == 0
    assert calls == [
        ((Path("r.yaml"), {"schedule.epochs": "3", "optimiser.lr": "-1"}), {"resume": True, "out": Path("o")})
    ]
    assert run("train", "r.yaml") == 1  # stopped before its end
    assert calls[1] == ((Path("r.yaml"), {}), {"resume": False, "out": None})
