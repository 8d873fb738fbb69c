"""`PoseTask`: how a network for whole pictures learns heatmaps and tags, and how it is measured while it does."""

from typing import Any

import torch
from torch import Tensor

from scalepose.data.annotations import Picture
from scalepose.data.batches import Batch
from scalepose.data.images import read_image
from scalepose.losses import associative_loss, centre_loss, heatmap_loss
from scalepose.models.bottomup import BottomUp
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import Network
from scalepose.predictor import Predictor
from scalepose.runtimes.torch import TorchRuntime
from scalepose.training.recipe import Recipe
from scalepose.training.updates import Task


class PoseTask(Task[BottomUp, Recipe]):
    """Bottom-up training: the losses of heatmaps, tags and centre offsets at all supervised resolutions."""

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The names of the losses."""
        network = self.network.card.network
        supervised = map_strides(network)[0 if network.multi_resolution else -1 :]
        losses = ("loss", *(f"heatmap_{stride}" for stride in supervised), "pull", "push")
        centres = ("offsets",) if network.centre_offsets else ()
        return (*losses, *centres)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """One forward pass and its losses."""
        return self.losses(self.run(self.normalise(batch.images)), batch)

    def losses(self, outputs: Outputs[Tensor], batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, a scalar, and its parts before their weights, by the names of the log."""
        weights, network = self.recipe.loss, self.network.card.network
        levels = list(zip(map_strides(network), outputs.heatmaps, batch.heatmaps, batch.masks, strict=True))
        parts = {
            f"heatmap_{stride}": heatmap_loss(maps, target, mask, batch.channels, weights.positive_weight)
            for stride, maps, target, mask in (levels if network.multi_resolution else levels[-1:])
        }
        assert outputs.tags is not None
        parts["pull"], parts["push"] = associative_loss(outputs.tags, batch.tag_pixels)
        if outputs.offsets is not None:
            parts["offsets"] = centre_loss(outputs.offsets, batch.tag_pixels, batch.centres)
        factors = (*weights.heatmap, weights.pull, weights.push, weights.offsets)[: len(parts)]
        total = torch.stack([factor * part for factor, part in zip(factors, parts.values(), strict=True)]).sum()
        return total, {"loss": total.detach()} | {name: part.detach() for name, part in parts.items()}

    def validation_step(self, batch: Picture, batch_idx: int) -> dict[str, list[dict[str, Any]]]:
        """One picture through the network and the decoder that users get; its COCO results."""
        image = read_image(batch.path)  # not turned by EXIF, as it was annotated
        predictor = Predictor(TorchRuntime(self.network), profile="fast")
        return {"results": predictor(image).to_coco(batch.id)}


def map_strides(network: Network) -> tuple[int, ...]:
    """Input pixels per map pixel of every level of the network's heatmaps, coarse to fine: 4, 2, 1."""
    return tuple(4 >> level for level in range(network.deconvs + 1))
