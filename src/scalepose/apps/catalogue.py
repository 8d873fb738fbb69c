"""The zoo as text for people: a table of all models, and everything about one."""

import json

import yaml

from scalepose.models.cropcards import CROP_MODELS, CropCard
from scalepose.models.zoo import MODELS, ModelCard


def table() -> str:
    """One line a model: name, keypoints, input size, weights, AP, what it is."""
    rows = [("name", "keypoints", "input", "weights", "AP", "what")]
    rows += [
        (card.name, str(len(card.skeleton)), _input(card), _weights(card), _precision(card), card.summary)
        for card in (*MODELS.values(), *CROP_MODELS.values())
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def card_text(card: ModelCard | CropCard) -> str:
    """The card as yaml, and where its weights are or come from."""
    weights = [str(path) for suffix in (".onnx", ".safetensors") if (path := card.file(suffix))]
    if not weights:
        file = f"{card.name}.safetensors"
        weights = [f"none shipped; bring published ones: scalepose import FILE.pth --model {card.name} --out {file}"]
    text = yaml.safe_dump(json.loads(card.to_json()), sort_keys=False, allow_unicode=True, default_flow_style=None)
    return text + "\n".join(f"# weights: {line}" for line in weights)


def _input(card: ModelCard | CropCard) -> str:
    if isinstance(card, CropCard):
        width, height = card.crop_size
        return f"crop {height}x{width}"  # as papers write it
    return str(card.input_size)


def _weights(card: ModelCard | CropCard) -> str:
    paths = [path for suffix in (".onnx", ".safetensors") if (path := card.file(suffix))]
    return f"shipped, {paths[0].stat().st_size / 1e6:.1f} MB" if paths else "scalepose import"


def _precision(card: ModelCard | CropCard) -> str:
    value = card.evidence.get("AP")
    return f"{value:.3f}" if isinstance(value, float) else ""
