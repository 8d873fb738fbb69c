"""`UpscaleTask`: how an up-scaler learns to give back what averaging took from crops of people."""

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, l1_loss

from scalepose.models.upscale import Upscaler
from scalepose.training.cropstream import CropBatch
from scalepose.training.updates import Task
from scalepose.training.upscalerecipe import UpscaleRecipe


class UpscaleTask(Task[Upscaler, UpscaleRecipe]):
    """Small crops are the averages of large ones; the loss is the mean absolute difference to these (L1, which keeps
    edges sharper than the squares of ESPCN). Reported beside it: the PSNR in dB, and that of bicubic enlargement.
    """

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The loss and two signal-to-noise ratios."""
        return ("loss", "psnr", "psnr_bicubic")

    def loss(self, batch: CropBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """One forward pass and its loss."""
        factor = self.network.card.factor
        large = batch.images.float() / 255  # (B, 3, factor·h, factor·w)
        small = avg_pool2d(large, factor)
        enlarged = self.run(small)
        total = l1_loss(enlarged.float(), large)
        bicubic = interpolate(small, scale_factor=factor, mode="bicubic", align_corners=False)
        figures = {"psnr": _psnr(enlarged.detach().float(), large), "psnr_bicubic": _psnr(bicubic, large)}
        return total, {"loss": total.detach()} | figures


def _psnr(image: Tensor, truth: Tensor) -> Tensor:
    """dB, over the whole batch."""
    return -10 * (image.clamp(0, 1) - truth).square().mean().log10()
