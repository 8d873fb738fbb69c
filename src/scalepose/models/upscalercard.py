"""What an up-scaler of crops is made of: `UpscalerCard`, which travels in its model file. Needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scalepose.errors import ScaleposeError


@dataclass(frozen=True)
class UpscalerCard:
    """factor: how many times larger a crop becomes along each side. channels: of the two hidden layers. evidence: how
    the weights came to be, as in `zoo.ModelCard`.

    Raises ScaleposeError for values of which no up-scaler can be built (they come from recipes and model files).
    """

    name: str
    factor: int = 2
    channels: tuple[int, int] = (64, 32)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.factor) is not int or not 2 <= self.factor <= 8:
            raise ScaleposeError(f"{self.name}: factor must be a whole number from 2 to 8; got {self.factor!r}")
        counts = self.channels
        if len(counts) != 2 or not all(type(count) is int and 1 <= count <= 1024 for count in counts):
            raise ScaleposeError(f"{self.name}: channels must be two whole numbers from 1 to 1024; got {counts!r}")

    def to_json(self) -> str:
        """The card as a line of json, for the metadata of a model file."""
        return json.dumps({"kind": "upscaler"} | asdict(self))

    @classmethod
    def from_json(cls, text: str, source: str) -> "UpscalerCard":
        """Read `to_json` back. Raises ScaleposeError naming `source` when the text is not such a card."""
        try:
            plain = json.loads(text)
            if plain["kind"] != "upscaler":
                raise ScaleposeError(f"{source}: holds no up-scaler; train one with a recipe of kind upscaler")
            return cls(str(plain["name"]), plain["factor"], tuple(plain["channels"]), dict(plain["evidence"]))
        except ScaleposeError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ScaleposeError(f"{source}: its description is not one that scalepose wrote ({error})") from error
