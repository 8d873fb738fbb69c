"""ONNX Runtime: runs the .onnx files that `scalepose export` writes, on a GPU where its build has one, else on the CPU.

A file says itself which network it holds (metadata "scalepose"); one that does not is refused. Files are not trusted:
ONNX Runtime refuses weights that lie outside the file's folder, and what goes in and comes out is compared with the
card before anything runs.
"""

from pathlib import Path

import numpy as np

from scalepose.errors import ScaleposeError

try:
    import onnxruntime
except ModuleNotFoundError as error:
    raise ScaleposeError(
        "onnxruntime is not installed, though scalepose needs it; run: pip install onnxruntime"
    ) from error

from scalepose.models.outputs import Outputs
from scalepose.runtimes.ports import INPUT, METADATA_KEY, check_file, check_graph, check_images, from_names, read_card
from scalepose.runtimes.runtime import cores, first_line, run_error

# Exhaustive search, the default, is repeated for every new size of picture and takes seconds each time.
_PROVIDERS = {"CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC"}, "CPUExecutionProvider": {}}


class OnnxRuntime:
    """A `Runtime` on ONNX Runtime. Raises ScaleposeError for a file that is not ours, not whole, or not there."""

    concurrent = True  # sessions are made for it

    def __init__(self, path: str | Path):
        path = Path(path)
        check_file(path)
        available = onnxruntime.get_available_providers()
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), session_options(), providers=[(p, o) for p, o in _PROVIDERS.items() if p in available]
            )
        except Exception as error:  # the runtime's own exceptions share no base class
            raise ScaleposeError(f"{path}: is no ONNX file that can be run ({first_line(error)})") from error
        self.card = read_card(self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)
        channels = {node.name: tuple((node.shape or ())[1:-2]) for node in self._session.get_outputs()}
        check_graph(self.card, [node.name for node in self._session.get_inputs()], channels, path)
        self._names = list(channels)
        where = self._session.get_providers()[0]
        threads = f" · {cores()} threads" if where == "CPUExecutionProvider" else ""
        self.name = f"onnxruntime {onnxruntime.__version__} · {where}{threads}"

    def __repr__(self) -> str:
        return f"OnnxRuntime({self.card.name!r}, {self.name})"

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """As `Runtime` has it."""
        check_images(images, self.card)
        try:
            arrays = self._session.run(self._names, {INPUT: images})
        except Exception as error:  # as above
            raise run_error(error, self.card, images) from error
        return from_names(dict(zip(self._names, map(np.asarray, arrays), strict=True)))


def session_options() -> onnxruntime.SessionOptions:
    """How every session runs: as many threads as `cores`, which leave their cores to others while they wait."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory is kept for every size of picture seen; pictures come in many sizes.
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors only, and those are raised
    return options
