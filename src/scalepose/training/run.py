"""A training run from a recipe to a model file: `train`.

It puts the parts together: recipe, folder, data, network, task, callbacks, Lightning's trainer. It trains on one
device, or in as many processes as torchrun started, on one machine or several.
"""

import logging
import math
import os
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scalepose.errors import MissingExtra, ScaleposeError

try:
    import torch
    from lightning.pytorch import Callback, Trainer, seed_everything
    from lightning.pytorch.loggers import TensorBoardLogger
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "lightning", "train") from error

from scalepose.evaluation.provenance import commit
from scalepose.models.weights import save_weights
from scalepose.training.averaging import AveragedWeights
from scalepose.training.checkpoints import Checkpoints, Stopped
from scalepose.training.cropstream import CropSets
from scalepose.training.folder import RunFolder
from scalepose.training.jobs import open_job
from scalepose.training.kinds import AnyRecipe, read_plan
from scalepose.training.processes import Processes
from scalepose.training.progress import CsvLog, ProgressBar
from scalepose.training.stream import Stream
from scalepose.training.updates import Task
from scalepose.training.validation import METRICS, Measure, validation_loader

RUNS = Path("runs")


def train(
    recipe: str | Path,
    overrides: Mapping[str, str] | None = None,
    resume: bool = False,
    out: str | Path | None = None,
    datasets: CropSets | None = None,
) -> Path | None:
    """Run a recipe; gives the model file, or None when a signal stopped the run and it can be resumed.

    overrides: dotted recipe keys → yaml text. resume: go on from the last checkpoint in the folder, or begin where
    there is none. out: the run's folder, by default runs/<name of the recipe>. datasets: of crops that earlier runs of
    this process opened and this one may use.
    Raises ScaleposeError when recipe, data or folder cannot be used.
    """
    plan = read_plan(recipe, overrides)
    gpu = torch.cuda.is_available()
    if plan.precision == "bf16" and not gpu and not _computes_bf16():
        raise ScaleposeError(
            f"{recipe}: this CPU has no bf16 instructions (AVX512-BF16 or AMX), and without them bf16 is 1.3 to 27 "
            "times slower than --precision fp32"
        )
    processes = Processes.of_torchrun()
    folder = RunFolder(Path(out) if out is not None else RUNS / plan.name)
    if processes.rank == 0:
        folder.check(plan, processes, resume)
    if resume and folder.model.exists():
        processes.say(f"the run is complete; its model is {folder.model}")
        return folder.model
    checkpoint = folder.checkpoint if resume and folder.checkpoint.exists() else None
    start = 0 if checkpoint is None else _batches_done(checkpoint)

    if not gpu:
        _leave_cores_to(plan.data.workers)
    _hush()
    seed_everything(plan.seed, verbose=False)
    job = open_job(plan, processes, gpu, datasets)
    network, task, val = job.network, job.task, job.val
    stream = Stream(job.loader, plan.schedule.epochs, start)
    if len(stream) < plan.accumulate:
        raise ScaleposeError(f"{recipe}: {len(stream)} batches in all do not make one update of {plan.accumulate}")
    if processes.rank == 0:
        folder.begin(plan, processes)

    callbacks: list[Callback] = [ProgressBar(len(stream) // plan.accumulate)]
    if val:
        callbacks.append(Measure(val, folder.best))  # before the averaged weights: see there
    if plan.ema:
        callbacks.append(AveragedWeights(plan.ema))
    callbacks.append(Checkpoints(folder.checkpoint, plan.checkpoint, len(stream)))
    figures = ("epoch", *task.figures, *METRICS)
    trainer = Trainer(
        accelerator="gpu" if gpu else "cpu",
        devices=processes.on_machine,
        num_nodes=processes.machines,
        strategy="ddp" if processes.world_size > 1 else "auto",
        precision="bf16-mixed" if plan.precision == "bf16" else "32-true",
        # To Lightning the whole run is one epoch, so a resumed run is always one that goes on within an epoch.
        max_epochs=1,
        min_epochs=0,
        val_check_interval=plan.validate_every * len(job.loader),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        benchmark=True,
        log_every_n_steps=1,
        callbacks=callbacks,
        logger=[
            CsvLog(folder.log, figures, start // plan.accumulate),
            TensorBoardLogger(
                folder.path,
                name="",
                version="tensorboard",
                default_hp_metric=False,
                purge_step=start // plan.accumulate + 1,
            ),
        ],
        default_root_dir=folder.path,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    val_loader = validation_loader(val, processes.rank, processes.world_size) if val else None
    try:
        trainer.fit(task, stream, val_loader, ckpt_path=checkpoint, weights_only=True)
    except Stopped:
        processes.say(f"stopped after update {task.updates} and saved in {folder.path}; --resume goes on from there")
        return None
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise ScaleposeError(
            f"a process that loads pictures died, killed by a signal or for want of memory. What {folder.path} holds "
            "stays, and --resume goes on from there; fewer data.workers need less memory"
        ) from error
    if val_loader is not None and plan.schedule.epochs % plan.validate_every:
        trainer.validate(task, val_loader, verbose=False)
    if processes.rank == 0:
        save_weights(network, folder.model, replace(network.card, evidence=_evidence(plan, task)))
    processes.say(f"done; the model is {folder.model}")
    return folder.model


def _leave_cores_to(workers: int) -> None:
    """Threads for the network on as many cores as loading leaves free: with more it is slower than with one."""
    if workers and "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(max(1, cores - workers))


def _computes_bf16() -> bool:
    """Whether this CPU has instructions for bf16; training is then about 1.5 times as fast as in fp32."""
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def _evidence(recipe: AnyRecipe, task: Task[Any, Any]) -> dict[str, Any]:
    """How the model came to be, for its card."""
    evidence: dict[str, Any] = {
        "recipe": recipe.name,
        "data": [getattr(source, "annotations", "synthetic") for source in recipe.data.train],
        "commit": commit(),
        "seed": recipe.seed,
        "updates": task.updates,
        "hours": round(task.seconds / 3600, 2),
    }
    if recipe.data.val is not None:
        evidence |= {"measured_on": recipe.data.val.annotations, "profile": "fast"}
        evidence |= {name: round(task.latest[name], 4) for name in METRICS if math.isfinite(task.latest[name])}
    return evidence


def _batches_done(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["progress"]["batches"])
    except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        raise ScaleposeError(f"{checkpoint}: cannot be read ({error}); delete it to begin again") from error


def _hush() -> None:
    """Lightning's advice is for people who write trainers."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in ("many workers", "treespec", "no `val_dataloader`", "dataloader is not resumable"):
        warnings.filterwarnings("ignore", message=f".*{message}")
