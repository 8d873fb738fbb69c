"""The same network anywhere: ONNX Runtime (the default), OpenVINO, torch; and the export from torch to ONNX.

>>> from scalepose.runtimes import open_runtime
>>> runtime = open_runtime("default")
>>> outputs = runtime(images)   # images (B, 3, H, W) float32 → Outputs: heatmaps, tags
"""

from typing import TYPE_CHECKING, Any

from scalepose.runtimes.runtime import RUNTIMES, Runtime, open_runtime

if TYPE_CHECKING:
    from scalepose.runtimes.export import export_onnx as export_onnx

__all__ = ["RUNTIMES", "Runtime", "export_onnx", "open_runtime"]


def __getattr__(name: str) -> Any:
    if name == "export_onnx":  # the only part that needs torch whatever the model
        from scalepose.runtimes.export import export_onnx

        return export_onnx
    raise AttributeError(f"module 'scalepose.runtimes' has no attribute {name!r}")
