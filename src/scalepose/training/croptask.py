"""`CropTask`: how a top-down network learns its head's maps, and how it is measured while it does."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from scalepose.crops import CropPredictor
from scalepose.data.annotations import Picture
from scalepose.data.boxes import Boxes
from scalepose.data.degrade import Degradation, bicubic
from scalepose.data.images import read_image
from scalepose.losses.crops import crop_loss
from scalepose.models.topdown import TopDown
from scalepose.models.upscale import Upscaler, numpy_network
from scalepose.runtimes.torch import TorchRuntime
from scalepose.runtimes.upscale import Enlarger
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.cropstream import CropBatch
from scalepose.training.stages import Stages
from scalepose.training.updates import Task


class CropTask(Task[TopDown, CropRecipe]):
    """Top-down training. upscaler: enlarges crops before the network sees them; it learns nothing here. boxes: of the
    validation pictures, by picture id. stages: those of CAL, where the recipe has two.
    """

    def __init__(
        self,
        network: TopDown,
        recipe: CropRecipe,
        batches_per_epoch: int,
        upscaler: Upscaler | None = None,
        boxes: Mapping[int | str, Boxes] | None = None,
    ):
        super().__init__(network, recipe, batches_per_epoch)
        self.boxes = boxes or {}
        self.upscaler = upscaler.requires_grad_(False) if upscaler is not None else None
        second = recipe.loss.second_stage
        self.stages = Stages(second) if second is not None else None

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The losses, and with two stages which it is (1 or 2) and the error that decides about it."""
        offset = ("offset",) if self.network.card.network.has_offsets else ()
        return ("loss", "heatmap", *offset, *(("stage", "error") if self.stages is not None else ()))

    def loss(self, batch: CropBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """One forward pass and its losses."""
        assert batch.targets is not None
        outputs = self.run(self.normalise(self._enlarged(batch.images)))
        weights = None
        if self.stages is not None:
            if self.between_updates:
                self.stages.advance(self.epoch)
            weights = self.stages.weights(outputs.heatmaps[-1].detach(), batch.targets)
        parts = crop_loss(self.network.card.network.head, outputs, batch.targets, weights)
        total = parts["heatmap"] + self.recipe.loss.offset * parts.get("offset", torch.zeros((), device=self.device))
        figures = {"loss": total.detach()} | {name: part.detach() for name, part in parts.items()}
        if self.stages is not None:
            figures["stage"] = total.new_tensor(2.0 if self.stages.second else 1.0)
            figures["error"] = total.new_tensor(self.stages.error)
        return total, figures

    def validation_step(self, batch: Picture, batch_idx: int) -> dict[str, list[dict[str, Any]]]:
        """The people in the boxes of one picture, read as users get it; their COCO results."""
        low_res, enlarge = None, bicubic
        if self.upscaler is not None:
            factor = self.upscaler.card.factor
            W, H = self.network.card.crop_size
            low_res = Degradation((W // factor, H // factor))
            enlarge = Enlarger(self.upscaler.card, numpy_network(self.upscaler))
        predictor = CropPredictor(TorchRuntime(self.network), low_res=low_res, enlarge=enlarge)
        image = read_image(batch.path)  # as it was annotated: not turned
        return {"results": predictor.people(image, self.boxes[batch.id]).to_coco(batch.id)}

    def _enlarged(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) uint8 RGB → (B, 3, H, W) RGB, 0 to 255, of the network's crop size."""
        if self.upscaler is None:
            return images
        with torch.no_grad():
            return (255 * self.upscaler(images / 255)).clamp(0, 255).round()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Where the run stands, the stage too."""
        super().on_save_checkpoint(checkpoint)
        if self.stages is not None:
            checkpoint["stages"] = self.stages.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stand there again."""
        super().on_load_checkpoint(checkpoint)
        if self.stages is not None:
            self.stages.restore(checkpoint["stages"])
