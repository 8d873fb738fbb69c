"""ONNX Runtime: runs the .onnx files that `scalepose export` writes, on a GPU where its build has one, else on the CPU.

A file says itself which network it holds (metadata "scalepose"); one that does not is refused. Files are not trusted:
ONNX Runtime refuses weights that lie outside the file's folder, and what goes in and comes out is compared with the
card before anything runs.
"""

from pathlib import Path

import numpy as np
import onnxruntime

from scalepose.errors import ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard
from scalepose.runtimes.runtime import check_images, cores

MAX_BYTES = 2 << 30  # what one protobuf, and so one .onnx file, can hold
METADATA_KEY = "scalepose"
INPUT = "images"

# Exhaustive search, the default, is repeated for every new size of picture and takes seconds each time.
_PROVIDERS = {"CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC"}, "CPUExecutionProvider": {}}


class OnnxRuntime:
    """A `Runtime` on ONNX Runtime. Raises ScaleposeError for a file that is not ours, not whole, or not there."""

    def __init__(self, path: str | Path):
        path = Path(path)
        check_file(path)
        available = onnxruntime.get_available_providers()
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _options(), providers=[(p, o) for p, o in _PROVIDERS.items() if p in available]
            )
        except Exception as error:  # the runtime's own exceptions share no base class
            raise ScaleposeError(f"{path}: is no ONNX file that can be run ({_first_line(error)})") from error
        self.card = read_card(self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)
        self._names = output_names(self.card)
        channels = {node.name: node.shape[1] for node in self._session.get_outputs()}
        check_graph(self.card, [node.name for node in self._session.get_inputs()], channels, path)
        where = self._session.get_providers()[0]
        threads = f" · {cores()} threads" if where == "CPUExecutionProvider" else ""
        self.name = f"onnxruntime {onnxruntime.__version__} · {where}{threads}"

    def __repr__(self) -> str:
        return f"OnnxRuntime({self.card.name!r}, {self.name})"

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        """(B, 3, H, W) float32 normalised RGB, H and W multiples of 32 → heatmaps and tags, float32."""
        check_images(images)
        *heatmaps, tags = (np.asarray(maps) for maps in self._session.run(self._names, {INPUT: images}))
        return Outputs(heatmaps, tags)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    # Threads that spin while they wait take the cores from every other process on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory is kept for every size of picture seen; pictures come in many sizes.
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors only, and those are raised
    return options


def output_names(card: ModelCard) -> list[str]:
    """Names of the outputs of an exported network, coarse to fine, tags last."""
    return [*(f"heatmaps_{level}" for level in range(card.network.deconvs + 1)), "tags"]


def check_file(path: Path) -> None:
    """Raise ScaleposeError when there is no file, an empty one, or one larger than an ONNX file can be."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    if not 0 < size < MAX_BYTES:
        raise ScaleposeError(f"{path}: has {size} bytes, so it is no whole ONNX file; fetch or export it again")


def read_card(text: str | None, path: Path) -> ModelCard:
    """The card inside of an ONNX file. Raises ScaleposeError when there is none."""
    if not text:
        raise ScaleposeError(
            f"{path}: carries no description of its network, so scalepose did not write it; "
            "make one from weights with: scalepose export MODEL --to onnx --out PATH"
        )
    return ModelCard.from_json(text, str(path))


def check_graph(card: ModelCard, inputs: list[str], outputs: dict[str, int], path: Path) -> None:
    """Raise ScaleposeError unless what goes in and out of a graph (name → channels) is what the card says."""
    K = len(card.skeleton)
    expected = dict.fromkeys(output_names(card), K)
    expected["tags"] = K if card.network.tag_per_keypoint else 1
    if inputs != [INPUT] or outputs != expected:
        raise ScaleposeError(
            f"{path}: does not hold the network it describes: {card.name} gives {expected} from [{INPUT!r}], "
            f"the file gives {outputs} from {inputs}; export it again"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
