"""How good, and why wrong: average precision (COCO, CrowdPose), by person height, and what the errors are.

NumPy only; the parts load when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalepose.evaluation.by_height import precision_by_height as precision_by_height
    from scalepose.evaluation.diagnosis import diagnose as diagnose
    from scalepose.evaluation.evaluate import evaluate_results as evaluate_results
    from scalepose.evaluation.precision import average_precision as average_precision
    from scalepose.evaluation.receipts import Receipt as Receipt
    from scalepose.evaluation.results import read_results as read_results

_HOME = {
    "Receipt": "receipts",
    "average_precision": "precision",
    "diagnose": "diagnosis",
    "evaluate_results": "evaluate",
    "precision_by_height": "by_height",
    "read_results": "results",
}

__all__ = ["Receipt", "average_precision", "diagnose", "evaluate_results", "precision_by_height", "read_results"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
