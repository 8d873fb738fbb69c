"""OpenVINO: runs the .onnx and .xml files that `scalepose export` writes, on the CPU. About as fast as ONNX Runtime.

Refuses the same files as `runtimes.onnx`. An .xml file is OpenVINO's own format; its weights are the .bin file beside.
"""

from pathlib import Path

import numpy as np

from scalepose.errors import MissingExtra, ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.runtimes.ports import METADATA_KEY, check_file, check_graph, check_images, from_names, read_card
from scalepose.runtimes.runtime import cores, run_error

try:
    import openvino
    from openvino.frontend import FrontEndManager
except ModuleNotFoundError as error:
    raise MissingExtra("openvino", "openvino") from error


class OpenvinoRuntime:
    """A `Runtime` on OpenVINO. Raises ScaleposeError for a file that is not ours, not whole, or not there."""

    concurrent = False  # a compiled model called directly keeps one request

    def __init__(self, path: str | Path):
        path = Path(path)
        model = _read(path)
        key = ["framework", METADATA_KEY]
        self.card = read_card(model.get_rt_info(key).astype(str) if model.has_rt_info(key) else None, path)
        channels = {port.any_name: _channels(port.partial_shape) for port in model.outputs}
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
        try:
            results = self._model([images])
        except Exception as error:  # OpenVINO's own exceptions share no base class
            raise run_error(error, self.card, images) from error
        return from_names({name: np.array(results[name]) for name in self._names})  # copies: its buffers are used again


def convert(onnx_file: Path, path: Path, half: bool) -> None:
    """Write an .onnx file as `path` (.xml) and the .bin file beside it; `half` stores the weights as half floats."""
    openvino.save_model(_read(onnx_file), str(path), compress_to_fp16=half)


def _read(path: Path) -> openvino.Model:
    """The graph in a file. Only the format that its name says is tried."""
    check_file(path)
    intermediate = path.suffix.lower() == ".xml"
    if intermediate and not path.with_suffix(".bin").is_file():
        raise ScaleposeError(
            f"{path}: its weights, {path.with_suffix('.bin').name}, are not beside it; copy both files"
        )
    kind = "OpenVINO" if intermediate else "ONNX"
    reader = FrontEndManager().load_by_framework("ir" if intermediate else "onnx")
    try:
        return reader.convert(reader.load(str(path)))
    except Exception as error:  # OpenVINO's own exceptions share no base class
        raise ScaleposeError(f"{path}: is no {kind} file that can be run") from error


def _channels(shape: openvino.PartialShape) -> tuple[int, ...]:
    """What stands between batch and sides; -1 where the file leaves it open."""
    if shape.rank.is_dynamic:
        return ()
    return tuple(side.get_length() if side.is_static else -1 for side in list(shape)[1:-2])
