"""Top-down networks: one person's crop in, that person's maps out.

HRNet (Sun et al., CVPR 2019), SimpleBaseline (Xiao et al., ECCV 2018), and CAL (Wang et al., 2022), which splits HRNet
after its third stage into a branch for heatmaps and one for offsets.

Knows no losses, no crops and no decoding. Every tensor has the name it has in the official code (pose_hrnet, its DARK
and UDP versions, pose_resnet; for CAL the code as last published), so those checkpoints load as they are.

Departures: the CAL-W48 configuration gives stage 4 of the offset branch 144 channels at stride 4, three times those of
its twin; here both are alike.
"""

from torch import Tensor, nn

from scalepose.models.cropcards import CropCard
from scalepose.models.hrnet import BasicBlock, HRNet, Transition, last_stage
from scalepose.models.initialise import initialise
from scalepose.models.outputs import Outputs
from scalepose.models.resnet import BLOCKS, FEATURES, ResNet


class TopDown(nn.Module):
    """What all of them are.

    card: what it was built from; K is the number of its skeleton's keypoints.
    """

    card: CropCard

    def forward(self, crops: Tensor) -> Outputs[Tensor]:
        """(B, 3, H, W) float32 normalised RGB, H and W multiples of the network's stride → heatmaps (B, K, H/4, W/4),
        one level; offsets (B, K, 2, H/4, W/4) where the head has them, in its `OFFSET_UNITS`.
        """
        raise NotImplementedError


class HRNetTopDown(HRNet, TopDown):
    """HRNet and a 1×1 prediction at stride 4."""

    def __init__(self, card: CropCard):
        super().__init__(card.network.trunk, card.network.branches)
        self.card = card
        self.final_layer = nn.Conv2d(card.network.width, _channels(card), 1)

    def forward(self, crops: Tensor) -> Outputs[Tensor]:
        """As every `TopDown`."""
        return _outputs(self.final_layer(self.features(crops)), self.card)


class SimpleBaseline(ResNet, TopDown):
    """ResNet, three deconvolutions from stride 32 to 4, and a 1×1 prediction."""

    def __init__(self, card: CropCard):
        super().__init__(BLOCKS[card.network.backbone])
        self.card = card
        self.deconv_layers = nn.Sequential(*_deconv(FEATURES, 256), *_deconv(256, 256), *_deconv(256, 256))
        self.final_layer = nn.Conv2d(256, _channels(card), 1)

    def forward(self, crops: Tensor) -> Outputs[Tensor]:
        """As every `TopDown`."""
        return _outputs(self.final_layer(self.deconv_layers(self.features(crops))), self.card)


class CAL(HRNet, TopDown):
    """HRNet whose last stage and head are there twice: for heatmaps (hm) and for offset maps (om)."""

    def __init__(self, card: CropCard):
        network, K = card.network, len(card.skeleton)
        trunk = network.trunk
        super().__init__(trunk, network.branches)
        self.card = card
        widths = [network.width * 2**i for i in range(network.branches)]
        self.transition3_om = Transition(widths[:3], widths)
        self.stage4_om = last_stage(widths, trunk)
        self.head_hm = _head(network.width, K, "hm")
        self.head_om = _head(network.width, 2 * K, "om")

    def forward(self, crops: Tensor) -> Outputs[Tensor]:
        """As every `TopDown`; heatmaps and offsets share the first three stages only."""
        shared = self.three_stages(crops)
        heatmaps = self.head_hm(self.stage4(self.transition3(shared))[0])  # (B, K, H/4, W/4)
        offsets = self.head_om(self.stage4_om(self.transition3_om(shared))[0])  # (B, 2K, H/4, W/4)
        return Outputs([heatmaps], offsets=offsets.unflatten(1, (len(self.card.skeleton), 2)))


def build_crops(card: CropCard) -> TopDown:
    """The network that `card` describes, initialised for training from scratch."""
    model = topdown(card)
    initialise(model, "scratch")
    return model


def topdown(card: CropCard) -> TopDown:
    """The network that `card` describes, its weights as torch leaves them: to be filled."""
    if card.network.backbone != "hrnet":
        return SimpleBaseline(card)
    return CAL(card) if card.network.head == "cal" else HRNetTopDown(card)


def _channels(card: CropCard) -> int:
    return len(card.skeleton) * (3 if card.network.has_offsets else 1)


def _outputs(maps: Tensor, card: CropCard) -> Outputs[Tensor]:
    """(B, K, h, w) heatmaps; or (B, 3K, h, w), of each keypoint in turn, as UDP has it, heatmap, x and y offset."""
    if not card.network.has_offsets:
        return Outputs([maps])
    parts = maps.unflatten(1, (len(card.skeleton), 3))  # (B, 3K, h, w) → (B, K, 3, h, w)
    return Outputs([parts[:, :, 0]], offsets=parts[:, :, 1:])


def _deconv(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Twice the resolution."""
    deconv = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return deconv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def _head(width: int, channels: int, name: str) -> nn.Sequential:
    """Two residual blocks and a 1×1 prediction; `name` stands in the published names of the tensors."""
    head = nn.Sequential()
    head.add_module("final_block1", BasicBlock(width))
    head.add_module(f"final_block_{name}", BasicBlock(width))
    head.add_module(f"final_layer_{name}", nn.Conv2d(width, channels, 1))
    return head
