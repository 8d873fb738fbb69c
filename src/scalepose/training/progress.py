"""What a run tells while it goes on: log.csv, and a bar with the time left."""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from tqdm import tqdm

from scalepose.training.updates import Task


class CsvLog(Logger):
    """One row per report in a csv file with the given columns, beside "update"; what is not known stays blank.

    start: the update from which a resumed run goes on. Rows after it are of a future that did not come; they go.
    """

    def __init__(self, path: Path, columns: Sequence[str], start: int):
        super().__init__()
        self._path = path
        self._columns = ["update", *columns]
        self._start = start
        self._begun = False

    @property
    def name(self) -> str:
        """As Lightning wants it."""
        return "csv"

    @property
    def version(self) -> str:
        """As Lightning wants it."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row."""
        if not self._begun:
            self._begin()
            self._begun = True
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writerow({"update": step} | {name: f"{value:.9g}" for name, value in metrics.items()})

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The recipe lies beside the log already."""

    def _begin(self) -> None:
        """Write the head of the file, and keep what is still true of an earlier one."""
        rows: list[dict[str, str]] = []
        if self._path.exists():
            with self._path.open(newline="", encoding="utf-8") as file:
                # A killed process may have left half a row at the end.
                rows = [row for row in csv.DictReader(file) if (row["update"] or "").isdecimal()]
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in rows if int(row["update"]) <= self._start)


class ProgressBar(Callback):
    """Updates done and left, pictures per second, the loss and the last AP, on standard error."""

    def __init__(self, updates: int):
        self._updates = updates
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar, in a file of a background run only now and then."""
        assert isinstance(pl_module, Task)
        if trainer.is_global_zero:
            pause = 0.5 if sys.stderr.isatty() else 60
            self._bar = tqdm(
                total=self._updates,
                initial=pl_module.updates,
                unit="update",
                mininterval=pause,
                maxinterval=pause,
                dynamic_ncols=True,
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on."""
        assert isinstance(pl_module, Task)
        if self._bar is None or not pl_module.between_updates:
            return
        names = ("loss", "pictures_per_second", "skipped", "AP")
        shown = {name: f"{pl_module.latest[name]:.4g}" for name in names if pl_module.latest.get(name)}
        self._bar.set_description(f"epoch {pl_module.epoch:.2f}", refresh=False)
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(pl_module.updates - self._bar.n)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the bar as it stands."""
        self._close()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar as it stands."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
