"""The same network anywhere: ONNX Runtime (the default), OpenVINO, torch; and the export from torch to files for them.

>>> from scalepose.runtimes import open_runtime
>>> runtime = open_runtime("default")
>>> outputs = runtime(images)   # images (B, 3, H, W) float32 → Outputs: heatmaps, tags
"""

from typing import TYPE_CHECKING, Any

from scalepose.runtimes.runtime import RUNTIMES, TORCH_VARIANTS, Runtime, open_runtime

if TYPE_CHECKING:
    from scalepose.runtimes.export import export_onnx as export_onnx
    from scalepose.runtimes.export import export_openvino as export_openvino

__all__ = ["RUNTIMES", "TORCH_VARIANTS", "Runtime", "export_onnx", "export_openvino", "open_runtime"]


def __getattr__(name: str) -> Any:
    if name in ("export_onnx", "export_openvino"):  # the only parts that need torch whatever the model
        from scalepose.runtimes import export

        return getattr(export, name)
    raise AttributeError(f"module 'scalepose.runtimes' has no attribute {name!r}")
