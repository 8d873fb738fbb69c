"""What is compared: models, each on every runtime that is installed and can open its file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scalepose.errors import ScaleposeError
from scalepose.models.zoo import ModelCard
from scalepose.runtimes import Runtime, open_runtime
from scalepose.runtimes.runtime import RUNTIMES, model_file


@dataclass(frozen=True)
class Configuration:
    """One model on one runtime, as named by the user, with the file behind it."""

    model: str
    runtime_name: str
    file: Path
    runtime: Runtime[ModelCard]


@dataclass(frozen=True)
class Found:
    """configurations: those that can be measured. left_out: the others, each with its reason in one line."""

    configurations: Sequence[Configuration]
    left_out: Sequence[str]


def open_configurations(models: Sequence[str], runtimes: Sequence[str]) -> Found:
    """Every model on every runtime. Without `runtimes`, on all that are installed and take the model's file.

    Raises ScaleposeError when a runtime that was asked for cannot open a model, and when none opens it.
    """
    opened: list[Configuration] = []
    left_out: list[str] = []
    for model in dict.fromkeys(models):
        errors: list[ScaleposeError] = []
        for name in dict.fromkeys(runtimes) or (name for name in RUNTIMES if name != "auto"):
            try:
                runtime = open_runtime(model, name)
            except ScaleposeError as error:
                errors.append(error)
                left_out.append(f"{model} on {name}: {error}")
                continue
            if not isinstance(runtime.card, ModelCard):
                raise ScaleposeError(f"{model}: reads crops of single people; models for whole pictures are measured")
            opened.append(Configuration(model, name, model_file(model, name), runtime))
        if errors and runtimes:
            raise errors[0]
        if not any(entry.model == model for entry in opened):
            open_runtime(model)  # says best what is wrong
    return Found(opened, left_out)
