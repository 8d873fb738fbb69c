"""What the README marks with `<!-- run -->` is run, in order, in a folder with samples, recipes and a small data set.

Training is cut down to seconds; otherwise the commands are the README's.
"""

import importlib
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose.cli import app, main
from scalepose.models.zoo import MODELS
from scalepose.skeletons import COCO17

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^<!-- run -->\n```(bash|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
QUICK = """
    --model.network.width 8 --model.network.stem 16 --model.network.layer1 1 --model.network.modules [1,1,1]
    --model.network.blocks 1 --batch_size 2 --schedule.epochs 1 --validate_every 1
"""
PICTURES = "--model.input_size 64 --model.network.deconv_blocks 1"
CROPS = "--model.crop_size [32,64] --data.samples_per_epoch 4 --init.pretrained null --compile false"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("recipes", "samples"):
        shutil.copytree(ROOT / name, name)
    shutil.copy("samples/000000.jpg", "photo.jpg")
    _write_data_set(Path("my-data"))
    return tmp_path


def _write_picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (96, 64), interpolation=cv2.INTER_CUBIC))


def _write_data_set(folder: Path) -> None:
    """train.json and val.json, one person in each of four pictures."""
    points = np.c_[np.linspace(10, 80, 17), np.linspace(5, 60, 17), np.full(17, 2)].ravel().tolist()
    images = [{"id": i, "file_name": f"{i}.png", "width": 96, "height": 64} for i in range(4)]
    person = {"category_id": 1, "iscrowd": 0, "bbox": [8, 4, 76, 58], "area": 2000.0, "keypoints": points}
    people = [person | {"id": i + 1, "image_id": i} for i in range(4)]
    for i in range(4):
        _write_picture(folder / "images" / f"{i}.png", i)
    content = {"images": images, "annotations": people, "categories": [COCO17.to_category()]}
    for name in ("train.json", "val.json"):
        (folder / name).write_text(json.dumps(content))


def test_blocks_marked_to_run_do(folder: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("lightning")
    assert [kind for kind, _ in BLOCKS] == ["bash", "python", *["bash"] * 7]
    for kind, text in BLOCKS:
        if kind == "python":
            names: dict[str, object] = {}
            exec(text, names)
            poses = names["poses"]
            for expression, shape in re.findall(r"^(poses\.\w+)\s+# (\([^)]*\))", text, re.MULTILINE):
                assert eval(expression, {"poses": poses}).shape == eval(shape, {"P": len(poses)})  # type: ignore[arg-type]
            continue
        for line in text.splitlines():
            program, verb, *arguments = shlex.split(line)
            if program == "python":
                module, *arguments = arguments
                monkeypatch.setattr(sys, "argv", [module, *arguments])
                assert (verb, importlib.import_module(module).main()) == ("-m", 0), line
                continue
            assert program == "scalepose"
            if verb in ("train", "preview"):
                arguments += shlex.split(QUICK + (CROPS if "recipes/cal" in arguments[0] else PICTURES))
            assert main([verb, *arguments]) == 0, line
    for path in (
        "out/people.json",
        "out/people.csv",
        "out/000000.jpg",
        "crops.png",
        "preview.png",
        "receipt.json",
        "mine.onnx",
    ):
        assert Path(path).stat().st_size > 0, path


def test_table_names_every_verb():
    named = set(re.findall(r"^\| `scalepose ([a-z]+)", README, re.MULTILINE))
    assert named == {name for name in app if not name.startswith("-")}


def test_links_and_commands_point_to_what_exists():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for recipe in re.findall(r"recipes/[\w.-]+", README):
        assert (ROOT / recipe).exists(), recipe
    for model in re.findall(r"--model ([a-z][\w-]+-[a-z0-9-]+)\b(?!\.)", README):
        assert model in MODELS, model
