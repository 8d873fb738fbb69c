"""Several trainings to one model: the mean of their weights (model soups; Wortsman et al., ICML 2022).

Trainings that begin with the same weights and differ in seed or augmentation end in the same basin, each with noise of
its own; their mean has less of it. Of trainings that began apart it is useless.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from scalepose.errors import ScaleposeError
from scalepose.models.weights import load_model, save_weights


@torch.no_grad()
def average_models(files: Sequence[str | Path], out: str | Path) -> None:
    """Write to `out` (.safetensors) the mean of weights and of the batch norms' statistics, with the first file's card.

    files: .safetensors that scalepose wrote, two or more, of equal networks and skeletons; one that is named twice
    counts twice. Raises ScaleposeError when one cannot be read or differs, or `out` cannot be written.
    """
    if len(files) < 2:
        raise ScaleposeError("a mean needs two files or more")
    mean = load_model(files[0])
    total = {name: tensor.double() for name, tensor in mean.state_dict().items()}
    for file in files[1:]:
        model = load_model(file)
        if model.card.network != mean.card.network or model.card.skeleton != mean.card.skeleton:
            raise ScaleposeError(f"{file}: has another network or skeleton than {files[0]}")
        for name, tensor in model.state_dict().items():
            total[name] += tensor
    mean.load_state_dict({name: tensor / len(files) for name, tensor in total.items()})
    save_weights(mean, out, replace(mean.card, evidence={}))  # what the first one reaches does not hold for the mean


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scalepose.training.soup", description="The mean of several trainings' weights."
    )
    parser.add_argument("models", type=Path, nargs="+", help=".safetensors files of equal networks")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    arguments = parser.parse_args()
    try:
        average_models(arguments.models, arguments.out)
    except ScaleposeError as error:
        print(f"scalepose: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
