"""Cards of networks for crops: what can be, through json and back, by name."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from scalepose.errors import ScaleposeError
from scalepose.models.cropcards import (
    CROP_MODELS,
    HEADS,
    CropCard,
    CropNetwork,
    card_from_json,
    find_crop_card,
    find_model,
)
from scalepose.models.zoo import MODELS
from scalepose.skeletons import CROWDPOSE14

SMALL = CropNetwork(width=8, stem=8, layer1=1, modules=(1, 1, 1), blocks=1)
CARD = CropCard("small", SMALL, CROWDPOSE14, (96, 128), 1.5, summary="nothing", evidence={"AP": 0.5})


def test_no_name_stands_for_two_models():
    assert not set(CROP_MODELS) & set(MODELS)
    assert all(card.name == name for name, card in CROP_MODELS.items())


def test_names_say_height_before_width():
    for name, card in CROP_MODELS.items():
        width, height = card.crop_size
        assert name.endswith(f"-{height}x{width}")
        assert card.map_size == (width // 4, height // 4)
        assert height > width


def test_the_published_sigmas():
    sigmas = {name: CROP_MODELS[name].sigma for name in CROP_MODELS if name.startswith(("cal-w32", "cal-w48"))}
    by_size = {"128x96": 1.0, "256x192": 2.0, "384x288": 3.0}
    assert sigmas == {
        "cal-w32-64x48": 0.3,
        "cal-w48-64x48": 0.5,
        **{f"cal-w{width}-{size}": sigma for width in (32, 48) for size, sigma in by_size.items()},
    }


def test_alignment_and_offsets_follow_the_head():
    cards = {head: replace(CARD, network=replace(SMALL, head=head)) for head in HEADS}
    assert [head for head in HEADS if cards[head].alignment == "plain"] == ["heatmap", "dark"]
    assert [head for head in HEADS if cards[head].network.has_offsets] == ["udp-offset", "cal", "cal-light"]


@pytest.mark.parametrize("card", [CARD, *CROP_MODELS.values(), *MODELS.values()], ids=lambda card: card.name)
def test_through_json_and_back(card):
    assert card_from_json(card.to_json(), "test") == replace(card, weights=None)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pictures"},
        {"network": 3},
        {"network": {"modules": [1, 1]}},
        {"network": {"modules": [1, 1, 1], "girth": 3}},
        {"network": {"modules": [1, 1, 1], "width": 10**9}},
        {"crop_size": [96]},
        {"crop_size": 96},
        {"crop_size": [96, 1 << 20]},
        {"crop_size": [96.0, 128.0]},
        {"sigma": "1"},
        {"sigma": -1},
        {"sigma": float("nan")},
        {"skeleton": {}},
        {"evidence": 3},
    ],
    ids=str,
)
def test_a_description_that_we_did_not_write(change):
    text = json.dumps(json.loads(CARD.to_json()) | change)
    with pytest.raises(ScaleposeError):
        card_from_json(text, "odd.onnx")


@pytest.mark.parametrize("text", ["", "[]", "{", '"crops"', "[" * 100_000])
def test_no_description_at_all(text):
    with pytest.raises(ScaleposeError, match=r"odd\.onnx: "):
        card_from_json(text, "odd.onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "magic"}, "no head is called 'magic'; there are: heatmap, dark, udp"),
        ({"backbone": "vgg"}, "no backbone is called 'vgg'; there are: hrnet"),
        ({"branches": 2}, "branches must be 3 or 4"),
        ({"branches": True}, "branches must be 3 or 4"),
        ({"width": 0}, "width must be a whole number"),
        ({"blocks": 99}, "blocks must be a whole number"),
        ({"backbone": "resnet50", "head": "cal"}, "use cal-light"),
    ],
)
def test_a_network_that_cannot_be_is_refused(change, message):
    with pytest.raises(ScaleposeError, match=message):
        replace(SMALL, **change)


@pytest.mark.parametrize(
    ("network", "crop_size"),
    [
        (SMALL, (48, 64)),  # no stride of 32 in 48 pixels
        (replace(SMALL, branches=3), (40, 64)),
        (CropNetwork("resnet50"), (48, 64)),
        (SMALL, (0, 0)),
        (SMALL, (96, 128, 3)),
    ],
)
def test_crops_that_a_network_cannot_take_are_refused(network, crop_size):
    with pytest.raises(ScaleposeError, match="crop_size must be two multiples of"):
        CropCard("small", network, crop_size=crop_size)


def test_finding_by_name():
    assert find_crop_card("cal-w32-128x96").crop_size == (96, 128)
    assert find_model("cal-w32-128x96") is find_crop_card("cal-w32-128x96")
    assert find_model("default").name == "higherhrnet-w16-384"
    with pytest.raises(ScaleposeError, match=r"called 'x'; there are: default, .*`scalepose models` lists all"):
        find_model("x")
    with pytest.raises(ScaleposeError, match="no model for crops is called 'higherhrnet-w32-512'"):
        find_crop_card("higherhrnet-w32-512")


def test_the_cards_load_no_torch():
    code = "import sys; from scalepose.models.cropcards import CROP_MODELS; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
