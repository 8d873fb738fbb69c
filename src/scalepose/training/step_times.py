"""Where the time of a training step goes: `scalepose benchmark --training RECIPE`.

The same batches go in turn through the network as the recipe trains it and as plain torch would (fp32, eager, torch's
own memory order and optimiser), on the GPU when one is at hand. Loading is measured in this process, so its speed is
that of one core. Knows the parts of a step, not the trainer: averaging of weights, logging and saving are left out.
"""

import json
import subprocess
import sys
import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import cv2

from scalepose.errors import MissingExtra, ScaleposeError

try:
    import torch
    from torch import Tensor
    from torch.nn.utils import get_total_norm
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "torch", "train") from error

from scalepose.data.batches import Batch
from scalepose.evaluation.benchmark.command import write_receipt
from scalepose.evaluation.benchmark.machine import describe_machine, peak_mebibytes
from scalepose.evaluation.benchmark.report import machine_line, table
from scalepose.evaluation.benchmark.timing import WHOLE, Samples, Spread, Times, Work, interleave
from scalepose.evaluation.provenance import command, commit, versions
from scalepose.losses import associative_loss
from scalepose.models.bottomup import BottomUp
from scalepose.models.initialise import initialise
from scalepose.models.outputs import Outputs
from scalepose.training.kinds import read_plan
from scalepose.training.optimisers import make_optimisers
from scalepose.training.processes import Processes
from scalepose.training.recipe import Recipe, read_recipe
from scalepose.training.stream import open_training_data
from scalepose.training.task import PoseTask

PARTS = ("forward", "losses", "backward", "optimiser")
ROUNDS, QUICK_ROUNDS = 10, 2
MEMORY_STEPS = 2

Way = Literal["plain", "recipe"]
WAYS: tuple[Way, ...] = ("plain", "recipe")


@dataclass(frozen=True)
class StepFigures:
    """One way to train. parts: milliseconds a batch, `times` of all of them. associative: share of the step that the
    associative loss takes with its own backward. speedup: how many times as fast as the plain way. loader_cores: cores
    that must load so that it never waits. peak_mebibytes: of the GPU, or of a process that does nothing else.
    """

    way: Way
    settings: str
    parts: Mapping[str, Spread]
    times: Times
    pictures_per_second: float
    associative: float
    speedup: float
    loader_cores: float
    peak_mebibytes: float | None


@dataclass(frozen=True)
class StepReport:
    """Everything. loader: milliseconds a batch in one process; loader_rate: pictures a second of processor time."""

    recipe: str
    network: str
    input_size: int
    batch_size: int
    device: str
    rounds: int
    loader: Times
    loader_rate: float
    ways: tuple[StepFigures, ...]
    machine: Mapping[str, Any]
    command: str = field(default_factory=command)
    commit: str | None = field(default_factory=commit)
    versions: Mapping[str, str] = field(default_factory=versions)
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self) -> str:
        """The receipt."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def __str__(self) -> str:
        """Tables for people."""
        columns = [
            "",
            *PARTS,
            "step (quartiles)",
            "cpu",
            "pictures/s",
            "speed-up",
            "associative",
            "cores to load",
            "peak MiB",
        ]
        rows = [
            [
                f"{way.way}: {way.settings}",
                *(f"{spread} ({100 * spread.median / way.times.wall.median:.0f} %)" for spread in way.parts.values()),
                way.times.wall.with_range(),
                str(way.times.cpu),
                f"{way.pictures_per_second:.1f}",
                f"{way.speedup:.2f}",
                f"{100 * way.associative:.2f} %",
                f"{way.loader_cores:.2f}",
                f"{way.peak_mebibytes:.0f}" if way.peak_mebibytes is not None else "–",
            ]
            for way in self.ways
        ]
        place = self.device + ("; no GPU is at hand" if self.device == "cpu" else "")
        return "\n".join(
            [
                machine_line(self.machine),
                f"{self.network}, {self.input_size}×{self.input_size}, batches of {self.batch_size}, on {place}",
                f"loading: {self.loader.wall.with_range()} ms a batch, {self.loader_rate:.1f} pictures/s and core",
                f"a step without loading, {self.rounds} rounds in turn, medians, ms a batch",
                *table([columns, *rows]),
            ]
        )


def measure_steps(recipe: str | Path, overrides: Mapping[str, str] | None = None, rounds: int = ROUNDS) -> StepReport:
    """Measure the training step of a recipe. Raises ScaleposeError when recipe or data cannot be used."""
    machine = describe_machine()
    plan = read_plan(recipe, overrides)
    if not isinstance(plan, Recipe):
        raise ScaleposeError(f"{recipe}: is no recipe for whole pictures; the steps of others are not measured")
    device = _device()
    cv2.setNumThreads(1)
    batches = _batches(plan)
    current = next(batches)
    steps = {way: _Step(plan, way, device) for way in WAYS}

    def load() -> None:
        nonlocal current
        current = next(batches)

    def step_work(step: _Step) -> Work:
        return lambda: step(current)

    def associative_work(step: _Step) -> Work:
        return lambda: step.associative(current)

    work: dict[Hashable, Work] = {"loader": load}
    for way, step in steps.items():
        work |= {(way, "step"): step_work(step), (way, "associative"): associative_work(step)}
    samples = interleave(work, rounds)
    loader = samples["loader"].times()
    return StepReport(
        recipe=str(recipe),
        network=plan.name,
        input_size=plan.model.view_size,
        batch_size=plan.batch_size,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        rounds=rounds,
        loader=loader,
        loader_rate=round(1000 * plan.batch_size / loader.cpu.median, 1),
        ways=tuple(_figures(plan, way, steps[way], samples, recipe, overrides or {}) for way in WAYS),
        machine=machine,
    )


def step_times_command(recipe: Path, overrides: Mapping[str, str], json: Path | None, quick: bool) -> int:
    """The work of `scalepose benchmark --training`. Returns the exit status, 0."""
    report = measure_steps(recipe, overrides, QUICK_ROUNDS if quick else ROUNDS)
    print(report)
    if json is not None:
        write_receipt(json, report.to_json())
        print(f"{json}: the receipt")
    return 0


class _Step:
    """A network in training, one batch after the other."""

    def __init__(self, recipe: Recipe, way: Way, device: torch.device):
        recipe = replace(recipe, precision="fp32", channels_last=False, compile=False) if way == "plain" else recipe
        network = BottomUp(recipe.card())
        initialise(network, recipe.init.scheme)
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        self._task = PoseTask(network, recipe, 1).to(device)
        self._optimisers = make_optimisers(network, recipe.optimiser, lr=1e-6, fused=way == "recipe")
        self._device, self._bf16 = device, recipe.precision == "bf16"
        used = ["channels_last"] * recipe.channels_last + ["compiled"] * recipe.compile + ["fused"] * (way == "recipe")
        self.settings = ", ".join([recipe.precision, *used] if used else [recipe.precision, "eager"])

    def __call__(self, batch: Batch) -> dict[str, float]:
        """One step; seconds by `PARTS`. The gradient of the losses is taken at the maps, so that it stands apart."""
        marks = [self._now()]
        batch = batch.to(self._device, non_blocking=True)
        with torch.autocast(self._device.type, torch.bfloat16) if self._bf16 else nullcontext():
            outputs: Outputs[Tensor] = self._task.run(self._task.normalise(batch.images))
        marks.append(self._now())
        maps = _tensors(outputs)
        leaves = [tensor.detach().requires_grad_() for tensor in maps]
        self._task.losses(_like(outputs, leaves), batch)[0].backward()
        marks.append(self._now())
        torch.autograd.backward(maps, [leaf.grad for leaf in leaves])
        marks.append(self._now())
        parameters = [p for p in self._task.network.parameters() if p.grad is not None]
        float(get_total_norm([p.grad for p in parameters if p.grad is not None]))
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad()
        marks.append(self._now())
        return {part: b - a for part, a, b in zip(PARTS, marks[:-1], marks[1:], strict=True)}

    def associative(self, batch: Batch) -> dict[str, float]:
        """The associative loss alone, there and back, on tags of this batch's shape."""
        network = self._task.network.card.network
        places = batch.tag_pixels.to(self._device)
        B, _, h, w = batch.heatmaps[0].shape
        channels = places.shape[2] if network.tag_per_keypoint else 1
        dtype = torch.bfloat16 if self._bf16 else torch.float32
        tags = torch.randn(B, channels, h, w, device=self._device, dtype=dtype, requires_grad=True)
        start = self._now()
        pull, push = associative_loss(tags, places)
        (pull + push).backward()
        return {"associative": self._now() - start}

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _figures(
    recipe: Recipe,
    way: Way,
    step: _Step,
    samples: Mapping[Hashable, Samples],
    path: str | Path,
    overrides: Mapping[str, str],
) -> StepFigures:
    steps = samples[way, "step"]
    return StepFigures(
        way=way,
        settings=step.settings,
        parts={part: steps.part(part) for part in PARTS},
        times=steps.times(),
        pictures_per_second=round(1000 * recipe.batch_size / steps.part(WHOLE).median, 2),
        associative=round(steps.share(samples[way, "associative"], "associative"), 5),
        speedup=round(samples["plain", "step"].ratio(steps), 3),
        loader_cores=round(steps.share(samples["loader"], WHOLE), 3),
        peak_mebibytes=_measure_memory(path, way, overrides),
    )


def _batches(recipe: Recipe) -> Iterator[Batch]:
    """Batches without end, loaded in this process."""
    plan = replace(recipe, data=replace(recipe.data, workers=0))
    loader = open_training_data(plan, plan.card(), Processes.of_torchrun(), pin_memory=torch.cuda.is_available())
    while True:
        yield from loader


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _tensors(outputs: Outputs[Tensor]) -> list[Tensor]:
    return [*outputs.heatmaps, *(maps for maps in (outputs.tags, outputs.offsets) if maps is not None)]


def _like(outputs: Outputs[Tensor], tensors: list[Tensor]) -> Outputs[Tensor]:
    """`tensors` in the places that `_tensors` took them from."""
    rest = iter(tensors[len(outputs.heatmaps) :])
    tags = None if outputs.tags is None else next(rest)
    offsets = None if outputs.offsets is None else next(rest)
    return Outputs(tensors[: len(outputs.heatmaps)], tags, offsets)


def _measure_memory(recipe: str | Path, way: Way, overrides: Mapping[str, str]) -> float | None:
    """Peak mebibytes of a process that trains so for `MEMORY_STEPS` steps; None where it cannot be told."""
    command = [sys.executable, "-m", __name__, str(recipe), way, json.dumps(dict(overrides))]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    said = child.stdout.split()
    return round(float(said[-1]), 1) if child.returncode == 0 and said and said[-1] != "None" else None


def _memory_main(recipe: str, way: Literal["plain", "recipe"], overrides: str) -> None:
    """Train a little and print the peak as the last word."""
    plan = read_recipe(recipe, json.loads(overrides))
    device = _device()
    step, batches = _Step(plan, way, device), _batches(plan)
    for _ in range(MEMORY_STEPS):
        step(next(batches))
    print(torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else peak_mebibytes())


if __name__ == "__main__":
    _memory_main(*sys.argv[1:])  # type: ignore[arg-type]
