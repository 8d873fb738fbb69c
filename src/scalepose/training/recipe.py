"""A training run as one complete yaml file: `Recipe`, how it is read, overridden key by key, and written back.

Every key must be there and nothing else may be: a recipe means the same next year, whatever defaults the code has
then. This module knows neither torch nor pictures; it checks that the file says something, the run does the rest.
Paths in a recipe are relative to the current folder.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import yaml

from scalepose.data.augmentation import Augmentation
from scalepose.errors import ScaleposeError
from scalepose.models.zoo import ModelCard, Network
from scalepose.skeletons import SKELETONS, Skeleton
from scalepose.training.sections import override, plain, read

MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Model:
    """What is trained. skeleton: "coco17", "crowdpose14" or a skeleton file. input_size: side of the square input."""

    skeleton: str
    input_size: int
    network: Network

    def __post_init__(self) -> None:
        _check(self.input_size > 0 and self.input_size % 32 == 0, "input_size must be a multiple of 32")


@dataclass(frozen=True)
class Init:
    """How training begins. scheme: the published initialisation or one for training from scratch. pretrained: weights
    laid over it where names and shapes agree (an ImageNet HRNet, an official or own model), or null.
    """

    scheme: Literal["published", "scratch"]
    pretrained: str | None


@dataclass(frozen=True)
class Source:
    """One training set. weight: its share of the pictures drawn, relative to the other sets. only_near_people: the
    loss looks only around annotated people, for sets that leave others unmarked. keep_empty: pictures without anybody
    are drawn too.
    """

    images: str
    annotations: str
    weight: float
    only_near_people: bool
    keep_empty: bool

    def __post_init__(self) -> None:
        _check(self.weight > 0, "weight must be above 0; leave the set out instead")


@dataclass(frozen=True)
class Validation:
    """The pictures on which AP is measured while training."""

    images: str
    annotations: str


@dataclass(frozen=True)
class Data:
    """train: the training sets. val: the validation set, or null. workers: loading processes per device, 0 loads in
    the training process. samples_per_epoch: pictures drawn per epoch, or null for as many as there are.
    """

    train: tuple[Source, ...]
    val: Validation | None
    workers: int
    samples_per_epoch: int | None

    def __post_init__(self) -> None:
        _check(len(self.train) > 0, "train must name at least one set")
        _check(self.workers >= 0, "workers must be 0 or more")
        _check(self.samples_per_epoch is None or self.samples_per_epoch > 0, "samples_per_epoch must be above 0")


@dataclass(frozen=True)
class Targets:
    """sigma: of the Gaussian, map pixels at every resolution. subpixel: its centre is exact, not a whole pixel."""

    sigma: float
    subpixel: bool

    def __post_init__(self) -> None:
        _check(self.sigma > 0, "sigma must be above 0")


@dataclass(frozen=True)
class Loss:
    """heatmap: one weight per supervised resolution, coarse to fine. positive_weight: see `heatmap_loss`. pull, push:
    weights of the two halves of the associative loss.
    """

    heatmap: tuple[float, ...]
    positive_weight: float
    pull: float
    push: float

    def __post_init__(self) -> None:
        weights = (*self.heatmap, self.positive_weight, self.pull, self.push)
        _check(all(weight >= 0 for weight in weights), "weights must be 0 or more")


@dataclass(frozen=True)
class Optimiser:
    """lr: learning rate for an effective batch (per device × accumulate × devices) of reference_batch pictures, scaled
    in proportion to it; null: as it stands. weight_decay spares norms and biases.
    """

    kind: Literal["adam", "adamw"]
    lr: float
    reference_batch: int | None
    weight_decay: float
    betas: tuple[float, float]

    def __post_init__(self) -> None:
        _check(self.lr > 0, "lr must be above 0")
        _check(self.reference_batch is None or self.reference_batch > 0, "reference_batch must be above 0")
        _check(self.weight_decay >= 0, "weight_decay must be 0 or more")
        _check(all(0 <= beta < 1 for beta in self.betas), "betas must lie in 0…1")


@dataclass(frozen=True)
class Schedule:
    """kind step: the rate is multiplied by `factor` at each of the `milestones` (epochs). kind cosine: it falls along
    half a cosine to `factor` times itself at the last step. Before, it rises linearly for `warmup_steps` updates.
    """

    kind: Literal["step", "cosine"]
    epochs: int
    warmup_steps: int
    milestones: tuple[float, ...]
    factor: float

    def __post_init__(self) -> None:
        _check(self.epochs > 0, "epochs must be above 0")
        _check(self.warmup_steps >= 0, "warmup_steps must be 0 or more")
        _check(0 <= self.factor <= 1, "factor must lie in 0…1")
        _check(self.kind == "step" or not self.milestones, "milestones belong to kind step; give []")


@dataclass(frozen=True)
class Checkpoint:
    """How often the run is saved: after so many updates, after so many minutes, or both; null: not for that reason."""

    steps: int | None
    minutes: float | None

    def __post_init__(self) -> None:
        _check(self.steps is None or self.steps > 0, "steps must be above 0")
        _check(self.minutes is None or self.minutes > 0, "minutes must be above 0")


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    batch_size: pictures per device and pass. accumulate: passes per update. ema: decay of the averaged weights per
    update, or null. gradient_clip: largest norm of the gradient, or null. compile: torch.compile the network.
    validate_every: epochs between validations. log_every: updates between lines of the log.
    """

    name: str
    model: Model
    init: Init
    data: Data
    augmentation: Augmentation
    targets: Targets
    loss: Loss
    optimiser: Optimiser
    schedule: Schedule
    batch_size: int
    accumulate: int
    ema: float | None
    gradient_clip: float | None
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    compile: bool
    seed: int
    checkpoint: Checkpoint
    validate_every: int
    log_every: int

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "validate_every", "log_every"):
            _check(getattr(self, name) > 0, f"{name} must be above 0")
        _check(self.ema is None or 0 < self.ema < 1, "ema must lie between 0 and 1")
        _check(self.gradient_clip is None or self.gradient_clip > 0, "gradient_clip must be above 0")
        _check(self.seed >= 0, "seed must be 0 or more")
        _check(self.name.strip(". ") != "" and not {"/", "\\"} & set(self.name), "name must be usable as a folder name")
        network = self.model.network
        maps = network.deconvs + 1 if network.multi_resolution else 1
        weights = len(self.loss.heatmap)
        _check(weights == maps, f"loss.heatmap has {weights} weights; the network is supervised at {maps} resolutions")

    def card(self) -> ModelCard:
        """The network to build. Raises ScaleposeError when the skeleton's file is none."""
        skeleton = self.model.skeleton
        return ModelCard(
            name=self.name,
            network=self.model.network,
            skeleton=SKELETONS[skeleton] if skeleton in SKELETONS else Skeleton.load(skeleton),
            input_size=self.model.input_size,
        )

    def to_yaml(self) -> str:
        """The complete file, which `read_recipe` reads back as this recipe."""
        return yaml.safe_dump(plain(asdict(self)), sort_keys=False, allow_unicode=True)


def read_recipe(path: str | Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe file; `overrides` maps dotted keys such as "data.train.0.images" to yaml text that replaces what
    the file says there. Raises ScaleposeError naming the file and the key.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScaleposeError(f"{path}: a recipe is small; this file has over {MAX_FILE_BYTES} bytes")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ScaleposeError(f"{path}: is no yaml text ({error})") from error
    if not isinstance(content, dict):
        raise ScaleposeError(f"{path}: must hold the keys of a recipe, such as 'model' and 'data'")
    for key, text in (overrides or {}).items():
        override(content, key, text)
    try:
        return read(Recipe, content)
    except ScaleposeError as error:
        raise ScaleposeError(f"{path}: {error}") from error


def _check(holds: bool, reason: str) -> None:
    if not holds:
        raise ScaleposeError(reason)
