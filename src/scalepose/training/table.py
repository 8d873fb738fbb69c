"""One table, one command: methods × resolutions × seeds, each trained and measured alike.

    python -m scalepose.training.table recipes/tables/low-resolution.yaml --out runs/low-resolution

Every cell is a run of one recipe with some keys changed, in a folder of its own, measured on annotated boxes through
`CropPredictor` as users have it. A run that was killed goes on where it was saved; cells that are done stay as
cell.json and are not repeated. table.md and table.json are written anew after every cell. It knows no method: what a
row is stands in the table's yaml file.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from safetensors.torch import save_file

from scalepose.crops import CropPredictor
from scalepose.data.annotations import read_annotations
from scalepose.data.boxes import annotated_boxes
from scalepose.data.degrade import Degradation, bicubic
from scalepose.errors import ScaleposeError
from scalepose.evaluation.crops import evaluate_crops, known_boxes
from scalepose.evaluation.provenance import sha256
from scalepose.models.bottomup import macs
from scalepose.models.upscale import load_upscaler
from scalepose.models.weights import load_model, read_tensors
from scalepose.runtimes.torch import TorchRuntime
from scalepose.runtimes.upscale import open_upscaler
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.cropstream import CropSets
from scalepose.training.kinds import read_plan
from scalepose.training.parts import Validation
from scalepose.training.run import train
from scalepose.training.sections import read_file

METRICS = ("AP", "AP50", "AP75", "AR")


@dataclass(frozen=True)
class Size:
    """A resolution. seeds: of its runs. change: values of the recipe's keys, by dotted name, for all methods here."""

    name: str
    seeds: tuple[int, ...]
    change: dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A row of the table. change: as of `Size`, at every size. at: size → further changes, or null where the method is
    not run; a size that is not named has none.
    """

    name: str
    change: dict[str, Any]
    at: dict[str, Any]


@dataclass(frozen=True)
class First:
    """A recipe that is run once before the cells, whose folder they can name as {out}/<name>. trunk: it leaves there
    trunk.safetensors, its network without what is particular to a head: a fair start for all of them.
    """

    name: str
    recipe: str
    change: dict[str, Any]
    trunk: bool


@dataclass(frozen=True)
class Table:
    """What is compared. recipe: what all cells share. test: the pictures to measure on, with annotated boxes. flip:
    whether mirrored crops are averaged in. Cells are done size by size, within a size seed by seed.
    """

    name: str
    recipe: str
    test: Validation
    flip: bool
    first: tuple[First, ...]
    sizes: tuple[Size, ...]
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class Cell:
    """One run. changes: dotted keys of the recipe → yaml text."""

    size: str
    method: str
    seed: int
    changes: dict[str, str]
    folder: Path

    @property
    def result(self) -> Path:
        """The file that says that it is done."""
        return self.folder / "cell.json"


def run_table(path: str | Path, out: str | Path, datasets: CropSets | None = None) -> bool:
    """Do what is left of a table; False when a signal stopped it and it can be resumed by the same command.

    Raises ScaleposeError when the table, a recipe or data cannot be used.
    """
    table, out = read_file(Table, path), Path(out)
    cells = list(plan_cells(table, out))
    for cell in cells:
        read_plan(table.recipe, cell.changes)  # what does not fit should show now, not after hours
    datasets = datasets or CropSets()
    for first in table.first:
        _say(f"first: {first.name}")
        model = train(first.recipe, _texts(first.change, out), resume=True, out=out / first.name, datasets=datasets)
        if model is None:
            return False
        if first.trunk:
            write_trunk(model, model.with_name("trunk.safetensors"))
    for number, cell in enumerate(cells, 1):
        if not cell.result.exists():
            _say(f"[{number}/{len(cells)}] {cell.size} · {cell.method} · seed {cell.seed}{_time_left(cells)}")
            model = train(table.recipe, cell.changes, resume=True, out=cell.folder, datasets=datasets)
            if model is None:
                return False
            _write(cell.result, json.dumps(_measure(table, cell, model), indent=1, ensure_ascii=False) + "\n")
        report(table, cells, out)
    _say(f"done; the table is {out / 'table.md'}")
    return True


def plan_cells(table: Table, out: Path) -> Iterator[Cell]:
    """All cells in the order in which they are done. {out} in a text value becomes the folder."""
    for size in table.sizes:
        for seed in size.seeds:
            for method in table.methods:
                further = method.at.get(size.name, {})
                if further is not None:
                    changes = size.change | method.change | further | {"seed": seed, "name": _slug(method.name)}
                    folder = out / size.name / _slug(method.name) / str(seed)
                    yield Cell(size.name, method.name, seed, _texts(changes, out), folder)


def write_trunk(model: Path, path: Path) -> None:
    """The weights of a network for crops without its prediction. What CAL has twice is there twice."""
    tensors = {name: tensor for name, tensor in read_tensors(model)[0].items() if not name.startswith("final_layer")}
    for part in ("transition3.", "stage4."):
        twin = part.replace(".", "_om.")
        tensors |= {name.replace(part, twin, 1): tensors[name] for name in list(tensors) if name.startswith(part)}
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)


def report(table: Table, cells: Sequence[Cell], out: Path) -> None:
    """Write table.md and table.json from the cells that are done."""
    done = [json.loads(cell.result.read_text(encoding="utf-8")) for cell in cells if cell.result.exists()]
    _write(out / "table.json", json.dumps({"table": asdict(table), "cells": done}, indent=1, ensure_ascii=False) + "\n")
    _write(out / "table.md", markdown(table, done))


def markdown(table: Table, done: Sequence[dict[str, Any]]) -> str:
    """One table per size: mean ± standard deviation over the seeds, in percent, beside the cost of one crop."""
    text = ""
    for size in table.sizes:
        at_size = [cell for cell in done if cell["size"] == size.name]
        if not at_size:
            continue
        crops = sorted({cell["crops"] for cell in at_size})
        text += f"### {size.name}\n\nCrops seen in training: {', '.join(f'{count:,}' for count in crops)}.\n\n"
        text += f"| method | {' | '.join(METRICS)} | seeds | MMACs | parameters |\n"
        text += f"|---|{'---:|' * (len(METRICS) + 3)}\n"
        for method in table.methods:
            runs = [cell for cell in at_size if cell["method"] == method.name]
            if runs:
                figures = " | ".join(_spread([run["metrics"][name] for run in runs]) for name in METRICS)
                cost = f"{runs[0]['macs'] / 1e6:.0f} | {runs[0]['parameters'] / 1e6:.2f} M"
                text += f"| {method.name} | {figures} | {len(runs)} | {cost} |\n"
        text += "\n"
    return text


def _measure(table: Table, cell: Cell, model: Path) -> dict[str, Any]:
    recipe = read_plan(table.recipe, cell.changes)
    assert isinstance(recipe, CropRecipe)
    network = load_model(model)
    W, H = recipe.model.crop_size
    cost, parameters = macs(network, (W, H)), sum(p.numel() for p in network.parameters())
    low_res, enlarge = None, bicubic
    if recipe.model.upscaler is not None:
        upscaler = load_upscaler(recipe.model.upscaler)
        factor = upscaler.card.factor
        low_res, enlarge = Degradation((W // factor, H // factor)), open_upscaler(recipe.model.upscaler)
        cost += macs(upscaler, low_res.size)
        parameters += sum(p.numel() for p in upscaler.parameters())
    truth = read_annotations(table.test.annotations, table.test.images, recipe.card().skeleton)
    predictor = CropPredictor(TorchRuntime(network), flip=table.flip, low_res=low_res, enlarge=enlarge)  # type: ignore[arg-type]
    receipt = evaluate_crops(predictor, known_boxes(annotated_boxes(truth)[0]), truth, progress=False)
    _write(cell.folder / "receipt.json", receipt.to_json())
    evidence = network.card.evidence
    return {
        "size": cell.size,
        "method": cell.method,
        "seed": cell.seed,
        "changes": cell.changes,
        "metrics": receipt.metrics,
        "macs": cost,
        "parameters": parameters,
        "updates": evidence["updates"],
        "crops": evidence["updates"] * recipe.batch_size * recipe.accumulate,
        "seconds": round(evidence["hours"] * 3600),
        "model_sha256": sha256(model),
        "commit": receipt.commit,
        "date": receipt.date,
    }


def _time_left(cells: Sequence[Cell]) -> str:
    """How long the cells that are left will take at the pace of those that are done, where their size has any."""
    pace: dict[str, list[int]] = {}
    for cell in cells:
        if cell.result.exists():
            pace.setdefault(cell.size, []).append(json.loads(cell.result.read_text(encoding="utf-8"))["seconds"])
    missing = [cell for cell in cells if not cell.result.exists()]
    known = [mean(pace[cell.size]) for cell in missing if cell.size in pace]
    if not known:
        return ""
    clock = time.strftime("%H:%M", time.localtime(time.time() + sum(known)))
    untimed = f", and {len(missing) - len(known)} runs that were not timed yet" if len(known) < len(missing) else ""
    return f" · {sum(known) / 60:.0f} minutes left, until {clock}{untimed}"


def _spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, in percent."""
    text = f"{100 * mean(values):.1f}"
    return f"{text} ± {100 * stdev(values):.1f}" if len(values) > 1 else text


def _texts(changes: dict[str, Any], out: Path) -> dict[str, str]:
    """Values as yaml text (json is)."""
    return {
        key: json.dumps(value.replace("{out}", str(out)) if isinstance(value, str) else value)
        for key, value in changes.items()
    }


def _slug(name: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be written ({error.strerror})") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scalepose.training.table", description="Train and measure a table."
    )
    parser.add_argument("table", type=Path, help="a yaml file such as those in recipes/tables")
    parser.add_argument("--out", type=Path, required=True, help="folder for all runs; what is done there is kept")
    arguments = parser.parse_args()
    try:
        return 0 if run_table(arguments.table, arguments.out) else 1
    except ScaleposeError as error:
        print(f"scalepose: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
