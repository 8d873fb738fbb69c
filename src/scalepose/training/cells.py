"""One cell of a table (`training.table`): a model that was trained, measured as users have it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from scalepose.crops import CropPredictor
from scalepose.data.annotations import Annotations, read_annotations
from scalepose.data.boxes import annotated_boxes
from scalepose.data.degrade import Degradation, bicubic
from scalepose.errors import ScaleposeError
from scalepose.evaluation.crops import evaluate_crops, known_boxes
from scalepose.evaluation.evaluate import evaluate
from scalepose.evaluation.receipts import Receipt
from scalepose.models.bottomup import BottomUp, macs
from scalepose.models.topdown import TopDown
from scalepose.models.upscale import load_upscaler
from scalepose.models.weights import load_model
from scalepose.predictor import Predictor
from scalepose.runtimes.torch import TorchRuntime
from scalepose.runtimes.upscale import open_upscaler
from scalepose.training.croprecipe import CropRecipe
from scalepose.training.kinds import AnyRecipe
from scalepose.training.parts import Validation
from scalepose.training.recipe import Recipe

SHOWN = ("AP", "AP50", "AP75", "AR")


@dataclass(frozen=True)
class Measured:
    """figures: caption → column → 0 to 1, None where there was nobody to find. macs: of one crop, or of a square
    picture of the network's size; with the up-scaler, as parameters are. updates, seconds: of the training. unit: what
    it saw. receipts: by name of their file; the test's is "receipt".
    """

    figures: dict[str, dict[str, float | None]]
    macs: int
    parameters: int
    updates: int
    seconds: int
    unit: str
    receipts: dict[str, Receipt]


def measure(
    recipe: AnyRecipe, model: Path, test: Validation, scale_benchmark: Validation | None, flip: bool
) -> Measured:
    """Measure what came out of `recipe`: crops in the annotated boxes of `test`, or its whole pictures.

    Raises ScaleposeError when data cannot be used, or the recipe trains neither.
    """
    if isinstance(recipe, CropRecipe):
        return _measure_crops(recipe, model, test, flip)
    if isinstance(recipe, Recipe):
        return _measure_pictures(recipe, model, test, scale_benchmark, flip)
    raise ScaleposeError(f"{recipe.name}: a table compares networks that find keypoints; this recipe trains none")


def _measure_crops(recipe: CropRecipe, model: Path, test: Validation, flip: bool) -> Measured:
    network = cast(TopDown, load_model(model))
    W, H = recipe.model.crop_size
    cost, parameters = macs(network, (W, H)), sum(p.numel() for p in network.parameters())
    low_res, enlarge = None, bicubic
    if recipe.model.upscaler is not None:
        upscaler = load_upscaler(recipe.model.upscaler)
        factor = upscaler.card.factor
        low_res, enlarge = Degradation((W // factor, H // factor)), open_upscaler(recipe.model.upscaler)
        cost += macs(upscaler, low_res.size)
        parameters += sum(p.numel() for p in upscaler.parameters())
    truth = _read(test, recipe)
    predictor = CropPredictor(TorchRuntime(network), flip=flip, low_res=low_res, enlarge=enlarge)
    receipt = evaluate_crops(predictor, known_boxes(annotated_boxes(truth)[0]), truth, progress=False)
    figures = {"In annotated boxes": _shown(receipt.metrics)}
    return _measured(figures, cost, parameters, network.card.evidence, "crops", {"receipt": receipt})


def _measure_pictures(
    recipe: Recipe, model: Path, test: Validation, scale_benchmark: Validation | None, flip: bool
) -> Measured:
    network = cast(BottomUp, load_model(model))
    side = recipe.model.input_size
    cost, parameters = macs(network, (side, side)), sum(p.numel() for p in network.parameters())
    predictor = Predictor(TorchRuntime(network), flip=flip)
    receipts = {"receipt": evaluate(predictor, _read(test, recipe), progress=False)}
    heights = receipts["receipt"].heights
    figures = {
        "Photos": _shown(receipts["receipt"].metrics),
        "Photos, AP by the height of the person in pixels": {name: _known(row["AP"]) for name, row in heights.items()},
    }
    if scale_benchmark is not None:
        receipts["scale-benchmark"] = receipt = evaluate(predictor, _read(scale_benchmark, recipe), progress=False)
        figures["Scale benchmark"] = _shown(receipt.metrics)
        for kind, groups in receipt.groups.items():
            figures[f"Scale benchmark, AP by {kind}"] = {name: _known(row["AP"]) for name, row in groups.items()}
    return _measured(figures, cost, parameters, network.card.evidence, "pictures", receipts)


def _measured(
    figures: dict[str, dict[str, float | None]],
    cost: int,
    parameters: int,
    evidence: Mapping[str, float],
    unit: str,
    receipts: dict[str, Receipt],
) -> Measured:
    seconds = round(evidence["hours"] * 3600)
    return Measured(figures, cost, parameters, int(evidence["updates"]), seconds, unit, receipts)


def _read(pictures: Validation, recipe: CropRecipe | Recipe) -> Annotations:
    return read_annotations(pictures.annotations, pictures.images, recipe.card().skeleton)


def _shown(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _known(metrics[name]) for name in SHOWN}


def _known(value: float) -> float | None:
    """None for NaN, which json does not know."""
    return None if math.isnan(value) else value
