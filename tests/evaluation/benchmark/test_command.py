"""`scalepose benchmark` from end to end, on a tiny network."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import pytest

from scalepose.cli import main
from scalepose.evaluation.benchmark.machine import describe_machine, multiply_adds, peak_mebibytes
from scalepose.evaluation.benchmark.work import GROUPINGS
from scalepose.models.zoo import MODELS

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="module")
def measured(tiny_safetensors: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("benchmark")
    files = ["--images", str(SAMPLES), "--json", str(out / "deep" / "r.json"), "--plot", str(out / "plot.png")]
    status = main(["benchmark", "--model", str(tiny_safetensors), "--quick", *files])
    assert status == 0
    assert cv2.imread(str(out / "plot.png")) is not None
    return json.loads((out / "deep" / "r.json").read_text(encoding="utf-8"))


def test_receipt_says_how_to_repeat_it(measured: dict[str, Any]):
    assert {"command", "commit", "versions", "date", "machine"} <= set(measured)
    assert measured["machine"]["threads"] == int(os.environ["OMP_NUM_THREADS"])
    (entry,) = measured["configurations"]
    assert entry["runtime"].startswith("torch")
    assert len(entry["file_sha256"]) == 64
    assert ["onnx" in reason or "openvino" in reason for reason in measured["left_out"]] == [True, True]


def test_receipt_holds_every_figure(measured: dict[str, Any]):
    (entry,) = measured["configurations"]
    assert all(part["median"] < entry["times"]["wall"]["high"] for part in entry["parts"].values())
    assert entry["network"]["gflop"] > 0
    assert [people["people"] for people in entry["people"]] == [1, 30]
    assert [mosaic["tiles"] for mosaic in entry["mosaics"]] == [1, 30]
    assert entry["peak_mebibytes"] is None or entry["peak_mebibytes"] > 50
    assert [decode["grouping"] for decode in measured["decode"]] == list(GROUPINGS)


def test_counted_multiply_adds_are_the_published_ones():
    pytest.importorskip("torch")
    assert multiply_adds(MODELS["higherhrnet-w32-512"], 512) == pytest.approx(46.2e9, rel=2e-3)


def test_machine_is_described():
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["processor"]
    peak = peak_mebibytes()
    assert peak is None or peak > 10


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--model", "nothing-like-it"], "nothing-like-it"),
        (["--model", "no.onnx"], "no.onnx"),
        (["--images", "no-folder"], "no-folder"),
        (["--plot", "plot.svg"], "plot.svg"),
        (["--modle", "x"], "--modle"),
        (["--training", "no-recipe.yaml"], "no-recipe.yaml"),
    ],
)
def test_mistake_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]):
    assert main(["benchmark", *arguments]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def test_runtime_that_was_asked_for_must_open_the_model(tiny_safetensors: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["benchmark", "--model", str(tiny_safetensors), "--runtime", "onnx"]) == 2
    assert "scalepose export" in capsys.readouterr().err
