"""CAL's two stages (Wang et al. 2022): which weights the offset loss has, and when the second stage begins.

First the targets' static mask; then, once coarse positions can be trusted, the mask of a Gaussian mixture that is
fitted to every batch's displacements. The state is a few numbers, which a checkpoint keeps, so that a run goes on in
either stage as if it had not been stopped. It knows no losses and no networks.
"""

import math
from typing import Any

from torch import Tensor

from scalepose.losses.crops import CropTargets
from scalepose.losses.mixture import Mixture, displacements, fit_mixture, mixture_mask
from scalepose.training.croprecipe import SecondStage

MEMORY = 0.98  # of the running mean of the error, per update: about fifty updates
TRUSTED = 50  # updates after which that mean is believed


class Stages:
    """plan: when and how the second stage is. second: it has begun. error: running mean of the distance between
    predicted and true coarse positions, map pixels; NaN before the first batch. mixture: the last one fitted.
    """

    def __init__(self, plan: SecondStage):
        self.plan = plan
        self.second = False
        self.error = math.nan
        self.mixture: Mixture | None = None
        self._measured = 0

    def advance(self, epoch: float) -> None:
        """Between two updates: begin the second stage where it is time. epoch: how many are done."""
        late = self.plan.from_epoch is not None and epoch >= self.plan.from_epoch
        trusted = self.plan.below_error is not None and self._measured >= TRUSTED and self.error < self.plan.below_error
        self.second = self.second or late or trusted

    def weights(self, heatmaps: Tensor, targets: CropTargets) -> Tensor | None:
        """The weights of the offset loss for a batch, (B, K, h, w), or None for the targets' own; measures the error.

        heatmaps: (B, K, h, w), predicted.
        """
        moved = displacements(heatmaps, targets.places, targets.weights)
        self._measure(moved)
        if not self.second:
            return None
        start = self.mixture if self.plan.carry else None
        self.mixture = fit_mixture(moved, self.plan.components, self.plan.steps, self.plan.regularise, start)
        h, w = heatmaps.shape[2:]
        return mixture_mask(self.mixture, targets.places, targets.weights, (w, h))

    def _measure(self, moved: Tensor) -> None:
        error = float(moved.norm(dim=1).nanmean())
        if math.isfinite(error):
            # A plain mean at first, so that the start does not count for more than it is.
            keep = min(MEMORY, self._measured / (self._measured + 1))
            self.error = error if self._measured == 0 else keep * self.error + (1 - keep) * error
            self._measured += 1

    def state(self) -> dict[str, Any]:
        """For the checkpoint: plain values and tensors."""
        mixture = self.mixture
        parts = [] if mixture is None else [mixture.weights, mixture.means, mixture.covariances]
        return {"second": self.second, "error": self.error, "measured": self._measured, "mixture": parts}

    def restore(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.second, self.error, self._measured = state["second"], state["error"], state["measured"]
        self.mixture = Mixture(*(part.clone() for part in state["mixture"])) if state["mixture"] else None
