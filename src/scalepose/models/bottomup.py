"""HigherHRNet (section 3.2; Cheng et al., CVPR 2020) and its baseline HRNet with associative embedding: one network run
gives the heatmaps and tags of everybody in the picture.

Knows no losses and no grouping. Every level predicts heatmaps, whatever is supervised: `Network.multi_resolution` and
`Network.aggregate` are for the loss and for reading the maps, and change no tensor, as in the official code.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from scalepose.models.hrnet import BasicBlock, HRNet
from scalepose.models.initialise import initialise
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard

OFFSET_UNIT = 16.0  # map pixels: predicted offsets are about 1 of these, as other predictions are


class BottomUp(HRNet):
    """HRNet, a 1×1 prediction at stride 4, and per deconvolution twice the resolution and one more prediction.

    card: what it was built from; K is the number of its skeleton's keypoints.
    """

    def __init__(self, card: ModelCard):
        network, K = card.network, len(card.skeleton)
        super().__init__(network)
        self.card = card
        width = network.mix or network.width
        predicted = [K + (K if network.tag_per_keypoint else 1), *[K] * network.deconvs]  # channels of each level

        self.final_layers = nn.ModuleList(nn.Conv2d(width, channels, 1) for channels in predicted)
        self.deconv_layers = nn.ModuleList(
            _higher(width + (channels if network.concat else 0), width, network.deconv_blocks)
            for channels in predicted[:-1]
        )
        self.offset_layers = _offsets(width, K) if network.centre_offsets else None

    def forward(self, images: Tensor) -> Outputs[Tensor]:
        """(B, 3, H, W) float32 normalised RGB, H and W multiples of 32 → heatmaps at strides 4, 2, …; tags and offsets
        at 4.
        """
        K, concat = len(self.card.skeleton), self.card.network.concat
        x = self.features(images)  # (B, width, H/4, W/4)
        coarse = prediction = self.final_layers[0](x)  # (B, K + tags, H/4, W/4)
        offsets = None
        if self.offset_layers is not None:
            xy = OFFSET_UNIT * self.offset_layers(x)  # (B, 2K, H/4, W/4), x and y of a keypoint in turn
            # -> (B, K, 2, H/4, W/4); not by reshaping, for which an exported graph would compute its sizes
            offsets = torch.stack((xy[:, 0::2], xy[:, 1::2]), dim=2)
        heatmaps = [coarse[:, :K]]
        for deconv, final in zip(self.deconv_layers, self.final_layers[1:], strict=True):
            x = deconv(torch.cat((x, prediction), 1) if concat else x)  # twice the size
            prediction = final(x)  # (B, K, h, w)
            heatmaps.append(prediction)
        return Outputs(heatmaps, tags=coarse[:, K:], offsets=offsets)


def _higher(inputs: int, width: int, blocks: int) -> nn.Sequential:
    """Twice the resolution: a transposed convolution, then residual blocks (wrapped as in the published names)."""
    deconv = nn.ConvTranspose2d(inputs, width, 4, stride=2, padding=1, bias=False)
    up = nn.Sequential(deconv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
    return nn.Sequential(up, *(nn.Sequential(BasicBlock(width)) for _ in range(blocks)))


def _offsets(inputs: int, K: int) -> nn.Sequential:
    """Where every keypoint's centre lies: a 3×3 convolution, for it takes looking around, then the prediction."""
    around = nn.Conv2d(inputs, inputs, 3, padding=1, bias=False)
    return nn.Sequential(around, nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), nn.Conv2d(inputs, 2 * K, 1))


def build(card: ModelCard) -> BottomUp:
    """The network that `card` describes, initialised for training from scratch."""
    model = BottomUp(card)
    initialise(model, "scratch")
    return model


def macs(model: nn.Module, size: int | tuple[int, int]) -> int:
    """Multiply-adds of all convolutions for one picture, counted without computing anything.

    size: (width, height) in pixels, or both in one. model: any network, for pictures or crops, in evaluation mode.
    A transposed convolution counts once per input pixel and weight. (The official counter uses output pixels there,
    four times too many: its 47.9 G of HigherHRNet-W32 at 512 are 46.2 G.)
    """
    width, height = (size, size) if isinstance(size, int) else size
    tensors = {name: tensor.to("meta") for name, tensor in model.state_dict().items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        functional_call(model, tensors, torch.empty(1, 3, height, width, device="meta"))
    return counter.get_total_flops() // 2
