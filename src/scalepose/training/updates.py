"""One update after another: `Task`, from a batch and its loss to changed weights. Subclasses know what is learned.

The task counts its own batches and makes its own updates (Lightning's manual optimisation), because an update whose
gradient is not finite must leave no trace: neither in the weights nor in the running statistics of the batch norms, nor
in the averaged weights. It knows no files: saving, logging and measuring are the callbacks' work.
"""

import math
import time
from typing import Any, Generic, TypeVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from scalepose.data.annotations import Picture
from scalepose.errors import ScaleposeError
from scalepose.models.normalise import MEAN, STD
from scalepose.training.optimisers import make_optimisers
from scalepose.training.parts import Plan
from scalepose.training.schedule import learning_rate, peak_rate

_copy = torch._foreach_copy_  # pyright: ignore[reportPrivateImportUsage]

MOST_SKIPPED = 50  # updates in a row without a finite gradient, after which nothing will get better

Net = TypeVar("Net", bound=nn.Module)
Job = TypeVar("Job", bound=Plan)


class Task(LightningModule, Generic[Net, Job]):
    """How `network` learns what `recipe` says.

    batches_per_epoch: of one process. batches: how many this process has seen. skipped: updates left out because the
    gradient was not finite. seconds: how long training took, with all its resumptions. latest: the last figures given
    to the log, where losses are means since the report before. run: the network's forward pass, compiled if asked.
    """

    def __init__(self, network: Net, recipe: Job, batches_per_epoch: int):
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.recipe = recipe
        self.batches_per_epoch = batches_per_epoch
        self.batches = 0
        self.skipped = 0
        self.seconds = 0.0
        self.latest: dict[str, float] = {}
        # A function, not a second submodule. Validation, with pictures of every size, goes through `network` itself.
        self.run = torch.compile(network.forward) if recipe.compile else network.forward
        self._skipped_in_a_row = 0
        self._norm = math.nan
        self._statistics: list[Tensor] = []
        self._figures: list[Tensor] = []  # of the passes since the last update
        self._sums, self._summed = torch.zeros(1), 0  # of the updates since the last report
        self._clock = (time.perf_counter(), 0)  # of the last report: time, pictures
        self._paused = 0.0
        self._started = 0.0

        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        self._scale = nn.Buffer(1 / (255 * std), persistent=False)
        self._shift = nn.Buffer(mean / std, persistent=False)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The names of the figures that `loss` gives, in its order."""
        raise NotImplementedError

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """One forward pass: what is minimised, a scalar, and scalars for the log."""
        raise NotImplementedError

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of what is reported."""
        return (*self.loss_names, "gradient", "lr", "skipped", "pictures_per_second")

    @property
    def updates(self) -> int:
        """How many updates were due so far, the skipped ones among them: what the schedule and the log count."""
        return self.batches // self.recipe.accumulate

    @property
    def between_updates(self) -> bool:
        """Whether no gradients are waiting for their update, so that a checkpoint misses nothing."""
        return self.batches % self.recipe.accumulate == 0

    @property
    def epoch(self) -> float:
        """How many times the training set has been gone through."""
        return self.batches / self.batches_per_epoch

    @property
    def effective_batch(self) -> int:
        """Pictures per update, on all devices together."""
        return self.recipe.batch_size * self.recipe.accumulate * self.trainer.world_size

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """As the recipe has them."""
        return make_optimisers(
            self.network, self.recipe.optimiser, peak_rate(self.recipe.optimiser, self.effective_batch)
        )

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One pass; after every `accumulate` of them one update."""
        if self.between_updates:
            for optimiser in self._optimisers():
                optimiser.zero_grad()
            self._remember_statistics()
        total, figures = self.loss(batch)
        self.manual_backward(total / self.recipe.accumulate)
        self._figures.append(torch.stack(list(figures.values())))
        self.batches += 1
        self.seconds = time.perf_counter() - self._started
        if not self.between_updates:
            return
        if self._update():
            # Sums stay on the device: nothing waits for them before the report.
            self._sums = sum(self._figures, self._sums.to(self.device))
            self._summed += len(self._figures)
        self._figures = []
        if self.updates % self.recipe.log_every == 0:
            self._report(list(figures))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """A batch goes to the device; a picture still to be read does not."""
        return batch if isinstance(batch, Picture) else batch.to(device, non_blocking=True)

    def normalise(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 RGB → float32 network input."""
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return images.to(torch.float32, memory_format=layout) * self._scale - self._shift

    def _update(self) -> bool:
        """Change the weights, unless the gradient is not finite. Under DDP all processes hold the same gradient."""
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._norm = float(norm)
        if not math.isfinite(self._norm):
            self._skip()
            return False
        if self.recipe.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.network.parameters(), self.recipe.gradient_clip, norm)
        for optimiser in self._optimisers():
            for group in optimiser.param_groups:
                group["lr"] = self.rate(self.updates - 1)
            optimiser.step()
        self._skipped_in_a_row = 0
        return True

    def rate(self, update: int) -> float:
        """The learning rate of update number `update`, counted from 0."""
        recipe = self.recipe
        peak = peak_rate(recipe.optimiser, self.effective_batch)
        return learning_rate(recipe.schedule, peak, update, self.batches_per_epoch / recipe.accumulate)

    def _optimisers(self) -> list[LightningOptimizer]:
        """One or several, always as a list."""
        optimisers = self.optimizers()
        return optimisers if isinstance(optimisers, list) else [optimisers]

    def _skip(self) -> None:
        _copy(self._norm_buffers(), self._statistics)
        self.skipped += 1
        self._skipped_in_a_row += 1
        rank_zero_warn(f"update {self.updates}: the gradient is not finite; left out ({self.skipped} so far)")
        if self._skipped_in_a_row >= MOST_SKIPPED:
            raise ScaleposeError(
                f"no finite gradient in {MOST_SKIPPED} updates, up to update {self.updates}. Train from an earlier "
                "checkpoint or anew, with a lower optimiser.lr, a longer schedule.warmup_steps or precision fp32"
            )

    def _remember_statistics(self) -> None:
        buffers = self._norm_buffers()
        if not self._statistics:
            self._statistics = [buffer.clone() for buffer in buffers]
        else:
            _copy(self._statistics, buffers)

    def _norm_buffers(self) -> list[Tensor]:
        """The running statistics, which a forward pass changes before its gradient is known."""
        norms = (module for module in self.network.modules() if isinstance(module, nn.BatchNorm2d))
        return [buffer for norm in norms for buffer in norm.buffers()]

    def _report(self, names: list[str]) -> None:
        """Give the log the means since the last report."""
        now, pictures = time.perf_counter(), self.updates * self.effective_batch
        seconds, before = now - self._clock[0], self._clock[1]
        self._clock = (now, pictures)
        report = {
            "gradient": self._norm,
            "lr": self.rate(self.updates - 1),
            "skipped": float(self.skipped),
            "pictures_per_second": (pictures - before) / seconds,
        }
        if self._summed:
            means = self.trainer.strategy.reduce(self._sums / self._summed, reduce_op="mean")
            report |= dict(zip(names, means.tolist(), strict=True))
        self._sums, self._summed = torch.zeros(1), 0
        self.write_log(report)

    def write_log(self, figures: dict[str, float]) -> None:
        """Give figures to every logger, beside the number of the update and of the epoch."""
        self.latest |= figures
        for logger in self.loggers:
            logger.log_metrics({"epoch": self.epoch} | figures, step=self.updates)

    def on_train_start(self) -> None:
        """The clocks start."""
        self._started = time.perf_counter() - self.seconds
        self._clock = (time.perf_counter(), self.updates * self.effective_batch)

    def on_validation_start(self) -> None:
        """The clock of the next report stops."""
        self._paused = time.perf_counter()

    def on_validation_end(self) -> None:
        """The clock of the next report goes on."""
        self._clock = (self._clock[0] + time.perf_counter() - self._paused, self._clock[1])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Where the run stands, beside what Lightning saves."""
        checkpoint["progress"] = {
            "batches": self.batches,
            "skipped": self.skipped,
            "skipped_in_a_row": self._skipped_in_a_row,
            "seconds": self.seconds,
            "sums": self._sums,
            "summed": self._summed,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stand there again."""
        progress = checkpoint["progress"]
        self.batches, self.skipped = progress["batches"], progress["skipped"]
        self._skipped_in_a_row, self.seconds = progress["skipped_in_a_row"], progress.get("seconds", 0.0)
        self._sums, self._summed = progress["sums"], progress["summed"]
