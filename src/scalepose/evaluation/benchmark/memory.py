"""The most memory that predicting takes, measured in a process that does nothing else:

python -m scalepose.evaluation.benchmark.memory MODEL RUNTIME PICTURE...
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scalepose.evaluation.benchmark.configurations import Configuration
from scalepose.evaluation.benchmark.machine import peak_mebibytes


def measure_memory(configuration: Configuration, pictures: Sequence[Path]) -> float | None:
    """Peak mebibytes of a process that predicts `pictures` one by one; None where it cannot be told."""
    command = [sys.executable, "-m", __name__, configuration.model, configuration.runtime_name, *map(str, pictures)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    said = child.stdout.strip()
    return round(float(said), 1) if child.returncode == 0 and said else None


def main(model: str, runtime: str, *pictures: str) -> None:
    """Predict and print the peak."""
    from scalepose.predictor import Predictor

    predictor = Predictor(model, runtime=runtime)
    for picture in pictures:
        predictor(picture)
    peak = peak_mebibytes()
    if peak is not None:
        print(peak)


if __name__ == "__main__":
    main(*sys.argv[1:])
