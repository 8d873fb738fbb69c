"""Weights in and out of files: safetensors that carry their card, and the checkpoints that others publish.

For networks of both kinds, whole pictures and crops. Files are read as tensors and nothing else; one that wants to run
code is refused. Names are brought to those of the official code (HigherHRNet, HRNet, SimpleBaseline, CAL), whatever
wrapped the network when it was saved. Nothing is downloaded here.
"""

import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from scalepose.errors import ScaleposeError
from scalepose.models.bottomup import BottomUp
from scalepose.models.construct import construct
from scalepose.models.cropcards import CROP_MODELS, CropCard, CropNetwork, card_from_json, find_model
from scalepose.models.topdown import TopDown
from scalepose.models.upscalercard import UpscalerCard
from scalepose.models.zoo import MODELS, ModelCard

if TYPE_CHECKING:
    from scalepose.models.upscale import Upscaler

MAX_BYTES = 2 << 30  # four times a W48 training checkpoint with its optimiser
METADATA_KEY = "scalepose"

# Where training codes put the tensors, in order of preference; "model" is also the model's name in official files.
_WRAPPERS = ("state_dict", "best_state_dict", "model_state_dict", "model")
# DistributedDataParallel; the official FP16 runs (Sequential(to half, network, to float)); mmpose 0.x and 1.x.
_PREFIXES = ("module.", "1.", "backbone.", "keypoint_head.", "head.")


@dataclass(frozen=True)
class Report:
    """What became of a file's tensors in a model; names are the model's.

    matched: loaded. missing: in the model only, left as they were. unexpected: in the file only, ignored.
    mismatched: name → (shape in the file, shape in the model), left as they were.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def complete(self) -> bool:
        """Every tensor of the model came from the file."""
        return not self.missing and not self.mismatched

    def __str__(self) -> str:
        total = len(self.matched) + len(self.missing) + len(self.mismatched)
        lines = [f"{len(self.matched)} of {total} tensors loaded"]
        if self.missing:
            lines.append(f"not in the file, left as they were: {_by_part(self.missing)}")
        for name, (theirs, ours) in self.mismatched.items():
            lines.append(f"another shape, left as it was: {name} is {theirs} in the file, {ours} in the model")
        if self.unexpected:
            lines.append(f"only in the file, ignored: {_by_part(self.unexpected)}")
        return "\n".join(lines)


def save_weights(
    model: "BottomUp | TopDown | Upscaler",
    path: str | Path,
    card: ModelCard | CropCard | UpscalerCard | None = None,
    half: bool = False,
) -> None:
    """Write a .safetensors file that `load_model` and every runtime can open without being told what it is.

    card: what to write about the model, `model.card` by default. half: convolution weights as float16; vectors (batch
    norms, biases) stay float32, since running variances can pass the range of float16. The file appears in one piece.
    Raises ScaleposeError when it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ScaleposeError(f"{path}: weights are written as .safetensors; give a name that ends so")
    tensors = {
        name: (tensor.half() if half and tensor.ndim > 1 else tensor).detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not `save_file`, whose files only their owner can read, whatever the umask.
        partial.write_bytes(save(tensors, metadata={METADATA_KEY: (card or model.card).to_json()}))
        os.replace(partial, path)
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be written ({error})") from error


def load_weights(model: BottomUp | TopDown, path: str | Path) -> Report:
    """Copy into `model`, in place, every tensor of the file whose name and shape it has; the rest of it stays.

    path: .safetensors, or a PyTorch checkpoint: official code (plain, `module.`, `1.`), mmpose, ImageNet HRNet or
    ResNet. Half precision becomes the model's own. With another skeleton the heads do not fit and keep their values:
    that is fine-tuning. Raises ScaleposeError when the file cannot be read, carries code, or nothing in it fits.
    """
    path = Path(path)
    tensors = _named_for(model, read_tensors(path)[0])
    report = _compare(model, tensors)
    if not any(tensors[name].ndim > 1 for name in report.matched):  # bare counters and batch norms match by chance
        raise ScaleposeError(f"{path}: no weight in it fits {model.card.name}; it belongs to another network")
    model.load_state_dict({name: tensors[name] for name in report.matched}, strict=False)
    return report


def load_model(model: str | Path) -> BottomUp | TopDown:
    """A network with its weights, in evaluation mode on the CPU.

    model: a name of the zoo whose weights are shipped, or a .safetensors file that scalepose wrote.
    Raises ScaleposeError when there are no such weights or the file is not whole.
    """
    path = weights_file(model)
    if path.suffix != ".safetensors":
        raise ScaleposeError(
            f"{path}: a .safetensors file that scalepose wrote is needed; an official checkpoint becomes one with: "
            f"scalepose import {path} --model NAME --out {path.stem}.safetensors"
        )
    tensors, metadata = read_tensors(path)
    if METADATA_KEY not in metadata:
        raise ScaleposeError(f"{path}: carries no description of its network, so scalepose did not write it")
    return _assemble(card_from_json(metadata[METADATA_KEY], str(path)), tensors, path)[0].eval()


def weights_file(model: str | Path) -> Path:
    """The file that a name of the zoo stands for; anything with a suffix, or that exists, is a file itself.

    Raises ScaleposeError for a name that is none, or whose weights are not shipped.
    """
    path = Path(model)
    if path.suffix or os.path.exists(path):
        return path
    card = find_model(str(model))
    shipped = card.file(".safetensors")
    if shipped is None:
        raise ScaleposeError(
            f"no weights of {card.name!r} are shipped for torch; bring the official file with: "
            f"scalepose import OFFICIAL.pth --model {card.name} --out {card.name}.safetensors"
        )
    return shipped


def import_official(path: str | Path, name: str, out: str | Path) -> Report:
    """Convert a checkpoint of the zoo's model `name` to a .safetensors file that carries its card.

    Raises ScaleposeError unless the file holds just that network, and names the models that it does fit.
    """
    path, card = Path(path), replace(find_model(name), weights=None)
    tensors, _ = read_tensors(path)
    model, report = _assemble(card, tensors, path)
    save_weights(model, out)
    return report


def _assemble(
    card: ModelCard | CropCard, tensors: Mapping[str, Tensor], path: Path
) -> tuple[BottomUp | TopDown, Report]:
    """The network of `card` with all its tensors from a file. Takes no memory before the shapes are found to agree."""
    model = _without_memory(card)
    tensors = _named_for(model, tensors)
    report = _compare(model, tensors)
    if not _whole(report):
        fits = _fitting(tensors)
        hint = f"the file fits {', '.join(fits)}" if fits else "the file fits no model of the zoo"
        raise ScaleposeError(f"{path}: is not a whole {card.name} ({hint})\n{report}")
    model.to_empty(device="cpu")
    model.load_state_dict({name: tensors[name] for name in report.matched})
    return model, report


def _fitting(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of all models which the file can hold."""
    narrow = tensors.get("transition1.0.0.weight")  # HRNet's first branch; building all networks would take seconds
    width = None if narrow is None else narrow.shape[:1]
    alike: dict[object, list[ModelCard | CropCard]] = {}  # many cards differ in their pictures alone
    for card in (*MODELS.values(), *CROP_MODELS.values()):
        network = card.network
        if isinstance(network, CropNetwork) and network.head != "cal":
            network = replace(network, head="udp-offset" if network.has_offsets else "heatmap")
        of_resnet = isinstance(network, CropNetwork) and network.backbone != "hrnet"
        if width == (None if of_resnet else (network.width,)):
            alike.setdefault((network, len(card.skeleton)), []).append(card)
    names = []
    for cards in alike.values():
        model = _without_memory(cards[0])
        if _whole(_compare(model, _named_for(model, tensors))):
            names += [card.name for card in cards]
    return names


def _whole(report: Report) -> bool:
    """Every tensor of the model and no more of its parts: a network of three branches lies in its twin of four."""
    parts = {name.split(".")[0] for name in report.matched}
    return report.complete and not any(name.split(".")[0] in parts for name in report.unexpected)


def _without_memory(card: ModelCard | CropCard) -> BottomUp | TopDown:
    with torch.device("meta"):
        return construct(card)


def _named_for(model: BottomUp | TopDown, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """mmpose's HRNet-AE calls its only prediction `final_layer`, as official top-down networks do."""
    if isinstance(model, TopDown):
        return tensors
    leaves = {"final_layer.weight": "final_layers.0.weight", "final_layer.bias": "final_layers.0.bias"}
    return {leaves.get(name, name): tensor for name, tensor in tensors.items()}


def _compare(model: BottomUp | TopDown, tensors: Mapping[str, Tensor]) -> Report:
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Report(
        matched=tuple(name for name in ours if theirs.get(name) == ours[name]),
        missing=tuple(name for name in ours if name not in theirs),
        unexpected=tuple(name for name in theirs if name not in ours),
        mismatched={n: (theirs[n], ours[n]) for n in ours if n in theirs and theirs[n] != ours[n]},
    )


def _by_part(names: Iterable[str]) -> str:
    parts = Counter(name.split(".")[0] for name in names)
    return ", ".join(f"{part} ({count})" for part, count in parts.items())


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """The tensors of a file under their published names, and its metadata."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(256).lstrip().lower()
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    if size == 0:
        raise ScaleposeError(f"{path}: is empty; fetch it again")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ScaleposeError(f"{path}: is a web page, not weights; open its address in a browser and save the file")
    if max(size, _unpacked(path)) > MAX_BYTES:
        raise ScaleposeError(f"{path}: holds more than {MAX_BYTES >> 30} GB; no network here is that large")
    content, metadata = _read_safetensors(path) if path.suffix == ".safetensors" else (_read_pickle(path), {})
    content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    tensors = {_published_name(str(key)): value for key, value in content.items() if _is_plain(value)}
    if not tensors:
        raise ScaleposeError(f"{path}: holds no tensors; weights of a network are expected")
    return tensors, metadata


def _read_safetensors(path: Path) -> tuple[Mapping[Any, Any], Mapping[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise ScaleposeError(f"{path}: is no whole safetensors file ({error}); fetch it again") from error


def _read_pickle(path: Path) -> Mapping[Any, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile pickle can end in any exception
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise ScaleposeError(
                f"{path}: carries code or objects ({refused[1]}) besides tensors, so it is not opened. "
                "Ask for a file of tensors only, or re-save its state_dict on a machine where you trust it"
            ) from None
        raise ScaleposeError(f"{path}: is damaged or no PyTorch checkpoint; fetch it again") from error
    if not isinstance(content, Mapping):
        raise ScaleposeError(f"{path}: holds a {type(content).__name__}; a dictionary of tensors is expected")
    return content


def _unpacked(path: Path) -> int:
    """Bytes in a zip archive (what torch.save writes) once unpacked; 0 for other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):  # torch will say what is wrong with it
        return 0


def _published_name(key: str) -> str:
    while prefix := next((p for p in _PREFIXES if key.startswith(p)), None):
        key = key.removeprefix(prefix)
    return key


def _is_plain(value: Any) -> bool:
    """A tensor that can simply be copied: dense, real, with its values at hand."""
    return isinstance(value, Tensor) and not (
        value.layout != torch.strided or value.is_quantized or value.is_complex() or value.device.type != "cpu"
    )
