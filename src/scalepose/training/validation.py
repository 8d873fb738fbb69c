"""Average precision while training: the validation pictures through the network and the decoder that users get."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from scalepose.data.annotations import Annotations, Picture
from scalepose.evaluation import average_precision
from scalepose.models import save_weights
from scalepose.training.updates import Task

METRICS = ("AP", "AP50", "AP75", "APM", "APL", "AR")


def validation_loader(annotations: Annotations, rank: int, world_size: int) -> DataLoader[Picture]:
    """This process's part of the pictures, one at a time, not yet read."""
    return DataLoader(annotations.pictures[rank::world_size], batch_size=None)  # type: ignore[arg-type]


class Measure(Callback):
    """Collects what the task finds in the validation pictures, measures it, and keeps the best network so far.

    Stands before `AveragedWeights` among the callbacks: when it measures and saves, the averaged weights are in place.
    best: file for the network with the highest AP.
    """

    def __init__(self, annotations: Annotations, best: Path):
        self._annotations = annotations
        self._best = best
        self._best_ap = -1.0
        self._results: list[dict[str, Any]] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last time."""
        self._results = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the COCO results of one picture."""
        self._results += outputs["results"]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, tell the log, and save a network that is better than any before."""
        assert isinstance(pl_module, Task)
        metrics = average_precision(self._annotations, _gather(self._results, trainer.world_size))
        figures = {name: metrics[name] for name in METRICS}
        pl_module.write_log(figures)
        if figures["AP"] > self._best_ap:
            self._best_ap = figures["AP"]
            if trainer.is_global_zero:
                save_weights(pl_module.network, self._best)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"best_ap": self._best_ap}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self._best_ap = state_dict["best_ap"]


def _gather(results: list[dict[str, Any]], world_size: int) -> Sequence[dict[str, Any]]:
    """The results of all processes."""
    if world_size == 1:
        return results
    parts: list[list[dict[str, Any]] | None] = [None] * world_size
    torch.distributed.all_gather_object(parts, results)
    return [result for part in parts if part is not None for result in part]
