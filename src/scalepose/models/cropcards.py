"""The top-down networks by name: one person's crop in, that person's maps out. What each is made of and how its crop is
cut, as `zoo` has it for whole pictures.

Needs no torch. Knows both kinds of cards where a name or a file may be either: `find_model`, `card_from_json`. Names
follow the papers, height before width; sizes in code are (width, height), as everywhere.

Published sizes and sigmas: HRNet (Sun et al. 2019), DARK (Zhang et al. 2020), UDP (Huang et al. 2020), CAL (Wang et al.
2022), SimpleBaseline (Xiao et al. 2018). At 64x48 only CAL's sigma is published; the other heads keep that of 128x96.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from scalepose.errors import ScaleposeError
from scalepose.models.zoo import DEFAULT, MODELS, ModelCard, Network, shipped_file
from scalepose.skeletons import COCO17, Skeleton
from scalepose.targets.crops import OFFSET_UNITS, STRIDE, Head, alignment

Backbone = Literal["hrnet", "resnet50", "resnet101", "resnet152"]
Alignment = Literal["plain", "udp"]
HEADS: tuple[Head, ...] = get_args(Head)
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
MAX_CROP_SIZE = 1024  # pixels
MAX_SIGMA = 32.0  # map pixels


@dataclass(frozen=True)
class CropNetwork:
    """The shape of a top-down network.

    backbone: HRNet, or SimpleBaseline's ResNet with three deconvolutions. width, stem, layer1, modules, blocks: as in
    `zoo.Network`; only HRNet reads them. branches: of HRNet's last stage, 4, or 3 for crops of which no stride of 32
    is left (published for CAL at 64x48).
    head: what the network says. heatmap, dark, udp: K heatmaps. udp-offset, cal-light: from one trunk K heatmaps and 2K
    offsets. cal: the same from two branches, split after HRNet's third stage.

    Raises ScaleposeError for values of which no network can be built (they come from recipes and model files).
    """

    backbone: Backbone = "hrnet"
    width: int = 32
    stem: int = 64
    layer1: int = 4
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4
    branches: int = 4
    head: Head = "heatmap"

    def __post_init__(self) -> None:
        _ = self.trunk  # raises for sizes that cannot be
        for name, value, known in (("backbone", self.backbone, BACKBONES), ("head", self.head, HEADS)):
            if value not in known:
                raise ScaleposeError(f"network: no {name} is called {value!r}; there are: {', '.join(known)}")
        if self.branches not in (3, 4) or type(self.branches) is not int:
            raise ScaleposeError(f"network: branches must be 3 or 4; got {self.branches!r}")
        if self.head == "cal" and self.backbone != "hrnet":
            raise ScaleposeError("network: the cal head splits HRNet after stage 3; with a ResNet use cal-light")

    @property
    def trunk(self) -> Network:
        """What HRNet is built from; the fields of bottom-up heads at their defaults."""
        return Network(self.width, self.stem, self.layer1, self.modules, self.blocks)

    @property
    def stride(self) -> int:
        """The sides of a crop must be multiples of it: the stride of the coarsest branch."""
        return 2 ** (self.branches + 1) if self.backbone == "hrnet" else 32

    @property
    def has_offsets(self) -> bool:
        """Offsets come out besides heatmaps."""
        return self.head in OFFSET_UNITS

    @property
    def alignment(self) -> Alignment:
        """How crops are cut and map pixels counted: as HRNet published it, or unbiased (sizes are pixels minus 1)."""
        return alignment(self.head)


@dataclass(frozen=True)
class CropCard:
    """All that is needed to build a top-down network, cut its crops and read its maps.

    crop_size: (width, height) in pixels; maps are a quarter of it. sigma: of the target's Gaussians, in map pixels.
    weights, summary, evidence: as in `zoo.ModelCard`.

    Raises ScaleposeError when the network cannot take such crops.
    """

    name: str
    network: CropNetwork
    skeleton: Skeleton = COCO17
    crop_size: tuple[int, int] = (192, 256)
    sigma: float = 2.0
    weights: str | None = None
    summary: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size, stride = self.crop_size, self.network.stride
        if (
            not isinstance(size, tuple)
            or len(size) != 2
            or not all(type(side) is int and stride <= side <= MAX_CROP_SIZE and side % stride == 0 for side in size)
        ):
            raise ScaleposeError(
                f"{self.name}: crop_size must be two multiples of {stride} up to {MAX_CROP_SIZE}, width and height; "
                f"got {size!r}"
            )
        if type(self.sigma) not in (int, float) or not 0 < self.sigma <= MAX_SIGMA:
            raise ScaleposeError(f"{self.name}: sigma must be above 0, at most {MAX_SIGMA:.0f}; got {self.sigma!r}")

    @property
    def map_size(self) -> tuple[int, int]:
        """(width, height) of the maps."""
        return self.crop_size[0] // STRIDE, self.crop_size[1] // STRIDE

    @property
    def alignment(self) -> Alignment:
        """Of the network: "plain" or "udp"."""
        return self.network.alignment

    def to_json(self) -> str:
        """The card as a line of json, for the metadata of a model file."""
        plain = {"kind": "crops"} | asdict(replace(self, skeleton=COCO17))
        plain["skeleton"] = json.loads(self.skeleton.to_json())
        del plain["weights"]  # where weights lie is for the list below to say, not for a file from anywhere
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str, source: str) -> "CropCard":
        """Read `to_json` back. Raises ScaleposeError naming `source` when the text is not such a card."""
        try:
            plain = json.loads(text)
            if plain["kind"] != "crops":
                raise ScaleposeError(f"{source}: does not describe a network for crops")
            network: dict[str, Any] = plain["network"] | {"modules": tuple(plain["network"]["modules"])}
            return cls(
                name=str(plain["name"]),
                network=CropNetwork(**network),
                skeleton=Skeleton.from_category(plain["skeleton"], source),
                crop_size=tuple(plain["crop_size"]),
                sigma=plain["sigma"],
                summary=str(plain["summary"]),
                evidence=dict(plain["evidence"]),
            )
        except ScaleposeError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ScaleposeError(f"{source}: its description is not one that scalepose wrote ({error})") from error

    def file(self, suffix: str) -> Path | None:
        """The shipped weights as a file with `suffix` (".onnx", ".safetensors"), or None."""
        return shipped_file(self.weights, suffix)


_SIGMA = {"64x48": 1.0, "128x96": 1.0, "256x192": 2.0, "384x288": 3.0}
_SMALL = CropNetwork(width=16, stem=32, layer1=1, modules=(1, 2, 2), blocks=2)
_SUMMARIES: dict[Head, str] = {
    "heatmap": "plain heatmaps",
    "dark": "heatmaps with sub-pixel targets, read by DARK",
    "udp": "heatmaps in unbiased alignment (UDP)",
    "udp-offset": "UDP with classification and offsets",
    "cal": "CAL as published: heatmaps and offsets from separate branches",
    "cal-light": "CAL with one shared trunk, at the price of plain heatmaps",
}


def _card(name: str, size: str, network: CropNetwork, who: str, sigma: float | None = None) -> CropCard:
    height, width = map(int, size.split("x"))
    if network.backbone == "hrnet" and size == "64x48":
        network = replace(network, branches=3)
    return CropCard(
        f"{name}-{size}",
        network,
        crop_size=(width, height),
        sigma=sigma or _SIGMA[size],
        summary=f"{who}, {_SUMMARIES[network.head]}",
    )


def _hrnets() -> list[CropCard]:
    """HRNet-W32 and W48 with every head, at the sizes of which papers report figures."""
    published: dict[Head, tuple[str, str]] = {
        "heatmap": ("hrnet", "64x48 128x96 256x192 384x288"),
        "dark": ("dark", "128x96 256x192 384x288"),
        "udp": ("udp", "64x48 128x96 256x192 384x288"),
        "udp-offset": ("udp-offset", "256x192 384x288"),
        "cal": ("cal", "64x48 128x96 256x192 384x288"),
    }
    return [
        _card(f"{name}-w{width}", size, CropNetwork(width=width, head=head), f"HRNet-W{width}", sigma)
        for head, (name, sizes) in published.items()
        for width, narrow in ((32, 0.3), (48, 0.5))
        for size in sizes.split()
        for sigma in [narrow if (head, size) == ("cal", "64x48") else None]
    ]


def _small() -> list[CropCard]:
    """Every head on the trunk of the bottom-up default, whose weights fit: what a CPU trains in an hour.

    CAL's Gaussians at 128x96 are wider than published: in so short a training they are found sooner.
    """
    wide = {"64x48": 0.5, "128x96": 1.5}
    return [
        _card(
            f"{'hrnet' if head == 'heatmap' else head}-w16",
            size,
            replace(_SMALL, head=head),
            "small",
            wide.get(size) if head in ("cal", "cal-light") else None,
        )
        for head in HEADS
        for size in ("64x48", "128x96", "256x192")
    ]


def _baselines() -> list[CropCard]:
    depths: dict[Backbone, int] = {"resnet50": 50, "resnet101": 101, "resnet152": 152}
    return [
        _card(f"simplebaseline-r{depth}", size, CropNetwork(backbone), f"SimpleBaseline, ResNet-{depth}")
        for backbone, depth in depths.items()
        for size in ("128x96", "256x192", "384x288")
    ]


CROP_MODELS: dict[str, CropCard] = {card.name: card for card in (*_hrnets(), *_small(), *_baselines())}

CROP_DEFAULT = "cal-light-w16-128x96"  # what the name "default" stands for where people stand in boxes

CROP_MODELS[CROP_DEFAULT] = replace(
    CROP_MODELS[CROP_DEFAULT],
    weights=CROP_DEFAULT,
    summary="the default for people in boxes: small, briefly trained on little data; see docs/crop-model.md",
    evidence={
        "data": "2,925 photos of COCO train2017, 4,500 of LSP Extended, 2,500 rendered scenes",
        "recipe": "cal-light-w16-128x96, -2 and -3, from the trunk of higherhrnet-w16-256",
        "seed": 0,
        "hours": 2.4,
        "AP": 0.210,
        "AP_64x48": 0.209,
        "AP_32x24": 0.177,
        "measured": "433 people of COCO 2017 in their annotated boxes, which it was not trained on",
    },
)

_SOME = f"for crops {len(CROP_MODELS)} such as {', '.join(list(CROP_MODELS)[::12])}: `scalepose models` lists all"


def find_crop_card(name: str) -> CropCard:
    """The card called `name`. Raises ScaleposeError when there is none."""
    if name not in CROP_MODELS:
        raise ScaleposeError(f"no model for crops is called {name!r}; {_SOME}")
    return CROP_MODELS[name]


def find_model(name: str) -> ModelCard | CropCard:
    """The card called `name`, for whole pictures or for crops. Raises ScaleposeError when there is none."""
    card = MODELS.get(DEFAULT if name == "default" else name) or CROP_MODELS.get(name)
    if card is None:
        raise ScaleposeError(f"no model is called {name!r}; there are: default, {', '.join(MODELS)}; {_SOME}")
    return card


def card_from_json(text: str, source: str) -> ModelCard | CropCard:
    """A card of either kind from the json in a model file. Raises ScaleposeError naming `source` when it is none."""
    try:
        plain = json.loads(text)
        crops = isinstance(plain, dict) and plain.get("kind") == "crops"
    except (ValueError, RecursionError):
        crops = False
    return CropCard.from_json(text, source) if crops else ModelCard.from_json(text, source)
