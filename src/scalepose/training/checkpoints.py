"""When a run is saved, and how it stops: every so often, and when somebody asks it to.

A checkpoint is written between two updates, in one piece, over the one before. The first signal (Ctrl-C, or SIGTERM
from a scheduler) lets the update finish, saves and ends; a second Ctrl-C ends at once.
"""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from scalepose.errors import ScaleposeError
from scalepose.training.parts import Checkpoint
from scalepose.training.updates import Task


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


class Checkpoints(Callback):
    """Saves the run to `path` as often as `checkpoint` says, and before it stops on a signal.

    batches: of the whole run, per process; after the last there is nothing left to continue.
    """

    def __init__(self, path: Path, checkpoint: Checkpoint, batches: int):
        self._path = path
        self._checkpoint = checkpoint
        self._batches = batches
        self._saved = time.monotonic()
        self._asked = False
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to signals; after Lightning has put its own handlers, which cannot save between updates."""
        self._saved = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            self._handlers = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save where it is time, and stop where somebody asked."""
        assert isinstance(pl_module, Task)
        if not pl_module.between_updates or pl_module.batches >= self._batches:
            return
        steps, minutes = self._checkpoint.steps, self._checkpoint.minutes
        due = steps is not None and pl_module.updates % steps == 0
        if minutes is not None:  # the clocks of several machines differ: they agree
            late = time.monotonic() - self._saved >= 60 * minutes
            due |= trainer.strategy.reduce_boolean_decision(late, all=False)
        stop = trainer.strategy.reduce_boolean_decision(self._asked, all=False)
        if due or stop:
            self._save(trainer)
        if stop:
            raise Stopped

    def _save(self, trainer: Trainer) -> None:
        partial = self._path.with_name(self._path.name + ".part")
        try:
            trainer.save_checkpoint(partial)
            if trainer.is_global_zero:  # Lightning's own move is a copy if temporary files lie on another disk
                os.replace(partial, self._path)
        except OSError as error:
            raise ScaleposeError(f"{self._path}: cannot be written ({error.strerror})") from error
        self._saved = time.monotonic()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Stop listening."""
        self._stop_listening()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop listening."""
        self._stop_listening()

    def _stop_listening(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = True
