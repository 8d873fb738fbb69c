"""One table, one command: methods × resolutions × seeds, each trained and measured alike.

    python -m scalepose.training.table recipes/tables/low-resolution.yaml --out runs/low-resolution

Every cell is a run of one recipe with some keys changed, in a folder of its own, measured as users have it
(`training.cells`). A run that was killed goes on where it was saved; cells that are done stay as cell.json and are not
repeated. table.md and table.json are written anew after every cell. It knows no method: what a row is stands in the
table's yaml file.
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

from scalepose.errors import ScaleposeError
from scalepose.evaluation.provenance import sha256
from scalepose.models.weights import read_tensors
from scalepose.training.cells import measure
from scalepose.training.cropstream import CropSets
from scalepose.training.kinds import read_plan
from scalepose.training.parts import Validation
from scalepose.training.run import train
from scalepose.training.sections import read_file


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
    """What is compared. recipe: what all cells share. test: the pictures to measure on. scale_benchmark: a second such
    set, made by `scalepose synth --scale-benchmark`, for recipes on whole pictures. flip: whether mirrored pictures or
    crops are averaged in. Cells are done size by size, within a size seed by seed.
    """

    name: str
    recipe: str
    test: Validation
    scale_benchmark: Validation | None
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
            _write(cell.result, json.dumps(_measured(table, cell, model), indent=1, ensure_ascii=False) + "\n")
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
    """Tables for every size: mean ± standard deviation over the seeds, in percent. The first shows the cost, too."""
    text = ""
    for size in table.sizes:
        at_size = [cell for cell in done if cell["size"] == size.name]
        if not at_size:
            continue
        views = " or ".join(f"{count:,}" for count in sorted({cell["views"] for cell in at_size}))
        text += f"### {size.name}\n\n{at_size[0]['unit'].capitalize()} seen in training: {views}.\n\n"
        for number, caption in enumerate(at_size[0]["figures"]):
            figures = [{"method": cell["method"]} | cell["figures"][caption] for cell in at_size]
            costs = {cell["method"]: (cell["macs"], cell["parameters"]) for cell in at_size} if number == 0 else {}
            text += f"{caption}:\n\n{_rows(figures, costs)}\n"
    return text


def _rows(figures: Sequence[dict[str, Any]], costs: dict[str, tuple[int, int]]) -> str:
    names = [name for name in figures[0] if name != "method"]
    text = f"| method | {' | '.join(names)} | seeds |{' MMACs | parameters |' if costs else ''}\n"
    text += f"|---|{'---:|' * (len(names) + (3 if costs else 1))}\n"
    for method in dict.fromkeys(row["method"] for row in figures):
        runs = [row for row in figures if row["method"] == method]
        text += f"| {method} | {' | '.join(_spread([run[name] for run in runs]) for name in names)} | {len(runs)} |"
        if costs:
            macs, parameters = costs[method]
            text += f" {macs / 1e6:.0f} | {parameters / 1e6:.2f} M |"
        text += "\n"
    return text


def _measured(table: Table, cell: Cell, model: Path) -> dict[str, Any]:
    recipe = read_plan(table.recipe, cell.changes)
    measured = measure(recipe, model, table.test, table.scale_benchmark, table.flip)
    for name, receipt in measured.receipts.items():
        _write(cell.folder / f"{name}.json", receipt.to_json())
    return {
        "size": cell.size,
        "method": cell.method,
        "seed": cell.seed,
        "changes": cell.changes,
        "figures": measured.figures,
        "macs": measured.macs,
        "parameters": measured.parameters,
        "updates": measured.updates,
        "views": measured.updates * recipe.batch_size * recipe.accumulate,
        "unit": measured.unit,
        "seconds": measured.seconds,
        "model_sha256": sha256(model),
        "commit": measured.receipts["receipt"].commit,
        "date": measured.receipts["receipt"].date,
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


def _spread(values: Sequence[float | None]) -> str:
    """Mean ± standard deviation, in percent; a dash where there was nobody to find."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    text = f"{100 * mean(known):.1f}"
    return f"{text} ± {100 * stdev(known):.1f}" if len(known) > 1 else text


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
