"""Every part fits: rendered people → train → export → predict → evaluate, until a small network knows them by heart.

The same with sixteen real photos takes twenty minutes; README and `docs/training-log.md` say how and what came out.
"""

import json
from pathlib import Path

import pytest
import yaml

from scalepose.cli import main

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.filterwarnings("ignore")
def test_a_small_network_learns_two_pictures_by_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("lightning")
    monkeypatch.chdir(tmp_path)
    assert (
        main(["synth", "--count", "2", "--out", "people", "--seed", "5", "--size", "128", "128", "--people", "2"]) == 0
    )

    recipe = yaml.safe_load((ROOT / "recipes" / "small.yaml").read_text(encoding="utf-8"))
    recipe["model"]["input_size"] = 128
    recipe["model"]["network"] |= {"modules": [1, 1, 1], "blocks": 1, "stem": 16}
    source = {"images": "people", "annotations": "people/person_keypoints.json"}
    recipe["data"]["train"][0] |= source
    recipe["data"] |= {"val": None, "samples_per_epoch": 2}
    still = {"rotation": 0, "translation": 0, "flip": 0, "person_views": 0, "appearance": 0, "scale": [1, 1]}
    recipe["augmentation"] |= still
    recipe["optimiser"] |= {"lr": 0.004, "reference_batch": 2, "weight_decay": 0}
    recipe["schedule"] |= {"epochs": 300, "warmup_steps": 20}
    recipe |= {"batch_size": 2, "ema": 0.97, "name": "by-heart"}
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")

    assert main(["train", "recipe.yaml"]) == 0
    assert main(["export", "runs/by-heart/model.safetensors", "--out", "model.onnx"]) == 0
    assert main(["predict", "people", "--model", "model.onnx", "--json", "found.json", "--no-draw"]) == 0
    measure = "evaluate --annotations people/person_keypoints.json --images people"
    assert main([*measure.split(), *["--model", "model.onnx", "--json", "predicted.json"]]) == 0
    assert main([*measure.split(), *["--results", "found.json", "--json", "read.json"]]) == 0
    predicted, read = (json.loads(Path(name).read_text(encoding="utf-8")) for name in ("predicted.json", "read.json"))
    assert predicted["AP"] >= 0.95
    assert read["AP"] == pytest.approx(predicted["AP"], abs=0.02)
