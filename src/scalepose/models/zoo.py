"""The networks by name: what each is made of, what it was trained for, and where its shipped weights lie.

Needs no torch: a runtime that only predicts reads the same cards, which also travel inside every model file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17, CROWDPOSE14, Skeleton

MAX_INPUT_SIZE = 4096  # pixels


@dataclass(frozen=True)
class Network:
    """The shape of a bottom-up network: HRNet (section 3.1 of HigherHRNet) and its heads (3.2).

    width: channels of the stride-4 branch; branch i has width·2^i. stem: channels of the two first convolutions and
    bottleneck planes of layer1. layer1: number of its bottlenecks. modules: exchange modules of stages 2, 3, 4.
    blocks: residual blocks per branch in each module.
    deconvs: deconvolution modules, 0 (HRNet-AE), 1 (HigherHRNet) or 2; each doubles the resolution.
    deconv_blocks: residual blocks after each deconvolution. concat: a deconvolution also sees the previous prediction.
    multi_resolution: heatmaps are supervised at every resolution, not only at the finest.
    aggregate: heatmaps of all supervised resolutions are averaged at test time; otherwise only the finest is used.
    tag_per_keypoint: one tag map for each keypoint type, or a single shared one.
    mix: channels that the heads read and deconvolutions give: 0 for those of the stride-4 branch alone (published),
    else all four branches are brought to stride 4 and added in so many channels (as HRNetV2 does for segmentation).
    centre_offsets: every keypoint also points at its person's centre (as in SPM), a second cue for grouping.

    Raises ScaleposeError for values of which no network can be built (they come from recipes and model files).
    """

    width: int = 32
    stem: int = 64
    layer1: int = 4
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4
    deconvs: int = 1
    deconv_blocks: int = 4
    concat: bool = True
    multi_resolution: bool = True
    aggregate: bool = True
    tag_per_keypoint: bool = True
    mix: int = 0
    centre_offsets: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.modules, tuple) or len(self.modules) != 3:
            raise ScaleposeError(f"network: modules must be three numbers, one per stage; got {self.modules!r}")
        for name, value, low, high in (
            *(("each of modules", count, 1, 16) for count in self.modules),
            ("width", self.width, 1, 1024),
            ("stem", self.stem, 1, 1024),
            ("layer1", self.layer1, 1, 16),
            ("blocks", self.blocks, 1, 16),
            ("deconvs", self.deconvs, 0, 2),
            ("deconv_blocks", self.deconv_blocks, 0, 16),
            ("mix", self.mix, 0, 1024),
        ):
            if type(value) is not int or not low <= value <= high:
                raise ScaleposeError(f"network: {name} must be a whole number from {low} to {high}; got {value!r}")
        if self.aggregate and not self.multi_resolution:
            raise ScaleposeError("network: aggregate averages supervised heatmaps, so it needs multi_resolution")


@dataclass(frozen=True)
class ModelCard:
    """All that is needed to build a network, feed it and read its maps.

    input_size: pixels of the short side of the network input. weights: file in `scalepose/weights` without suffix, or
    None when no weights are shipped. summary: one line for people. evidence: how the weights came to be and what they
    reach (data, recipe, seed, hours, AP), as measured; empty without weights.
    """

    name: str
    network: Network
    skeleton: Skeleton = COCO17
    input_size: int = 512
    weights: str | None = None
    summary: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The card as a line of json, for the metadata of a model file."""
        plain = asdict(replace(self, skeleton=COCO17))
        plain["skeleton"] = json.loads(self.skeleton.to_json())
        del plain["weights"]  # where weights lie is for the zoo to say, not for a file from anywhere
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str, source: str) -> "ModelCard":
        """Read `to_json` back. Raises ScaleposeError naming `source` when the text is not such a card."""
        try:
            plain = json.loads(text)
            network: dict[str, Any] = plain["network"] | {"modules": tuple(plain["network"]["modules"])}
            size = plain["input_size"]
            if type(size) is not int or not 32 <= size <= MAX_INPUT_SIZE:
                raise ScaleposeError(f"{source}: input_size must be a whole number from 32 to {MAX_INPUT_SIZE}")
            return cls(
                name=str(plain["name"]),
                network=Network(**network),
                skeleton=Skeleton.from_category(plain["skeleton"], source),
                input_size=size,
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


def shipped_file(weights: str | None, suffix: str) -> Path | None:
    """The file `weights` + `suffix` in scalepose/weights, or None where there is none."""
    if weights is None:
        return None
    path = Path(str(files("scalepose") / "weights" / (weights + suffix)))
    return path if path.is_file() else None


_W32 = Network(width=32)
_W48 = Network(width=48)
_AE = Network(width=32, deconvs=0, aggregate=False)

MODELS: dict[str, ModelCard] = {
    card.name: card
    for card in (
        ModelCard("higherhrnet-w32-512", _W32, summary="HigherHRNet-W32 of the paper at 512 pixels"),
        ModelCard("higherhrnet-w32-640", _W32, input_size=640, summary="HigherHRNet-W32 of the paper at 640 pixels"),
        ModelCard("higherhrnet-w48-640", _W48, input_size=640, summary="HigherHRNet-W48 of the paper at 640 pixels"),
        ModelCard("higherhrnet-w32-512-crowdpose", _W32, CROWDPOSE14, summary="HigherHRNet-W32 for CrowdPose"),
        ModelCard("higherhrnet-w32-640-crowdpose", _W32, CROWDPOSE14, 640, summary="HigherHRNet-W32 for CrowdPose"),
        ModelCard("higherhrnet-w48-640-crowdpose", _W48, CROWDPOSE14, 640, summary="HigherHRNet-W48 for CrowdPose"),
        ModelCard(
            "hrnet-ae-w32-512",
            _AE,
            summary="HRNet-W32 with associative embedding: the paper's baseline, maps at stride 4 only",
        ),
        ModelCard("hrnet-ae-w32-512-crowdpose", _AE, CROWDPOSE14, summary="the paper's baseline for CrowdPose"),
        ModelCard(
            "higherhrnet-w16-384",
            Network(
                width=16,
                stem=32,
                layer1=1,
                modules=(1, 2, 2),
                blocks=2,
                deconv_blocks=0,
                mix=32,
                centre_offsets=True,
            ),
            input_size=384,
            weights="higherhrnet-w16-384",
            summary="the default: small, briefly trained on little data; a beginning, see docs/default-model.md",
            evidence={
                "data": "2,925 photos of COCO train2017, 4,500 of LSP Extended, 15,100 rendered scenes",
                "recipe": "default-1-crops, -2-mixed, -3-centres, -4-whole, -5-larger, -6-last, -7-known, "
                "-8-mild, some repeated; 104,700 updates, 1,156,000 views of pictures",
                "seed": 0,
                "hours": 22.4,
                "AP": 0.253,
                "AP_paper": 0.160,
                "measured": "149 photos, 433 people of COCO 2017, which it was not trained on",
            },
        ),
    )
}

DEFAULT = "higherhrnet-w16-384"  # what the name "default" stands for


def find_card(name: str) -> ModelCard:
    """The card called `name`, or the default one. Raises ScaleposeError listing the names there are."""
    card = MODELS.get(DEFAULT if name == "default" else name)
    if card is None:
        raise ScaleposeError(f"no model is called {name!r}; there are: default, {', '.join(MODELS)}")
    return card
