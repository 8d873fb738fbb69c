"""How fast a network learns at each update: a pure function, so that a resumed run needs to remember nothing.

The published schedule (section 4.1: steps at epochs 200 and 260 of 300) and half a cosine, both after a linear rise.
"""

import math

from scalepose.training.parts import Optimiser, Schedule


def peak_rate(optimiser: Optimiser, effective_batch: int) -> float:
    """The learning rate at full height, in proportion to the pictures per update where the recipe asks for it."""
    reference = optimiser.reference_batch
    return optimiser.lr * (effective_batch / reference if reference else 1)


def learning_rate(schedule: Schedule, peak: float, update: int, updates_per_epoch: float) -> float:
    """The learning rate of update number `update`, counted from 0. An epoch may end within an update."""
    warmup = schedule.warmup_steps
    if update < warmup:
        return peak * (update + 1) / warmup
    if schedule.kind == "step":
        passed = sum(update >= round(epoch * updates_per_epoch) for epoch in schedule.milestones)
        return peak * schedule.factor**passed
    last = math.floor(schedule.epochs * updates_per_epoch) - 1
    done = min((update - warmup) / max(last - warmup, 1), 1)
    return peak * (schedule.factor + (1 - schedule.factor) * (1 + math.cos(math.pi * done)) / 2)
