"""OpenVINO: runs the .onnx files that `scalepose export` writes, on the CPU. Often a little faster than ONNX Runtime.

Knows the same files and refuses the same ones as `runtimes.onnx`.
"""

from pathlib import Path

import numpy as np

from scalepose.errors import MissingExtra, ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.runtimes.onnx import check_file
from scalepose.runtimes.ports import METADATA_KEY, check_graph, check_images, from_names, read_card
from scalepose.runtimes.runtime import cores

try:
    import openvino
    from openvino.frontend import FrontEndManager
except ModuleNotFoundError as error:
    raise MissingExtra("openvino", "openvino") from error


class OpenvinoRuntime:
    """A `Runtime` on OpenVINO. Raises ScaleposeError for a file that is not ours, not whole, or not there."""

    def __init__(self, path: str | Path):
        path = Path(path)
        check_file(path)
        reader = FrontEndManager().load_by_framework("onnx")  # Core.read_model would try other formats too
        try:
            model = reader.convert(reader.load(str(path)))
        except Exception as error:  # OpenVINO's own exceptions share no base class
            raise ScaleposeError(f"{path}: is no ONNX file that can be run") from error
        key = ["framework", METADATA_KEY]
        self.card = read_card(model.get_rt_info(key).astype(str) if model.has_rt_info(key) else None, path)
        channels = {
            port.any_name: tuple(d.get_length() for d in list(port.partial_shape)[1:-2]) for port in model.outputs
        }
        check_graph(self.card, [port.any_name for port in model.inputs], channels, path)
        self._names = list(channels)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": cores(),
            "ENABLE_CPU_PINNING": False,  # pinned, two processes would share one core and leave others idle
            "INFERENCE_PRECISION_HINT": "f32",  # or it computes in bf16 where the CPU can, and finds other people
        }
        self._model = openvino.Core().compile_model(model, "CPU", settings)
        self.name = f"openvino {openvino.__version__.split('-')[0]} · CPU · {cores()} threads"

    def __repr__(self) -> str:
        return f"OpenvinoRuntime({self.card.name!r}, {self.name})"

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """As `Runtime` has it."""
        check_images(images, self.card)
        results = self._model([images])
        return from_names({name: np.array(results[name]) for name in self._names})  # copies: its buffers are used again
