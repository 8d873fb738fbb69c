import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import seed_everything

from scalepose.errors import ScaleposeError
from scalepose.models import build, load_model
from scalepose.training import read_recipe, train
from scalepose.training.processes import Processes
from scalepose.training.stream import Stream, open_training_data
from scalepose.training.task import PoseTask

PROGRAM = (
    "import sys; from scalepose.training import train; train(*sys.argv[1:2], {}, '--resume' in sys.argv, sys.argv[2])"
)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def losses(folder: Path) -> list[tuple[int, float]]:
    return [(int(row["update"]), float(row["loss"])) for row in rows(folder) if row["loss"]]


def weights(file: Path) -> dict[str, torch.Tensor]:
    return load_model(file).state_dict()


def start(recipe: Path, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(recipe), str(folder)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, as a terminal's
    )


def wait_for(process: subprocess.Popen[str], folder: Path, updates: int) -> None:
    """Until the log has so many rows, or the process is gone."""
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        log = folder / "log.csv"
        if log.exists() and len(log.read_text().splitlines()) > updates:
            return
        time.sleep(0.01)
    raise AssertionError(f"the run ended early: {process.communicate()[1]}")


@pytest.fixture(scope="module")
def long_recipe(recipe_file: Path) -> Path:
    """Slow enough to be caught in the middle, mid-epoch checkpoints every 3 of 5 · 20 updates; two optimisers."""
    content = yaml.safe_load(recipe_file.read_text())
    content["optimiser"]["kind"] = "muon"
    content["schedule"]["epochs"] = 20
    path = recipe_file.with_name("long.yaml")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def alone(long_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert train(long_recipe, out=folder) == folder / "model.safetensors"
    return folder


def test_folder_holds_what_is_needed_to_repeat_it(alone: Path, long_recipe: Path):
    assert read_recipe(alone / "recipe.yaml") == read_recipe(long_recipe)
    (begun,) = json.loads((alone / "run.json").read_text())
    assert begun["seed"] == 0
    assert {"command", "commit", "versions", "hardware", "time", "processes"} <= begun.keys()
    assert list((alone / "tensorboard").iterdir())
    assert [update for update, _ in losses(alone)] == list(range(1, 101))
    assert losses(alone)[-1][1] < losses(alone)[0][1]


def test_model_carries_its_card(alone: Path):
    card = load_model(alone / "model.safetensors").card
    assert card.name == "tiny"
    assert card.evidence["updates"] == 100
    assert card.evidence["recipe"] == "tiny"


def test_checkpoint_is_of_tensors_and_plain_values(alone: Path):
    checkpoint = torch.load(alone / "last.ckpt", weights_only=True)
    assert checkpoint["progress"]["batches"] % 3 == 0


def test_killed_at_any_moment_and_resumed_is_as_if_left_alone(long_recipe, alone, tmp_path):
    folder = tmp_path / "run"
    process = start(long_recipe, folder)
    wait_for(process, folder, 17)
    process.kill()
    process.wait()
    assert len(losses(folder)) < 100
    resumed_is_as_if_left_alone(long_recipe, alone, folder)


def resumed_is_as_if_left_alone(long_recipe: Path, alone: Path, folder: Path) -> None:
    train(long_recipe, resume=True, out=folder)
    assert [update for update, _ in losses(folder)] == list(range(1, 101))
    assert [loss for _, loss in losses(folder)] == pytest.approx([loss for _, loss in losses(alone)], abs=1e-6)
    ours, theirs = weights(folder / "model.safetensors"), weights(alone / "model.safetensors")
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, atol=1e-6, rtol=1e-5)
    assert len(json.loads((folder / "run.json").read_text())) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(long_recipe, alone, tmp_path, number):
    folder = tmp_path / "run"
    process = start(long_recipe, folder)
    wait_for(process, folder, 5)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "--resume" in said
    assert "Traceback" not in said
    done = torch.load(folder / "last.ckpt", weights_only=True)["progress"]["batches"]
    assert done == losses(folder)[-1][0]  # nothing that was computed is lost
    assert not (folder / "model.safetensors").exists()
    resumed_is_as_if_left_alone(long_recipe, alone, folder)


def test_ctrl_c_of_a_terminal_reaches_loading_processes_too(long_recipe, alone, tmp_path):
    content = yaml.safe_load(long_recipe.read_text())
    content["data"]["workers"] = 1
    recipe = tmp_path / "workers.yaml"
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    folder = tmp_path / "run"
    process = start(recipe, folder)
    wait_for(process, folder, 5)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "--resume" in said
    assert "Traceback" not in said
    resumed_is_as_if_left_alone(recipe, alone, folder)


def test_the_death_of_a_loading_process_is_named(long_recipe, tmp_path):
    content = yaml.safe_load(long_recipe.read_text())
    content["data"]["workers"] = 1
    recipe = tmp_path / "workers.yaml"
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    process = start(recipe, tmp_path / "run")
    wait_for(process, tmp_path / "run", 5)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not tell a process's children")
    os.kill(int(children.read_text().split()[-1]), signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "ScaleposeError: a process that loads pictures died" in said
    assert (tmp_path / "run" / "last.ckpt").exists()


def test_resume_of_nothing_begins_and_of_a_complete_run_ends(recipe_file, tmp_path, capsys):
    folder = tmp_path / "run"
    model = train(recipe_file, {"schedule.epochs": "1"}, resume=True, out=folder)
    assert model == folder / "model.safetensors"
    before = (folder / "run.json").read_text()
    assert train(recipe_file, {"schedule.epochs": "1"}, resume=True, out=folder) == model
    assert "complete" in capsys.readouterr().err
    assert (folder / "run.json").read_text() == before


def test_a_folder_in_use_is_left_alone(recipe_file, alone, long_recipe, tmp_path):
    with pytest.raises(ScaleposeError, match="exists already; go on there with --resume"):
        train(long_recipe, out=alone)
    with pytest.raises(ScaleposeError, match=r"begun with other values of optimiser.lr, seed"):
        train(long_recipe, {"seed": "3", "optimiser.lr": "0.1"}, resume=True, out=alone)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ScaleposeError, match="not the folder of a run"):
        train(recipe_file, resume=True, out=tmp_path)


def test_a_damaged_checkpoint_is_named(recipe_file, tmp_path):
    folder = tmp_path / "run"
    train(recipe_file, {"schedule.epochs": "1"}, out=folder)
    (folder / "model.safetensors").unlink()
    (folder / "last.ckpt").write_bytes(b"half")
    with pytest.raises(ScaleposeError, match=r"last.ckpt: cannot be read"):
        train(recipe_file, {"schedule.epochs": "1"}, resume=True, out=folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_bf16_is_refused_on_a_cpu_without_its_instructions(recipe_file, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False})
    with pytest.raises(ScaleposeError, match="no bf16 instructions"):
        train(recipe_file, {"precision": "bf16"}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_pictures_are_named(recipe_file, pictures, tmp_path):
    with pytest.raises(ScaleposeError, match=r"nowhere.1?\d?.*png"):
        train(recipe_file, {"data.train.0.images": str(tmp_path / "nowhere")}, out=tmp_path / "run")
    with pytest.raises(ScaleposeError, match=r"nowhere.1?\d?.*png"):  # from a worker process
        train(
            recipe_file,
            {"data.train.0.images": str(tmp_path / "nowhere"), "data.workers": "1"},
            out=tmp_path / "other",
        )


def test_workers_and_accumulation_change_no_picture(recipe_file, tmp_path):
    train(recipe_file, {"schedule.epochs": "1"}, out=tmp_path / "none")
    train(recipe_file, {"schedule.epochs": "1", "data.workers": "1"}, out=tmp_path / "one")
    assert losses(tmp_path / "none") == losses(tmp_path / "one")
    train(recipe_file, {"accumulate": "2", "schedule.epochs": "2"}, out=tmp_path / "two")
    assert [row["epoch"] for row in rows(tmp_path / "two")] == ["0.4", "0.8", "1.2", "1.6", "2"]


def test_validation_measures_logs_and_keeps_the_best(recipe_file, pictures, tmp_path):
    val = f"{{images: '{pictures / 'images'}', annotations: '{pictures / 'people.json'}'}}"
    overrides = {"data.val": val, "schedule.epochs": "3", "validate_every": "2"}
    train(recipe_file, overrides, out=tmp_path / "run")
    measured = [(row["update"], float(row["AP"])) for row in rows(tmp_path / "run") if row["AP"]]
    assert [update for update, _ in measured] == ["10", "15"]  # every two epochs, and at the end
    assert all(0 <= ap <= 1 for _, ap in measured)
    card = load_model(tmp_path / "run" / "model.safetensors").card
    assert card.evidence["AP"] == pytest.approx(measured[-1][1], abs=1e-4)
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_pretrained_weights_are_laid_over(recipe_file, alone, tmp_path, capsys):
    overrides = {"init.pretrained": str(alone / "model.safetensors"), "schedule.epochs": "1"}
    train(recipe_file, overrides, out=tmp_path / "run")
    assert "tensors loaded" in capsys.readouterr().err
    assert losses(tmp_path / "run")[0][1] < losses(alone)[0][1]


def test_two_processes(recipe_file, tmp_path):
    """torchrun on gloo: one log, joint losses, the same model as its parts."""
    folder = tmp_path / "run"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("{}", "{'schedule.epochs': '3', 'accumulate': '2'}"))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", program, recipe_file, folder]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, *map(str, command)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert [update for update, _ in losses(folder)] == [1, 2, 3]  # 2 joint batches an epoch, 2 of them an update
    assert json.loads((folder / "run.json").read_text())[0]["processes"] == 2
    # 2 pictures · 2 processes · 2 passes, in proportion to the reference batch of 32; first of 3 updates of warm-up
    assert float(rows(folder)[0]["lr"]) == pytest.approx(0.002 * 8 / 32 / 3)

    # The first update's gradient is the mean over the processes and passes, each with norms of its own.
    recipe = read_recipe(recipe_file)
    seed_everything(recipe.seed, verbose=False)
    network = build(recipe.card()).train()
    task = PoseTask(network, recipe, 2)
    parts = [
        list(Stream(open_training_data(recipe, recipe.card(), Processes(rank, 2, 2), False), 1)) for rank in range(2)
    ]
    totals = [task.losses(network(task.normalise(batch.images)), batch)[0] for part in parts for batch in part]
    joint = torch.stack(totals).mean()
    joint.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
    assert losses(folder)[0][1] == pytest.approx(float(joint.detach()), rel=1e-5)
    assert float(rows(folder)[0]["gradient"]) == pytest.approx(float(norm), rel=1e-4)

    (folder / "model.safetensors").unlink()
    with pytest.raises(ScaleposeError, match="begun by 2 processes"):
        train(recipe_file, {"schedule.epochs": "3", "accumulate": "2"}, resume=True, out=folder)
