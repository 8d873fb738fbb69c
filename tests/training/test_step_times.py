"""`scalepose benchmark --training`: what a step is made of, and that taking it to pieces does not change it."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from scalepose.cli import main  # noqa: E402
from scalepose.training.recipe import read_recipe  # noqa: E402
from scalepose.training.step_times import PARTS, WAYS, _batches, _Step  # noqa: E402


def test_verb_writes_a_receipt(recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    receipt = tmp_path / "steps.json"
    assert (
        main(["benchmark", "--training", str(recipe_file), "--quick", "--json", str(receipt), "--batch_size", "3"]) == 0
    )
    said = capsys.readouterr().out
    content = json.loads(receipt.read_text(encoding="utf-8"))
    assert content["batch_size"] == 3
    assert [way["way"] for way in content["ways"]] == list(WAYS)
    for way in content["ways"]:
        assert list(way["parts"]) == list(PARTS)
        assert 0 < way["associative"] < 1
        assert way["settings"] in said
    assert content["ways"][0]["speedup"] == 1
    assert content["loader_rate"] > 0
    assert "no GPU is at hand" in said or torch.cuda.is_available()


def test_gradient_is_that_of_the_whole_step(recipe_file: Path, monkeypatch: pytest.MonkeyPatch):
    plan = read_recipe(recipe_file)
    torch.manual_seed(0)
    step = _Step(plan, "plain", torch.device("cpu"))
    batch = next(_batches(plan))
    task = step._task
    task.losses(task.network(task.normalise(batch.images)), batch)[0].backward()
    expected = [p.grad.clone() for p in task.network.parameters() if p.grad is not None]
    task.network.zero_grad()
    taken = []

    def take() -> None:
        taken.extend(p.grad.clone() for p in task.network.parameters() if p.grad is not None)

    monkeypatch.setattr(step._optimisers[0], "step", take)
    step(batch)
    assert len(taken) == len(expected) > 0
    for ours, whole in zip(taken, expected, strict=True):
        torch.testing.assert_close(ours, whole)
