"""Recipes for tiny networks and tiny data sets: noise with people drawn as bright crosses, and rendered people."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from scalepose.data.synthetic.files import write_scenes
from scalepose.skeletons import COCO17

RECIPE = Path(__file__).parents[2] / "recipes" / "small.yaml"
SIDE, PICTURES = 96, 10


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `people.json` and `images`: ten pictures with one to three people each."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, PICTURES + 1):
        image = rng.integers(0, 80, (SIDE, SIDE, 3), np.uint8)
        for _ in range(number % 3 + 1):
            x, y, w, h = *rng.uniform(5, 30, 2), *rng.uniform(30, 60, 2)
            points = np.column_stack([rng.uniform(x, x + w, 17), rng.uniform(y, y + h, 17)])
            for point in points:
                cv2.drawMarker(image, point.astype(int).tolist(), (255, 255, 255), markerSize=5)
            keypoints = np.column_stack([points, np.full(17, 2)]).reshape(-1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": [x, y, w, h],
                    "area": 0.5 * w * h,
                    "iscrowd": 0,
                    "num_keypoints": 17,
                    "keypoints": keypoints.tolist(),
                }
            )
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        images.append({"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE})
    content = {"images": images, "annotations": annotations, "categories": [COCO17.to_category()]}
    (folder / "people.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def recipe_file(pictures: Path) -> Path:
    """The small recipe's keys with values that the tests count on: 5 batches of 2 pictures in each of 4 epochs, logged
    at every update and saved at every third."""
    content = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    content["model"]["network"] |= {
        "width": 8,
        "stem": 8,
        "layer1": 1,
        "modules": [1, 1, 1],
        "blocks": 1,
        "deconv_blocks": 1,
    }
    content["model"]["input_size"] = 64
    source = {"images": str(pictures / "images"), "annotations": str(pictures / "people.json")}
    content["data"] = {
        "train": [source | {"weight": 1, "only_near_people": False, "keep_empty": False, "hidden": 1}],
        "val": None,
        "workers": 0,
        "samples_per_epoch": None,
    }
    content["loss"] = {"heatmap": [1, 1], "positive_weight": 10, "pull": 0.001, "push": 0.001, "offsets": 0}
    content["optimiser"] = {
        "kind": "adamw",
        "lr": 0.002,
        "reference_batch": 32,
        "weight_decay": 0.05,
        "betas": [0.9, 0.99],
    }
    content["schedule"] = {"kind": "cosine", "epochs": 4, "warmup_steps": 3, "milestones": [], "factor": 0.01}
    content |= {"name": "tiny", "batch_size": 2, "accumulate": 1, "log_every": 1, "ema": 0.9}
    content |= {"compile": False, "channels_last": True, "gradient_clip": None, "seed": 0}
    content["checkpoint"] = {"steps": 3, "minutes": None}
    path = pictures / "tiny.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


CROP_RECIPE = RECIPE.with_name("cal-light-w16-64x48.yaml")


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five rendered pictures of two people each, and `person_keypoints.json`."""
    folder = tmp_path_factory.mktemp("people")
    write_scenes(5, folder, seed=3, size=(240, 200), people=2)
    return folder


@pytest.fixture(scope="session")
def crop_recipe_file(people: Path) -> Path:
    """The recipe of CAL light with values that the tests count on: 2 batches of 4 crops in each of 10 epochs, the
    second stage from epoch 5, logged at every update and saved at every third."""
    content = yaml.safe_load(CROP_RECIPE.read_text(encoding="utf-8"))
    content["model"]["network"] |= {"width": 8, "stem": 8, "modules": [1, 1, 1], "blocks": 1}
    source = {"images": str(people), "annotations": str(people / "person_keypoints.json"), "weight": 1}
    content["data"] |= {"train": [source], "val": None}
    content["loss"]["second_stage"] |= {"from_epoch": 5}
    content["schedule"] = {"kind": "cosine", "epochs": 10, "warmup_steps": 3, "milestones": [], "factor": 0.01}
    content |= {"name": "tiny", "batch_size": 4, "log_every": 1, "ema": 0.9, "precision": "fp32"}
    content["checkpoint"] = {"steps": 3, "minutes": None}
    path = people / "tiny.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
