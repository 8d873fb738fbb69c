"""The table of methods: what is run, that it goes on where it was, and what is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from scalepose.errors import ScaleposeError
from scalepose.models import build_crops, load_model, load_weights
from scalepose.models.cropcards import CropCard
from scalepose.training import table as tables
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.kinds import read_plan
from scalepose.training.recipe import Recipe
from scalepose.training.sections import read_file
from scalepose.training.table import Table, markdown, plan_cells, run_table

RECIPES = Path(__file__).parents[2] / "recipes"
SHIPPED = RECIPES / "tables" / "low-resolution.yaml"


@pytest.fixture(scope="module")
def table_file(crop_recipe_file: Path, people: Path) -> Path:
    """Two methods with two seeds each, 2 updates a run; one of them enlarges first."""
    source = {"images": str(people), "annotations": str(people / "person_keypoints.json")}
    tiny = {"data.train": [source | {"weight": 1}], "batch_size": 4, "precision": "fp32", "schedule.epochs": 1}
    content = {
        "name": "tiny",
        "recipe": str(crop_recipe_file),
        "test": source,
        "scale_benchmark": None,
        "flip": False,
        "first": [
            {
                "name": "x2",
                "recipe": str(RECIPES / "espcn-x2-64x48.yaml"),
                "change": tiny | {"model.crop_size": [24, 32], "model.channels": [4, 4]},
                "trunk": False,
            },
            {
                "name": "start",
                "recipe": str(crop_recipe_file),
                "change": {"loss.second_stage": None, "schedule.epochs": 1, "model.network.head": "heatmap"},
                "trunk": True,
            },
        ],
        "sizes": [
            {
                "name": "64x48",
                "seeds": [0, 1],
                "change": {
                    "loss.second_stage": None,
                    "schedule.epochs": 1,
                    "schedule.warmup_steps": 0,
                    "init.pretrained": "{out}/start/trunk.safetensors",
                },
            },
        ],
        "methods": [
            {"name": "CAL light", "change": {}, "at": {}},
            {
                "name": "super-resolution + UDP",
                "change": {"model.network.head": "udp", "model.upscaler": "{out}/x2/model.safetensors"},
                "at": {},
            },
            {"name": "never", "change": {}, "at": {"64x48": None}},
        ],
    }
    path = people / "table.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def done(table_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("table")
    assert run_table(table_file, out)
    return out


def test_every_cell_is_trained_and_measured(done):
    cells = json.loads((done / "table.json").read_text())["cells"]
    assert [(c["method"], c["seed"]) for c in cells] == [
        ("CAL light", 0),
        ("super-resolution + UDP", 0),
        ("CAL light", 1),
        ("super-resolution + UDP", 1),
    ]
    assert {c["views"] for c in cells} == {8}
    light, enlarged = cells[:2]
    assert all(0 <= c["figures"]["In annotated boxes"]["AP"] <= 1 for c in cells)
    # Offsets cost 2K more outputs of a 1×1 convolution, for UDP here the up-scaler is paid for.
    own = 3 * 4 * 25 + 4 * 4 * 9 + 4 * 12 * 9  # weights of the up-scaler, each used once per pixel of the small crop
    assert light["parameters"] - enlarged["parameters"] == 34 * (8 + 1) - (own + 4 + 4 + 12)
    assert light["macs"] - enlarged["macs"] == 34 * 8 * 12 * 16 - own * 24 * 32
    assert (done / "64x48" / "cal-light" / "1" / "receipt.json").exists()
    text = (done / "table.md").read_text()
    assert text.startswith("### 64x48\n\nCrops seen in training: 8.\n")
    assert "| CAL light | " in text
    assert "never" not in text


def test_a_trunk_is_a_start_for_every_head(done):
    trunk = done / "start" / "trunk.safetensors"
    whole = load_model(done / "start" / "model.safetensors").card
    assert isinstance(whole, CropCard)
    for head, missing in (("heatmap", "final_layer (2)"), ("cal-light", "final_layer (2)"), ("cal", "head_")):
        network = build_crops(replace(whole, network=replace(whole.network, head=head)))
        report = load_weights(network, trunk)
        assert all(name.startswith(("final_layer", "head_")) for name in report.missing)
        assert missing in str(report)
    state = network.state_dict()
    twins = [name for name in state if "stage4_om." in name or "transition3_om." in name]
    assert len(twins) > 10
    assert all(torch.equal(state[name], state[name.replace("_om.", ".")]) for name in twins)


def test_what_is_done_is_not_done_again(table_file, done, monkeypatch):
    before = {path: path.read_bytes() for path in done.rglob("*") if path.is_file()}
    trained = []
    real = tables.train
    monkeypatch.setattr(tables, "train", lambda *a, **k: trained.append(k["out"].name) or real(*a, **k))
    assert run_table(table_file, done)
    assert trained == ["x2", "start"]  # which find their models there
    assert {path: path.read_bytes() for path in done.rglob("*") if path.is_file()} == before

    (done / "64x48" / "cal-light" / "1" / "cell.json").unlink()  # killed after training, before it was measured
    assert run_table(table_file, done)
    assert trained[2:] == ["x2", "start", "1"]
    again = {path: path.read_bytes() for path in done.rglob("*.safetensors")}
    assert again == {path: content for path, content in before.items() if path.suffix == ".safetensors"}


def test_a_signal_stops_the_table(table_file, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "train", lambda *a, **k: None)
    assert not run_table(table_file, tmp_path)


def test_a_change_that_does_not_fit_shows_before_anything_is_trained(table_file, tmp_path):
    content = yaml.safe_load(table_file.read_text())
    content["methods"][1]["change"]["model.network.hed"] = "udp"
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ScaleposeError, match=r"there is no key model\.network\.hed"):
        run_table(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mean_and_spread():
    table = read_file(Table, SHIPPED)
    cell = {"size": "64x48", "views": 5000, "unit": "crops", "macs": 26.8e6, "parameters": 580_000, "method": "UDP"}
    further = {"By height": {"<32": None, "32–64": 0.125}}
    runs = [cell | {"figures": {"Boxes": {"AP": ap, "AP50": 0.75}} | further} for ap in (0.1, 0.2, 0.3)]
    assert markdown(table, runs).splitlines() == [
        "### 64x48",
        "",
        "Crops seen in training: 5,000.",
        "",
        "Boxes:",
        "",
        "| method | AP | AP50 | seeds | MMACs | parameters |",
        "|---|---:|---:|---:|---:|---:|",
        "| UDP | 20.0 ± 10.0 | 75.0 ± 0.0 | 3 | 27 | 0.58 M |",
        "",
        "By height:",
        "",
        "| method | <32 | 32–64 | seeds |",
        "|---|---:|---:|---:|",
        "| UDP | – | 12.5 ± 0.0 | 3 |",
        "",
    ]
    assert "| UDP | 10.0 | 75.0 | 1 |" in markdown(table, runs[:1])


def test_whole_pictures_are_measured_by_height_and_by_crowd(recipe_file, people, tmp_path):
    """The tiny recipe, one epoch; rendered pictures that name their groups stand for the scale benchmark."""
    content = json.loads((people / "person_keypoints.json").read_text())
    for number, image in enumerate(content["images"]):
        image["groups"] = {"person height": str(64 << number % 2)}
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps(content))
    source = {"images": str(people), "annotations": str(people / "person_keypoints.json")}
    table = {
        "name": "tiny",
        "recipe": str(recipe_file),
        "test": source,
        "scale_benchmark": source | {"annotations": str(groups)},
        "flip": False,
        "first": [],
        "sizes": [{"name": "width 8", "seeds": [0], "change": {"schedule.epochs": 1}}],
        "methods": [
            {"name": "one", "change": {}, "at": {}},
            {"name": "none", "change": {"model.network.deconvs": 0, "loss.heatmap": [1]}, "at": {}},
        ],
    }
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(table))
    assert run_table(path, tmp_path / "out")
    one, none = json.loads((tmp_path / "out" / "table.json").read_text())["cells"]
    assert (one["views"], one["unit"]) == (10, "pictures")
    assert one["macs"] > none["macs"]
    assert set(one["figures"]["Photos"]) == {"AP", "AP50", "AP75", "AR"}
    assert list(one["figures"]["Scale benchmark, AP by person height"]) == ["64", "128"]
    heights = one["figures"]["Photos, AP by the height of the person in pixels"]
    assert any(value is None for value in heights.values())  # nobody is so small
    assert {"receipt.json", "scale-benchmark.json"} <= {p.name for p in (tmp_path / "out/width 8/one/0").iterdir()}
    text = (tmp_path / "out" / "table.md").read_text()
    assert "### width 8" in text
    assert "Scale benchmark, AP by person height:\n\n| method | 64 | 128 | seeds |" in text


def test_the_ablation_compares_on_equal_terms(tmp_path, monkeypatch):
    monkeypatch.chdir(RECIPES.parent)
    table = read_file(Table, RECIPES / "tables" / "ablation.yaml")
    plans = [read_plan(table.recipe, cell.changes) for cell in plan_cells(table, tmp_path)]
    assert len(plans) == 7 * 3
    assert all(isinstance(plan, Recipe) for plan in plans)
    alike = {repr((p.data, p.augmentation, p.optimiser, p.schedule, p.init, p.batch_size)) for p in plans}  # type: ignore[union-attr]
    assert len(alike) == 1
    rows = {repr((p.model, p.loss)) for p in plans}  # type: ignore[union-attr]
    assert len(rows) == 7


def test_the_shipped_table_compares_on_equal_terms(tmp_path, monkeypatch):
    monkeypatch.chdir(RECIPES.parent)
    table = read_file(Table, SHIPPED)
    assert len(table.methods) == 7
    assert [size.name for size in table.sizes] == ["64x48", "128x96", "256x192"]
    cells = list(plan_cells(table, tmp_path))
    plans = {(c.size, c.method, c.seed): read_plan(table.recipe, c.changes) for c in cells}
    for size in table.sizes:
        alike = set()
        for (name, _, _), plan in plans.items():
            if name == size.name:
                assert isinstance(plan, CropRecipe)
                given = (plan.data, plan.augmentation, plan.optimiser, plan.schedule, plan.batch_size)
                alike.add(repr(given))
        assert len(alike) == 1
    height = {cell.size: int(cell.size.split("x")[0]) for cell in cells}
    for cell in cells:  # the pixels that a method is given are those of its column
        plan = plans[cell.size, cell.method, cell.seed]
        assert isinstance(plan, CropRecipe)
        factor = 1 if plan.model.upscaler is None else 2
        assert plan.model.crop_size[1] == factor * height[cell.size]
        assert plan.seed == cell.seed
