"""What every recipe says, whatever it trains: `Plan`, the part of a run that knows no network and no pictures.

The kinds of recipes add their own keys to it: `recipe` (whole pictures), `croprecipe` (one person's crop) and
`upscalerecipe` (an up-scaler of crops). Like them it only checks that values make sense; nothing here reads files.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import yaml

from scalepose.errors import ScaleposeError
from scalepose.training.sections import plain


@dataclass(frozen=True)
class Init:
    """How training begins. scheme: the published initialisation or one for training from scratch. pretrained: weights
    laid over it where names and shapes agree (an ImageNet HRNet, an official or own model), or null.
    """

    scheme: Literal["published", "scratch"]
    pretrained: str | None


@dataclass(frozen=True)
class Validation:
    """The pictures on which the network is measured while training."""

    images: str
    annotations: str


@dataclass(frozen=True)
class Optimiser:
    """lr: learning rate for an effective batch (per device × accumulate × devices) of reference_batch pictures, scaled
    in proportion to it; null: as it stands. weight_decay spares norms and biases. kind muon: Muon for the inner
    convolutions, AdamW for the rest, at the same rate; betas are AdamW's.
    """

    kind: Literal["adam", "adamw", "muon"]
    lr: float
    reference_batch: int | None
    weight_decay: float
    betas: tuple[float, float]

    def __post_init__(self) -> None:
        check(self.lr > 0, "lr must be above 0")
        check(self.reference_batch is None or self.reference_batch > 0, "reference_batch must be above 0")
        check(self.weight_decay >= 0, "weight_decay must be 0 or more")
        check(all(0 <= beta < 1 for beta in self.betas), "betas must lie in 0…1")


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
        check(self.epochs > 0, "epochs must be above 0")
        check(self.warmup_steps >= 0, "warmup_steps must be 0 or more")
        check(0 <= self.factor <= 1, "factor must lie in 0…1")
        check(self.kind == "step" or not self.milestones, "milestones belong to kind step; give []")


@dataclass(frozen=True)
class Checkpoint:
    """How often the run is saved: after so many updates, after so many minutes, or both; null: not for that reason."""

    steps: int | None
    minutes: float | None

    def __post_init__(self) -> None:
        check(self.steps is None or self.steps > 0, "steps must be above 0")
        check(self.minutes is None or self.minutes > 0, "minutes must be above 0")


@dataclass(frozen=True)
class Plan:
    """What all recipes have.

    batch_size: pictures per device and pass. accumulate: passes per update. ema: decay of the averaged weights per
    update, or null. gradient_clip: largest norm of the gradient, or null. compile: torch.compile the network.
    validate_every: epochs between validations. log_every: updates between lines of the log.
    """

    name: str
    init: Init
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
            check(getattr(self, name) > 0, f"{name} must be above 0")
        check(self.ema is None or 0 < self.ema < 1, "ema must lie between 0 and 1")
        check(self.gradient_clip is None or self.gradient_clip > 0, "gradient_clip must be above 0")
        check(self.seed >= 0, "seed must be 0 or more")
        check(self.name.strip(". ") != "" and not {"/", "\\"} & set(self.name), "name must be usable as a folder name")

    def values(self) -> dict[str, Any]:
        """All keys and values, as the file has them."""
        return plain(asdict(self))

    def to_yaml(self) -> str:
        """The complete file, which `read_recipe` reads back as this recipe."""
        return yaml.safe_dump(self.values(), sort_keys=False, allow_unicode=True)


def check(holds: bool, reason: str) -> None:
    """Raise ScaleposeError with the reason unless it holds."""
    if not holds:
        raise ScaleposeError(reason)
